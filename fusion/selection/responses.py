"""Rules that compare a response with others: of a usual length, and unlike those that are ranked before it."""

from __future__ import annotations

import polars as pl

from fusion.selection.context import Context
from fusion.selection.texts import alike, shingles
from graphrouter.splits import query_groups

ENOUGH = 5
"""Responses to a query from which it has a reference length of its own."""


def of_usual_length(rows: pl.DataFrame, context: Context) -> pl.DataFrame:
    """Drop responses that are far longer or shorter than their reference length.

    A task's reference length is the median of its right responses; a query with `ENOUGH` of them has one of its own too. A
    response must be too long, or too short, by both, so that a hard query may have long answers.
    """
    task = pl.col("chars").median().over("task")
    query = pl.when(pl.len().over("query_id") >= ENOUGH).then(pl.col("chars").median().over("query_id")).otherwise(task)
    most = pl.max_horizontal(task, query) * context.settings.longest
    least = pl.min_horizontal(task, query) * context.settings.shortest
    return rows.filter(pl.col("chars").is_between(least, most))


def without_duplicates(rows: pl.DataFrame, context: Context) -> pl.DataFrame:
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
        if not any(alike(found, other, context.settings.overlap) for other in seen):
            seen.append(found)
            kept.append(row)
    return rows[sorted(kept)]
