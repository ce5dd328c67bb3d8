"""The cells of the table of an ablation."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import polars as pl

from experiments.ablation.results import Column
from graphrouter.evaluation.report.numbers import with_interval
from graphrouter.metrics import lower_is_better

Rows = list[list[str]]
LEFT = 3
"""Columns that hold words."""
NOTE = (
    "Paired differences to the variant named under 'against', means over seeds. The intervals hold for all entries of the "
    "table at once with a chance of 95% (bootstrap over text groups, maximum statistic); a star marks those without 0: * "
    "better, † worse."
)


def cells_of(table: pl.DataFrame, columns: Sequence[Column]) -> Rows:
    """Return the head, the means of the base, and one row per difference.

    Args:
        table: From `experiments.ablation.comparing.compare`.
        columns: The metrics, in order.
    """
    rows = [["factor", "difference", "against", *(title(column) for column in columns)]]
    entries = {
        (row["factor"], row["name"], row["against_factor"], row["against"], row["scenario"], row["metric"]): row
        for row in table.iter_rows(named=True)
    }
    keys = list(dict.fromkeys(key[:4] for key in entries))
    for other in dict.fromkeys(key[2:4] for key in keys):
        means = [_mean(next((e for k, e in entries.items() if k[2:4] == other and k[4:] == c), None)) for c in columns]
        rows.append([other[0], f"{other[1]} (mean)", "", *means])
        for key in (key for key in keys if key[2:4] == other):
            rows.append([key[0], key[1], _name(other), *(_difference(entries.get((*key, *c))) for c in columns)])
    return rows


def title(column: Column) -> str:
    """Return the head of a column, with an arrow to where it is better."""
    arrow = "↓" if lower_is_better(column[1]) else "↑"
    return f"{column[0]} {column[1]} {arrow}".strip()


def _name(key: tuple[str, str]) -> str:
    return f"{key[0]}: {key[1]}" if key[0] else key[1]


def _mean(entry: dict[str, Any] | None) -> str:
    return "" if entry is None else f"{entry['other_mean']:.4f}"


def _difference(entry: dict[str, Any] | None) -> str:
    if entry is None:
        return ""
    mark = {"better": " *", "worse": " †"}.get(entry["verdict"], "")
    return f"{with_interval(entry, 'difference', 'low', 'high')}{mark}"
