"""Small charts as inline SVG: no script, no font and no file from elsewhere. Colours come from the page's CSS."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from html import escape

import numpy as np

Array = np.ndarray


@dataclass(frozen=True)
class Series:
    """One router's points, or those of the LLMs.

    Attributes:
        name: Shown when pointed at.
        cost: [N] in US dollars per 1,000 queries.
        performance: [N], or another measure of quality.
        style: CSS class that gives the colour.
        line: Whether the points are joined.
        marker: ``dot``, ``diamond`` or empty.
        labels: [N] texts beside the points, empty for none.
    """

    name: str
    cost: Array
    performance: Array
    style: str
    line: bool = True
    marker: str = ""
    labels: Sequence[str] = ()


@dataclass(frozen=True)
class Frame:
    """Maps values to pixels, with room for the axes."""

    width: float
    height: float
    x_range: tuple[float, float]
    y_range: tuple[float, float]
    log_x: bool = False
    left: float = 52
    right: float = 12
    top: float = 10
    bottom: float = 42

    def x(self, value: float) -> float:
        """Pixels from the left."""
        low, high, value = (np.log10(v) if self.log_x else v for v in (*self.x_range, value))
        return self.left + (value - low) / (high - low) * (self.width - self.left - self.right)

    def y(self, value: float) -> float:
        """Pixels from the top."""
        low, high = self.y_range
        return self.height - self.bottom - (value - low) / (high - low) * (self.height - self.top - self.bottom)

    def inside(self, x: float, y: float) -> bool:
        """Whether a point in pixels is within the axes."""
        across = self.left - 1 <= x <= self.width - self.right + 1
        return across and self.top - 1 <= y <= self.height - self.bottom + 1


def svg(width: float, height: float, body: str, label: str, style: str = "") -> str:
    """Wrap shapes as one picture with a description for those who do not see it."""
    return (
        f'<svg class="{style}" viewBox="0 0 {width:g} {height:g}" width="{width:g}" height="{height:g}" role="img" '
        f'aria-label="{escape(label)}">{body}</svg>'
    )


def interval_bar(low: float, mean: float, high: float, span: tuple[float, float], style: str) -> str:
    """Draw an interval and its mean on a common scale; what lies outside of the scale ends in an arrow."""
    width, height, pad = 100, 16, 5
    stretch = (width - 2 * pad) / max(span[1] - span[0], 1e-12)
    x = [pad + (min(max(value, span[0]), span[1]) - span[0]) * stretch for value in (low, mean, high)]
    if mean < span[0] or mean > span[1]:
        left = mean < span[0]
        tip, base = (1, 7) if left else (width - 1, width - 7)
        body = f'<path class="{style} fill" d="M{tip} 8L{base} 4V12Z"/>'
    else:
        body = f'<path class="{style}" d="M{x[0]:.1f} 8H{x[2]:.1f}"/><circle class="{style} fill" cx="{x[1]:.1f}" cy="8" r="3.5"/>'
    return svg(width, height, body, f"{mean:.4f}, 95% interval {low:.4f} to {high:.4f}", "bar")


def cost_chart(series: Sequence[Series], width: float, height: float, label: str, y_label: str) -> str:
    """Draw cost (logarithmic) against a measure of quality."""
    shown = [(x, y) for one in series for x, y in zip(one.cost, one.performance, strict=True) if x > 0]
    costs, heights = np.array(shown).T
    margin = max(0.06 * np.ptp(heights), 0.005)
    x_range = (costs.min() / 1.15, costs.max() * 1.15)
    frame = Frame(width, height, x_range, (heights.min() - margin, heights.max() + margin), log_x=True)
    parts = [axes(frame, log_ticks(x_range, width), "US dollars per 1,000 queries", y_label, _dollars)]
    parts += [_draw(frame, one) for one in series]
    parts += _labels(frame, series)
    return svg(width, height, "".join(parts), label, "chart")


def reliability_chart(table: Array, width: float, height: float, label: str) -> str:
    """Draw mean outcome against mean prediction of each bin; the area of a dot is the bin's share of edges."""
    frame = Frame(width, height, (0, 1), (0, 1))
    ticks = [0, 0.25, 0.5, 0.75, 1]
    parts = [axes(frame, ticks, "predicted", "observed", lambda value: f"{value:g}", ticks)]
    parts.append(f'<path class="guide" d="M{frame.x(0):.1f} {frame.y(0):.1f}L{frame.x(1):.1f} {frame.y(1):.1f}"/>')
    total = max(table[:, 0].sum(), 1)
    for edges, predicted, observed in table[table[:, 0] > 0]:
        radius = 1.5 + 11 * np.sqrt(edges / total)
        title = f"{int(edges)} edges: predicted {predicted:.3f}, observed {observed:.3f}"
        parts.append(
            f'<circle class="ours fill soft" cx="{frame.x(predicted):.1f}" cy="{frame.y(observed):.1f}" '
            f'r="{radius:.1f}"><title>{title}</title></circle>'
        )
    return svg(width, height, "".join(parts), label, "chart")


def share_bar(shares: Sequence[tuple[str, float, str]]) -> str:
    """Draw shares that add up to 1 as one stacked bar.

    Args:
        shares: Name, share and CSS class of each part.
    """
    parts, start = [], 0.0
    for name, share, style in shares:
        if share > 0:
            title = escape(f"{name}: {share:.1%}")
            parts.append(
                f'<rect class="{style}" x="{start * 100:.3f}%" width="{share * 100:.3f}%" y="0" height="18">'
                f"<title>{title}</title></rect>"
            )
        start += share
    label = ", ".join(f"{name} {share:.0%}" for name, share, _ in shares if share >= 0.005)
    return (
        f'<svg class="shares" width="100%" height="18" role="img" aria-label="{escape(label)}">{"".join(parts)}</svg>'
    )


