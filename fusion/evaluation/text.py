"""The tables of an evaluation as plain text, Markdown and CSV."""

from __future__ import annotations

import math
from collections.abc import Sequence

import polars as pl

from fusion.evaluation.thought import ThoughtLevel

Rows = Sequence[Sequence[str]]


def thought_table(level: ThoughtLevel) -> list[list[str]]:
    """Return the head and the rows of the table: LLMs, their guides, and performance overall and per domain."""
    head = ["LLM", "guide", "ranking", "shown", "performance", "difference, 95% interval", *level.domains]
    head += ["input tokens", "output tokens", "$ per 1,000"]
    rows = [head]
    for row in level.table.filter(pl.col("domain").is_null()).iter_rows(named=True):
        same = (pl.col("llm") == row["llm"]) & pl.col("guide").eq_missing(row["guide"])
        by_domain = dict(level.table.filter(same).select("domain", "performance").iter_rows())
        guide = row["guide"] or "zero-shot"
        cells = [row["llm"], f"{guide} ({row['kind']})" if row["guide"] else guide, row["ranking"] or ""]
        cells += [number(row["shown"], 1), number(row["performance"], 4), _difference(row)]
        cells += [number(by_domain[domain], 3) for domain in level.domains]
        cells += [_with_extra(row, "input_tokens", 1, 1), _with_extra(row, "output_tokens", 1, 1)]
        rows.append([*cells, _with_extra(row, "cost", 1000, 4)])
    return rows


def _difference(row: dict[str, float | None]) -> str:
    if row["difference"] is None:
        return ""
    return f"{row['difference']:+.4f} [{row['difference_low']:+.4f}, {row['difference_high']:+.4f}]"


def _with_extra(row: dict[str, float | None], name: str, factor: float, digits: int) -> str:
    extra = row[f"extra_{name}"]
    text = number(row[name], digits, factor)
    return text if extra is None or math.isnan(extra) else f"{text} ({extra * factor:+.{digits}f})"


def number(value: float | None, digits: int, factor: float = 1) -> str:
    """Return a number with so many digits behind the point, times a factor; a dash where there is none."""
    return "-" if value is None or math.isnan(value) else f"{value * factor:.{digits}f}"


def as_text(rows: Rows, left: int = 3) -> str:
    """Return a table as aligned lines; the first columns are aligned at the left."""
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    lines = []
    for row in rows:
        cells = [
            cell.ljust(width) if column < left else cell.rjust(width)
            for column, (cell, width) in enumerate(zip(row, widths, strict=True))
        ]
        lines.append("  ".join(cells).rstrip())
    return "\n".join([lines[0], "-" * max(map(len, lines)), *lines[1:]])


def thought_notes(level: ThoughtLevel) -> str:
    """Say in a few lines what the table holds."""
    return (
        f"{level.log}: {level.queries:,} test queries. The difference is paired, to the same LLM zero-shot, with a 95% "
        "bootstrap interval over queries. In brackets: what the guide adds to the mean tokens and cost of a response."
    )
