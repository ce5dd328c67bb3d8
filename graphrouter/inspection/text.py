"""Figures as aligned plain text."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

import numpy as np
import polars as pl

from graphrouter.errors import printable

Cell = str | float | None

HEADINGS = {"cost": "$ per 1,000", "size_b": "size (B)", "input_price": "$/M in", "output_price": "$/M out"}


def pairs(figures: dict[str, int] | dict[str, float]) -> str:
    """Return one line per figure: its name and its value."""
    return "\n".join(f"  {name} {_cell(name, value)}" for name, value in figures.items())


def table(frame: pl.DataFrame) -> str:
    """Return the rows with aligned columns: text to the left, numbers to the right, ``-`` where there is none."""
    return _aligned(
        ([HEADINGS.get(name, name), *(_cell(name, value) for value in frame[name])], kind == pl.String)
        for name, kind in frame.schema.items()
    )


def matrix(rows: Sequence[str], columns: Sequence[str], values: np.ndarray) -> str:
    """Return a number for each LLM and column, whatever these are called.

    Args:
        rows: M names of LLMs.
        columns: C names.
        values: [M, C].
    """
    numbers = (
        ([name, *(_cell("", float(value)) for value in values[:, at])], False) for at, name in enumerate(columns)
    )
    return _aligned([(["llm", *rows], True), *numbers])


def _aligned(columns: Iterable[tuple[list[str], bool]]) -> str:
    """Return columns side by side; each comes with whether it is text."""
    padded = []
    for cells, is_text in columns:
        cells = [printable(cell) for cell in cells]
        width = max(map(len, cells))
        padded.append([cell.ljust(width) if is_text else cell.rjust(width) for cell in cells])
    return "\n".join("  " + "  ".join(row).rstrip() for row in zip(*padded, strict=True))


def _cell(name: str, value: Cell) -> str:
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return "-"
    if isinstance(value, float):
        if name == "cost":
            return f"{1000 * value:.3g}"
        return f"{value:g}" if name in HEADINGS else f"{value:.3f}"
    return f"{value:,}" if isinstance(value, int) else value
