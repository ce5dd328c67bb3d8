"""Ticks of axes, and parallel axes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from graphrouter.typing import Array

SMALL = 0.3
"""Share of the highest value; where the median is below it, as of values drawn on a logarithmic scale, so is the axis."""


def log_ticks(span: tuple[float, float], width: float) -> list[float]:
    """Return round numbers within a range: 1, 2 and 5 times powers of ten, or fewer where they would crowd."""
    low, high = np.floor(np.log10(span[0])), np.ceil(np.log10(span[1]))
    room = max(width / 66, 2)
    for steps in ((1, 2, 5), (1, 3), (1,)):
        ticks = [round(step * 10.0**power, 12) for power in np.arange(low, high + 1) for step in steps]
        ticks = [tick for tick in ticks if span[0] <= tick <= span[1]]
        if len(ticks) <= room:
            break
    return ticks[:: int(np.ceil(len(ticks) / room)) or 1]


def linear_ticks(span: tuple[float, float], most: int = 6) -> list[float]:
    """Return round numbers within a range."""
    raw = (span[1] - span[0]) / max(most, 1)
    power = 10.0 ** np.floor(np.log10(raw))
    step = next(power * factor for factor in (1, 2, 2.5, 5, 10) if power * factor >= raw * (1 - 1e-9))
    ticks = np.arange(np.ceil(span[0] / step), np.floor(span[1] / step) + 1) * step
    return [float(tick) for tick in ticks.round(12)]


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


def axis_range(values: Sequence[Array], log: bool = False) -> tuple[float, float]:
    """Return the range of an axis, with a margin."""
    known = np.concatenate(list(values))
    known = known[np.isfinite(known)]
    low, high = (float(known.min()), float(known.max())) if len(known) else (0.0, 1.0)
    if log:
        return low / 1.15, high * 1.15
    margin = max(0.06 * (high - low), 1e-3 * max(abs(high), 1e-3))
    return low - margin, high + margin
