"""A rebuilt table: cells, the published number beside each, what differs, as Markdown and CSV."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import polars as pl

from graphrouter.files import replace_file
from graphrouter.markdown import as_markdown
from graphrouter.typing import Record

NOT_FOUND = float("nan")
"""Stands for a published number that no source at hand gives; it is never guessed."""


@dataclass(frozen=True)
class Column:
    """One column.

    Attributes:
        key: Key of the rows' dicts. ``KEY_low`` and ``KEY_high`` are its interval, where a row has one.
        title: As it stands in Markdown.
        digits: Behind the point.
        factor: Factor of the values in Markdown; the CSV holds the values as they are.
        signed: Whether a plus is shown.
        published: Whether the number is a paper's: then NaN is shown as 'not found', and None as nothing, because the
            paper has no such row.
    """

    key: str
    title: str
    digits: int = 4
    factor: float = 1
    signed: bool = False
    published: bool = False

    def cell(self, row: Record) -> str:
        """Return a row's cell as text."""
        value, low, high = row.get(self.key), row.get(f"{self.key}_low"), row.get(f"{self.key}_high")
        if value is None or isinstance(value, str):
            return value or ""
        if math.isnan(value):
            return "not found" if self.published else "-"
        text = self._number(value)
        if low is None or math.isnan(low):
            return text
        return f"{text} [{self._number(low)}, {self._number(high)}]"  # type: ignore[arg-type]

    def _number(self, value: float) -> str:
        return f"{value * self.factor:{'+' if self.signed else ''}.{self.digits}f}"


@dataclass
class PaperTable:
    """A rebuilt table.

    Attributes:
        name: Name of the script, and of the files that are written.
        title: Title, with the paper.
        log: Log that it was rebuilt from.
        columns: In order.
        rows: By column key; further keys go to the CSV only.
        claims: Statements of the paper that are no cell, each with what came out here.
        differs: How the setting differs from the published one, and what that does, where it is known.
        sources: Where the published numbers stand: paper, table, row, and through what they were read.
    """

    name: str
    title: str
    log: str
    columns: Sequence[Column]
    rows: list[Record]
    claims: list[str] = field(default_factory=list)
    differs: list[str] = field(default_factory=list)
    sources: list[str] = field(default_factory=list)

    def markdown(self) -> str:
        """Return the table with its notes."""
        rows = [[column.title for column in self.columns]]
        rows += [[column.cell(row) for column in self.columns] for row in self.rows]
        lines = [f"# {self.title}", "", f"Rebuilt from {self.log}.", "", as_markdown(rows, len(self.columns))]
        for heading, notes in (
            ("What the paper says, and what came out here", self.claims),
            ("What differs", self.differs),
            ("Published numbers", self.sources),
        ):
            if notes:
                lines += ["", f"## {heading}", "", *(f"- {note}" for note in notes)]
        return "\n".join(lines)

    def frame(self) -> pl.DataFrame:
        """Return the rows as a table; a number that was not found is null."""
        keys = list(dict.fromkeys(key for row in self.rows for key in _with_bounds(row, self.columns)))
        columns = {key: [_plain(row.get(key)) for row in self.rows] for key in keys}
        return pl.DataFrame({key: pl.Series(key, values, strict=False) for key, values in columns.items()})

    def save(self, out: Path) -> None:
        """Write ``NAME.md`` and ``NAME.csv``, each whole or not at all."""
        replace_file(out / f"{self.name}.md", f"{self.markdown()}\n".encode())
        replace_file(out / f"{self.name}.csv", self.frame().write_csv().encode())


def _with_bounds(row: Mapping[str, Any], columns: Sequence[Column]) -> list[str]:
    ordered = [key for column in columns for key in (column.key, f"{column.key}_low", f"{column.key}_high")]
    return [*(key for key in ordered if key in row), *(key for key in row if key not in ordered)]


def _plain(value: Any) -> Any:
    return None if isinstance(value, float) and math.isnan(value) else value
