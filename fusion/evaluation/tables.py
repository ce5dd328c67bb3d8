"""The tables of the model level, and of all levels."""

from __future__ import annotations

import math

import polars as pl

from fusion.evaluation.text import number
from graphrouter.evaluation.report.numbers import with_interval

KINDS = {"llm": 0, "router": 1, "guide": 2, "base": 3, "student": 4}


def score_table(scores: pl.DataFrame, scope: str = "domain") -> list[list[str]]:
    """Return the head and the rows of a table: candidates, best last within their kind, by domain or by task.

    Args:
        scores: See `fusion.evaluation.scoring.score`.
        scope: ``domain`` or ``task``: what the further columns are.
    """
    names = scores.filter(pl.col("scope") == scope)["name"].unique(maintain_order=True).to_list()
    head = ["candidate", "level", "performance, 95% interval", *names, "input tokens", "output tokens", "$ per 1,000"]
    whole = scores.filter(pl.col("scope") == "all")
    order = sorted(whole.iter_rows(named=True), key=lambda row: (KINDS[row["kind"]], row["performance"]))
    by_name = {
        (row["candidate"], row["name"]): row["performance"]
        for row in scores.filter(pl.col("scope") == scope).iter_rows(named=True)
    }
    rows = [head]
    for row in order:
        level = row["level"] if row["kind"] != "base" else "base"
        cells = [row["candidate"], level, f"{row['performance']:.4f} [{row['low']:.4f}, {row['high']:.4f}]"]
        cells += [number(by_name[row["candidate"], name], 3) for name in names]
        cells += [number(row["input_tokens"], 1), number(row["output_tokens"], 1), number(row["cost"], 4, 1000)]
        rows.append(cells)
    return rows


def difference_table(differences: pl.DataFrame, scope: str = "domain") -> list[list[str]]:
    """Return the head and the rows of a table of paired differences; a star marks those whose interval leaves out 0."""
    names = differences.filter(pl.col("scope") == scope)["name"].unique(maintain_order=True).to_list()
    rows = [["candidate", "against", "difference, 95% interval", *names]]
    cells = {
        (row["candidate"], row["against"], row["name"]): _starred(row)
        for row in differences.filter(pl.col("scope") == scope).iter_rows(named=True)
    }
    for row in differences.filter(pl.col("scope") == "all").iter_rows(named=True):
        pair = row["candidate"], row["against"]
        rows.append([*pair, with_interval(row, "difference", "low", "high"), *(cells[*pair, name] for name in names)])
    return rows


def _starred(row: dict[str, float]) -> str:
    if math.isnan(row["difference"]):
        return "-"
    return f"{row['difference']:+.3f}{'*' if row['low'] > 0 or row['high'] < 0 else ''}"
