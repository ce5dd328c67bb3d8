"""Where the labels of points go."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise

import numpy as np

from graphrouter.typing import Array

LETTER = 6.2
"""Width in pixels of a letter of a label, about: of 11 px, in most sans-serif fonts."""


def place_labels(
    points: Sequence[Array], texts: Sequence[Sequence[str]], paths: Sequence[Array], width: float, height: float
) -> Iterator[tuple[float, float, str]]:
    """Place the labels of points where they cover neither each other nor a point, and rather no line.

    Where no place is free of lines, one that only crosses lines is taken; a label without room is left to its point.

    Args:
        points: Points of each series, [N, 2] in pixels from the left and the top.
        texts: Texts of each series, [N], empty where a point has none.
        paths: Path of each line, [N, 2] in pixels.
        width: Width of the plot, in pixels.
        height: Likewise.

    Yields:
        Left end and middle of a label in pixels, and its text.
    """
    taken = [(x - 4, y - 4, x + 4, y + 4) for x, y in np.concatenate([np.zeros((0, 2)), *points])]
    crossed = np.concatenate([np.zeros((0, 2)), *(_along(path) for path in paths if len(path) > 1)])
    for (px, py), text in (
        (point, text) for pair in zip(points, texts, strict=True) for point, text in zip(*pair, strict=False)
    ):
        wide = LETTER * len(text)
        near = ((7, 4), (-7 - wide, 4), (6, -6), (-6 - wide, -6), (6, 15), (-6 - wide, 15), (-wide / 2, 19))
        boxes = [(px + dx, py + dy - 10, px + dx + wide, py + dy + 2) for dx, dy in near] if text else []
        free = [box for box in boxes if _inside(box, width, height) and not any(_overlap(box, one) for one in taken)]
        clear = [box for box in free if not _hit(box, crossed)]
        if box := next(iter(clear + free), None):
            taken.append(box)
            yield float(box[0]), float((box[1] + box[3]) / 2), text


def _along(path: Array) -> Array:
    """Return points along a path, 4 pixels apart, about."""
    parts = []
    for (x0, y0), (x1, y1) in pairwise(path):
        steps = max(int(np.hypot(x1 - x0, y1 - y0) / 4), 1) + 1
        parts.append(np.column_stack([np.linspace(x0, x1, steps), np.linspace(y0, y1, steps)]))
    return np.concatenate(parts)


def _inside(box: tuple[float, ...], width: float, height: float) -> bool:
    return box[0] >= 0 and box[1] >= 0 and box[2] <= width and box[3] <= height


def _overlap(a: tuple[float, ...], b: tuple[float, ...]) -> bool:
    return a[0] < b[2] and b[0] < a[2] and a[1] < b[3] and b[1] < a[3]


def _hit(box: tuple[float, ...], points: Array) -> bool:
    within = (points[:, 0] > box[0]) & (points[:, 0] < box[2]) & (points[:, 1] > box[1]) & (points[:, 1] < box[3])
    return bool(within.any())
