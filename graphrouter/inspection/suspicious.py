"""Look for what is odd in a log: leaks, failed parsing, copies, and columns that say nothing."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import polars as pl

from graphrouter.inspection.columns import constant_tokens, missing_outcomes, near_names, null_columns
from graphrouter.log import LLMLog
from graphrouter.log_checks import MOST
from graphrouter.splits import query_groups
from graphrouter.typing import Array

LEAK = 0.999
"""A numeric column that correlates so with performance is a copy of it."""
FAILED = 0.25
"""An LLM that has fallen on a task to this share of its usual standing is likely to have failed at the format."""
HARD = 0.1
"""A task where the median LLM is below this tells nothing about formats."""
ENOUGH = 10
"""Records below which a pattern is put down to chance."""


def find_suspicious(log: LLMLog, members: dict[str, Array], by_task: Array) -> list[str]:
    """Describe what is odd, one sentence each.

    Args:
        log: Q queries, M LLMs.
        members: Rows of the queries of each task.
        by_task: [T, M] mean performance, NaN where there is no record.
    """
    checks = (_queries(log), _constant(log, members), _copies(log), _leaks(log), _failures(log, members, by_task))
    columns = (_costs(log), _responses(log), constant_tokens(log), missing_outcomes(log))
    return [line for check in (*checks, *columns, near_names(log), null_columns(log)) for line in check]


def _queries(log: LLMLog) -> Iterator[str]:
    unscored = log.queries.filter(pl.Series(log.cells("draws").sum(axis=1) == 0))
    if unscored.height:
        yield f"{unscored.height} queries have no record, first {unscored['query_id'][0]!r}; they are not trained or tested on"
    groups = query_groups(log.queries["query"])
    if len(np.unique(groups)) < len(groups):
        repeated = log.queries.filter(pl.Series(groups).is_duplicated())
        yield f"{repeated.height} queries share their text with another, first {repeated['query_id'][0]!r}; splits keep them together"
        spelled = log.queries.select(group=pl.Series(groups), text=pl.col("query").str.strip_chars())
        several = spelled.filter(pl.col("text").n_unique().over("group") > 1)["group"].n_unique()
        if several:
            yield f"{several} texts are spelled in several ways that differ in case, white space, width or punctuation only"
    if len(log.llm_names) == 1:
        yield f"there is one LLM only, {log.llm_names[0]!r}; nothing can be routed"


def _constant(log: LLMLog, members: dict[str, Array]) -> Iterator[str]:
    performance = log.cells("performance")
    for place, llm in enumerate(log.llm_names):
        seen = performance[~np.isnan(performance[:, place]), place]
        if not len(seen):
            yield f"{llm} has no record"
        elif len(seen) >= ENOUGH and np.ptp(seen) == 0:
            yield f"{llm} has the performance {seen[0]:g} in all its {len(seen)} cells"
    for task, rows in members.items():
        seen = performance[rows][~np.isnan(performance[rows])]
        if len(seen) >= ENOUGH and np.ptp(seen) == 0:
            yield f"task {task} has the performance {seen[0]:g} in all its {len(seen)} cells"
        texts = len(np.unique(query_groups(log.queries["query"][rows])))
        if texts < 2:
            yield f"task {task} has {texts} differently worded query; it cannot be learnt and tested"


def _copies(log: LLMLog) -> Iterator[str]:
    performance = log.cells("performance")
    first: dict[bytes, str] = {}
    for place, llm in enumerate(log.llm_names):
        column = np.ascontiguousarray(performance[:, place])
        if (~np.isnan(column)).sum() < ENOUGH:
            continue
        other = first.setdefault(column.tobytes(), llm)
        if other != llm:
            yield f"{llm} has the same performance as {other} in every cell"


def _leaks(log: LLMLog) -> Iterator[str]:
    for name, kind in log.records.schema.items():
        if name in ("performance", "draw") or not kind.is_numeric():
            continue
        known = log.records.select("performance", pl.col(name).cast(pl.Float64)).drop_nulls().to_numpy()
        known = known[(np.abs(known) <= MOST).all(axis=1)]
        if len(known) < ENOUGH or (np.ptp(known, axis=0) == 0).any():
            continue
        correlation = float(np.corrcoef(known.T)[0, 1])
        if abs(correlation) >= LEAK:
            yield f"records: {name} correlates with performance by {correlation:.4f} where it is known; as a feature it would leak"


def _failures(log: LLMLog, members: dict[str, Array], by_task: Array) -> Iterator[str]:
    """Yield the LLMs that fall far below their usual standing, relative to the median LLM, on some tasks."""
    seen = ~np.isnan(log.cells("performance"))
    enough = np.stack([seen[rows].sum(axis=0) >= ENOUGH for rows in members.values()])
    typical = np.array([np.median(row[~np.isnan(row)]) if (~np.isnan(row)).any() else 0.0 for row in by_task])
    standing = np.where(enough & (typical >= HARD)[:, None], by_task / np.maximum(typical, HARD)[:, None], np.nan)
    for place, llm in enumerate(log.llm_names):
        column = standing[:, place]
        known = np.flatnonzero(~np.isnan(column))
        fallen = (
            [t for t in known if column[t] < FAILED * np.median(column[known[known != t]])] if len(known) > 1 else []
        )
        if fallen:
            names = list(members)
            cases = ", ".join(f"{by_task[t, place]:.3f} on {names[t]} (median LLM {typical[t]:.3f})" for t in fallen)
            yield f"{llm} has {cases}, far below its usual standing; were its answers parsed?"


def _costs(log: LLMLog) -> Iterator[str]:
    cost = log.cells("cost")
    known = ~np.isnan(cost)
    if known.any() and not cost[known].any():
        yield "cost is 0 in every record"
        return
    for place, llm in enumerate(log.llm_names):
        if known[:, place].any() and not cost[known[:, place], place].any():
            yield f"{llm} has cost 0 in all its records"


def _responses(log: LLMLog) -> Iterator[str]:
    empty = log.records.filter(pl.col("response_chars") == 0)
    if empty.height:
        most = empty["llm"].value_counts().sort("count", "llm", descending=[True, False])
        yield f"{empty.height} responses are empty, most of them ({most['count'][0]}) by {most['llm'][0]}"
