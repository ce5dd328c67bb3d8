"""Rules that compare a response with others: of a usual length, and unlike those that are ranked before it."""

from __future__ import annotations

import polars as pl

from fusion.selection.inputs import SelectionInputs
from fusion.selection.texts import alike, shingles
from graphrouter.splits import query_groups

ENOUGH = 5
"""Responses to a query from which it has a reference length of its own: quartiles of fewer are luck. Not tuned."""


def of_usual_length(rows: pl.DataFrame, inputs: SelectionInputs) -> pl.DataFrame:
    """Drop responses that are far longer or shorter than the reference length.

    The reference is the middle half of a task's right responses: a response may be as long as a multiple of their upper
    quartile, and as short as a share of the lower one, so that a task may have short and reasoned answers. A query with
    `ENOUGH` right responses has a reference of its own too, and a response must be out of both to be dropped, so that a
    hard query may have long answers.
    """
    own = pl.len().over("query_id") >= ENOUGH
    lower, upper = _quartile(0.25, own), _quartile(0.75, own)
    most = pl.max_horizontal(upper) * inputs.settings.longest
    least = pl.min_horizontal(lower) * inputs.settings.shortest
    return rows.filter(pl.col("chars").is_between(least, most))


def _quartile(share: float, own: pl.Expr) -> list[pl.Expr]:
    """Return a quartile of the lengths of the task and, where it has enough responses, of the query."""
    length = pl.col("chars").quantile(share, "linear")
    return [length.over("task"), pl.when(own).then(length.over("query_id"))]


def without_duplicates(rows: pl.DataFrame, inputs: SelectionInputs) -> pl.DataFrame:
    """Drop a response that is nearly equal to a better ranked one to the same query, or to one of the same wording."""
    queries = rows.select("query_id", "query").unique("query_id")
    groups = queries.select("query_id", group=pl.Series(query_groups(queries["query"])))
    ordered = rows.with_row_index("row").join(groups, on="query_id").sort("group", "rank", "query_id", "llm", "draw")
    kept: list[int] = []
    group, seen = None, list[frozenset[str]]()
    for row, here, response in ordered.select("row", "group", "response").iter_rows():
        if here != group:
            group, seen = here, []
        found = shingles(response)
        if not any(alike(found, other, inputs.settings.overlap) for other in seen):
            seen.append(found)
            kept.append(row)
    return rows[sorted(kept)]
