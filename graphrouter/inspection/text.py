"""Figures as aligned plain text."""

from __future__ import annotations

import math

import polars as pl

Cell = str | float | None

HEADINGS = {"cost": "$ per 1,000", "size_b": "size (B)", "input_price": "$/M in", "output_price": "$/M out"}


def pairs(figures: dict[str, int] | dict[str, float]) -> str:
    """Return one line per figure: its name and its value."""
    return "\n".join(f"  {name} {_cell(name, value)}" for name, value in figures.items())


def table(frame: pl.DataFrame) -> str:
    """Return the rows with aligned columns: text to the left, numbers to the right, ``-`` where there is none."""
    columns = []
    for name, kind in frame.schema.items():
        cells = [HEADINGS.get(name, name), *(_cell(name, value) for value in frame[name])]
        width = max(map(len, cells))
        columns.append([cell.ljust(width) if kind == pl.String else cell.rjust(width) for cell in cells])
    return "\n".join("  " + "  ".join(row).rstrip() for row in zip(*columns, strict=True))


def _cell(name: str, value: Cell) -> str:
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return "-"
    if isinstance(value, float):
        if name == "cost":
            return f"{1000 * value:.3g}"
        return f"{value:g}" if name in HEADINGS else f"{value:.3f}"
    return f"{value:,}" if isinstance(value, int) else value
