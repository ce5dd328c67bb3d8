"""Rankings by what was observed of each response alone: performance, judge score, and both."""

from __future__ import annotations

import polars as pl

from graphrouter.errors import UserError
from graphrouter.log import LLMLog


def observed_keys(log: LLMLog, ranking: str) -> pl.DataFrame:
    """Return the columns that order the responses, the first column first, higher before lower, null last.

    ``hybrid`` orders by performance and then by judge score. Its score is the performance plus a part of the smallest
    difference between two performances of the log, which grows with the judge score: the same order in one number.

    Args:
        log: R records.
        ranking: ``performance``, ``judge`` or ``hybrid``.

    Returns:
        ``score``, and for ``hybrid`` before it ``performance`` and ``judge`` [R], in the order of ``log.records``.

    Raises:
        UserError: If the ranking needs judge scores and the log has none.
    """
    performance, judge = log.records["performance"], log.records["judge_score"].fill_nan(None)
    if ranking == "performance":
        return pl.DataFrame({"score": performance})
    if judge.null_count() == len(judge):
        raise UserError(
            f"{log.name}: the ranking {ranking!r} needs judge scores, but no record has one; run 'fusion judge' first, "
            "or choose performance or graph"
        )
    if ranking == "judge":
        return pl.DataFrame({"score": judge})
    score = performance + _smallest_step(performance) / 2 * _as_share(judge).fill_null(0.0)
    return pl.DataFrame({"performance": performance, "judge": judge, "score": score})


def _smallest_step(values: pl.Series) -> float:
    """Return the smallest difference between two different values; 1 where all are equal."""
    steps = values.unique().sort().diff().drop_nulls()
    return float(steps.min()) if len(steps) else 1.0  # type: ignore[arg-type]


def _as_share(values: pl.Series) -> pl.Series:
    """Scale values to [0, 1] over the log, null where unknown."""
    low, high = float(values.min()), float(values.max())  # type: ignore[arg-type]
    return (values - low) / (high - low) if high > low else values * 0.0
