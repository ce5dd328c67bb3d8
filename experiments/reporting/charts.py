"""Charts that only experiments draw, as inline SVG in the style of `experiments.reporting.svg`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

import numpy as np

from experiments.reporting.svg import Frame, axes, linear_ticks, log_ticks, svg

Array = np.ndarray

COLUMN = 128, 200
"""Pixels between two parallel axes: at least, and where the page has room."""
SMALL = 0.3
"""Share of the highest value; where the median is below it, as of values drawn on a logarithmic scale, so is the axis."""
WIDE = 1180
"""Pixels of the page."""


@dataclass(frozen=True)
class Line:
    """A line with a band.

    Attributes:
        name: Shown when pointed at.
        style: CSS class that gives the colour.
        x: [N].
        y: [N].
        low: [N], lower edge of the band; None for no band.
        high: [N].
    """

    name: str
    style: str
    x: Array
    y: Array
    low: Array | None = None
    high: Array | None = None


def line_chart(lines: Sequence[Line], width: float, height: float, label: str, x_label: str, y_label: str) -> str:
    """Draw lines over a common axis, such as a loss over epochs."""
    heights = np.concatenate([edge for line in lines for edge in (line.y, line.low, line.high) if edge is not None])
    across = np.concatenate([line.x for line in lines])
    margin = max(0.05 * float(np.ptp(heights)), 1e-6)
    x_range = (float(across.min()), max(float(across.max()), float(across.min()) + 1))
    frame = Frame(width, height, x_range, (float(heights.min()) - margin, float(heights.max()) + margin))
    ticks = [tick for tick in linear_ticks(x_range, int(width / 90)) if tick == int(tick)]
    parts = [axes(frame, ticks, x_label, y_label, lambda value: f"{value:g}")]
    for line in lines:
        title = f"<title>{escape(line.name)}</title>"
        if line.low is not None and line.high is not None:
            outline = [*zip(line.x, line.high, strict=True), *zip(line.x[::-1], line.low[::-1], strict=True)]
            parts.append(f'<path class="{line.style} band" d="M{_path(frame, outline)}Z"/>')
        parts.append(
            f'<path class="{line.style}" d="M{_path(frame, list(zip(line.x, line.y, strict=True)))}">{title}</path>'
        )
    return svg(width, height, "".join(parts), label, "chart")


def _path(frame: Frame, points: Sequence[tuple[float, float]]) -> str:
    return "L".join(f"{frame.x(x):.1f} {frame.y(y):.1f}" for x, y in points)


@dataclass(frozen=True)
class Axis:
    """One of parallel axes.

    Attributes:
        name: Stands above it.
        places: [N], where each line crosses it, from 0 (below) to 1; NaN where a line has no value.
        ticks: Place and text of each mark.
    """

    name: str
    places: Array
    ticks: Sequence[tuple[float, str]]


def number_axis(name: str, values: Array) -> Axis:
    """Return an axis of numbers, logarithmic where they span more than a factor of 10, and most of them are small."""
    known = values[np.isfinite(values)]
    low, high = float(known.min()), float(known.max())
    scale = np.log10 if low > 0 and high / low > 10 and np.median(known) <= SMALL * high else np.asarray
    bottom, top = float(scale(low)), float(scale(high))
    places = (scale(np.where(np.isfinite(values), values, low)) - bottom) / max(top - bottom, 1e-12)
    distinct = np.unique(known).tolist()
    if len(distinct) > 8:
        distinct = log_ticks((low, high), 400) if scale is np.log10 else linear_ticks((low, high))
    ticks = [((float(scale(mark)) - bottom) / max(top - bottom, 1e-12), f"{mark:.4g}") for mark in distinct]
    return Axis(name, np.where(np.isfinite(values), places, np.nan), _apart(ticks))


def _apart(ticks: list[tuple[float, str]]) -> list[tuple[float, str]]:
    """Leave out marks that would be written over each other; the first and the last stay."""
    kept = ticks[:1]
    for place, mark in ticks[1:-1]:
        if place - kept[-1][0] > 0.06 and ticks[-1][0] - place > 0.06:
            kept.append((place, mark))
    return kept + ticks[-1:] if len(ticks) > 1 else kept


def word_axis(name: str, values: Sequence[str | None]) -> Axis:
    """Return an axis of words, evenly apart, in alphabetical order from the top."""
    words = sorted({value for value in values if value is not None}, reverse=True)
    at = {word: (number / (len(words) - 1) if len(words) > 1 else 0.5) for number, word in enumerate(words)}
    places = np.array([np.nan if value is None else at[value] for value in values])
    step = max(1, len(words) // 14)
    return Axis(name, places, [(at[word], word) for word in words[::step]])


def parallel_chart(parallel: Sequence[Axis], styles: Sequence[str], titles: Sequence[str], label: str) -> str:
    """Draw one line per configuration across parallel axes (Inselberg, 1985).

    Args:
        parallel: From left to right.
        styles: CSS class of each line.
        titles: Of each line, shown when pointed at.
        label: Of the picture.
    """
    width = max(COLUMN[0] * len(parallel), min(COLUMN[1] * len(parallel), WIDE))
    height, top, floor, left = 400, 52, 380, 30
    step = (width - left - 95) / max(len(parallel) - 1, 1)
    across = [left + step * number for number in range(len(parallel))]
    heights = np.stack([floor - axis.places * (floor - top) for axis in parallel], axis=1)
    parts = []
    for row, (line, style, title) in enumerate(zip(heights, styles, titles, strict=True)):
        known = [f"{x:.0f} {y:.1f}" for x, y in zip(across, line, strict=True) if np.isfinite(y)]
        path = "L".join(known)
        parts.append(f'<path class="run {style}" data-row="{row}" d="M{path}"><title>{escape(title)}</title></path>')
    for number, (x, axis) in enumerate(zip(across, parallel, strict=True)):
        parts.append(f'<path class="pole" d="M{x:.0f} {top}V{floor}"/>')
        parts.append(_above(x, axis.name, 16 if number % 2 else 34, left))
        for place, mark in axis.ticks:
            y = floor - place * (floor - top)
            parts.append(f'<text class="label" x="{x + 5:.0f}" y="{y + 4:.1f}">{escape(_short(mark, 22))}</text>')
    return svg(width, height, "".join(parts), label, "parallel")


def _above(x: float, name: str, y: float, left: float) -> str:
    """Write the name of an axis above it; names take turns between two lines, so that they have room."""
    anchor = "start" if x <= left else "middle"
    x = max(x - left + 4, 4) if x <= left else x
    return f'<text class="axis" x="{x:.0f}" y="{y}" text-anchor="{anchor}">{escape(_short(name, 30))}<title>{escape(name)}</title></text>'


def _short(words: str, most: int) -> str:
    return words if len(words) <= most else words[: most - 1] + "…"


def difference_bar(
    low: float, mean: float, high: float, span: tuple[float, float], style: str, width: int = 260
) -> str:
    """Draw a difference as a bar from 0, with its interval; what is beyond the scale is cut there."""
    pad, height = 6, 18
    stretch = (width - 2 * pad) / max(span[1] - span[0], 1e-12)
    zero, *at = (pad + (min(max(value, span[0]), span[1]) - span[0]) * stretch for value in (0.0, low, mean, high))
    body = (
        f'<path class="guide" d="M{zero:.1f} 0V{height}"/>'
        f'<rect class="{style}" x="{min(zero, at[1]):.1f}" y="4" width="{abs(at[1] - zero):.1f}" height="10"/>'
        f'<path class="whisker" d="M{at[0]:.1f} 9H{at[2]:.1f}M{at[0]:.1f} 5V13M{at[2]:.1f} 5V13"/>'
    )
    return svg(width, height, body, f"{mean:.4g}, interval {low:.4g} to {high:.4g}", "bar difference")
