"""The table of the thought level."""

from __future__ import annotations

import math

import polars as pl

from fusion.evaluation.thought import ThoughtLevel
from graphrouter.evaluation.report.numbers import with_interval


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
        cells += [number(row["shown"], 1), number(row["performance"], 4), with_interval(row, "difference")]
        cells += [number(by_domain[domain], 3) for domain in level.domains]
        cells += [_with_extra(row, "input_tokens", 1, 1), _with_extra(row, "output_tokens", 1, 1)]
        rows.append([*cells, _with_extra(row, "cost", 1000, 4)])
    return rows


def _with_extra(row: dict[str, float | None], name: str, factor: float, digits: int) -> str:
    extra = row[f"extra_{name}"]
    text = number(row[name], digits, factor)
    return text if extra is None or math.isnan(extra) else f"{text} ({extra * factor:+.{digits}f})"


def number(value: float | None, digits: int, factor: float = 1) -> str:
    """Return a number with so many digits behind the point, times a factor; a dash where there is none."""
    return "-" if value is None or math.isnan(value) else f"{value * factor:.{digits}f}"


def thought_notes(level: ThoughtLevel) -> str:
    """Say in a few lines what the table holds."""
    return (
        f"{level.log}: {level.queries:,} test queries. The difference is paired, to the same LLM zero-shot, with a 95% "
        "bootstrap interval over queries. In brackets: what the guide adds to the mean tokens and cost of a response."
    )