def axes(
    frame: Frame,
    x_ticks: Sequence[float],
    x_label: str,
    y_label: str,
    x_format: Callable[[float], str],
    y_ticks: Sequence[float] | None = None,
) -> str:
    """Draw the grid, the ticks and the names of both axes.

    Args:
        frame: Of the chart.
        x_ticks: Values.
        x_label: Name of the axis; so ``y_label``.
        y_label: See ``x_label``.
        x_format: Value to text.
        y_ticks: None for round numbers.
    """
    right, floor = frame.width - frame.right, frame.height - frame.bottom
    parts = []
    for tick in linear_ticks(frame.y_range) if y_ticks is None else y_ticks:
        y = frame.y(tick)
        parts.append(f'<path class="grid" d="M{frame.left} {y:.1f}H{right}"/>')
        parts.append(f'<text class="tick" x="{frame.left - 6}" y="{y + 4:.1f}" text-anchor="end">{tick + 0.0:g}</text>')
    for tick in x_ticks:
        x = frame.x(tick)
        parts.append(f'<path class="grid" d="M{x:.1f} {frame.top}V{floor}"/>')
        parts.append(f'<text class="tick" x="{x:.1f}" y="{floor + 16}" text-anchor="middle">{x_format(tick)}</text>')
    middle = (frame.left + right) / 2
    parts.append(f'<text class="axis" x="{middle:.1f}" y="{frame.height - 8}" text-anchor="middle">{x_label}</text>')
    height = (frame.top + floor) / 2
    parts.append(
        f'<text class="axis" transform="translate(13 {height:.1f}) rotate(-90)" text-anchor="middle">{y_label}</text>'
    )
    return "".join(parts)


def log_ticks(span: tuple[float, float], width: float) -> list[float]:
    """Return round numbers within a range: 1, 2 and 5 times powers of ten, or fewer where they would crowd."""
    low, high = np.floor(np.log10(span[0])), np.ceil(np.log10(span[1]))
    for steps in ((1, 2, 5), (1, 3), (1,)):
        ticks = [step * 10.0**power for power in np.arange(low, high + 1) for step in steps]
        ticks = [tick for tick in ticks if span[0] <= tick <= span[1]]
        if len(ticks) <= width / 62:
            break
    return ticks[:: int(np.ceil(len(ticks) / (width / 62))) or 1]


def linear_ticks(span: tuple[float, float], most: int = 6) -> list[float]:
    """Return round numbers within a range."""
    raw = (span[1] - span[0]) / most
    power = 10.0 ** np.floor(np.log10(raw))
    step = next(power * factor for factor in (1, 2, 2.5, 5, 10) if power * factor >= raw)
    return [float(tick) for tick in np.arange(np.ceil(span[0] / step), np.floor(span[1] / step) + 1) * step]


def _draw(frame: Frame, one: Series) -> str:
    points = [(frame.x(x), frame.y(y)) for x, y in zip(one.cost, one.performance, strict=True) if x > 0]
    title = f"<title>{escape(one.name)}</title>"
    parts = []
    if one.line and len(points) > 1:
        path = "L".join(f"{x:.1f} {y:.1f}" for x, y in points)
        parts.append(f'<path class="{one.style}" d="M{path}">{title}</path>')
    for number, (x, y) in enumerate(points if one.marker else []):
        label = escape(one.labels[number]) if one.labels and one.labels[number] else escape(one.name)
        if one.marker == "diamond":
            shape = f'<path class="{one.style} fill" d="M{x:.1f} {y - 5:.1f}l5 5l-5 5l-5 -5Z">'
        else:
            shape = f'<circle class="{one.style} fill" cx="{x:.1f}" cy="{y:.1f}" r="3.5">'
        parts.append(f"{shape}<title>{label}</title>{'</path>' if one.marker == 'diamond' else '</circle>'}")
    return "".join(parts)


def _labels(frame: Frame, series: Sequence[Series]) -> Iterator[str]:
    """Write the labels of points, each where it covers no other; one without room is left to its title."""
    dots = [
        (frame.x(x), frame.y(y)) for one in series if one.marker for x, y in zip(one.cost, one.performance, strict=True)
    ]
    taken = [(x - 4, y - 4, x + 4, y + 4) for x, y in dots]
    for one in series:
        for x, y, text in zip(one.cost, one.performance, one.labels, strict=False):
            if not text or x <= 0:
                continue
            wide = 6.2 * len(text)
            px, py = frame.x(x), frame.y(y)
            for dx, dy in ((7, 4), (-7 - wide, 4), (6, -6), (-6 - wide, -6), (6, 15), (-6 - wide, 15), (-wide / 2, 19)):
                box = (px + dx, py + dy - 10, px + dx + wide, py + dy + 2)
                fits = frame.inside(box[0], box[1]) and frame.inside(box[2], box[3])
                if fits and not any(_overlap(box, other) for other in taken):
                    taken.append(box)
                    yield f'<text class="label" x="{px + dx:.1f}" y="{py + dy:.1f}">{escape(text)}</text>'
                    break


def _overlap(a: tuple[float, float, float, float], b: tuple[float, float, float, float]) -> bool:
    return a[0] < b[2] and b[0] < a[2] and a[1] < b[3] and b[1] < a[3]


def _dollars(value: float) -> str:
    return f"${value:g}" if 1e-3 <= value < 1e5 else f"${value:.0e}"
