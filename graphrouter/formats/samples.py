"""A performance that is a share of n samples that were right -> n draws, right or wrong, that say the same."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import polars as pl

from graphrouter.errors import UserError, shown, suggest
from graphrouter.log import LLMLog

MOST = 1000
"""Most samples of a cell, as in `graphrouter.simulate`."""
ROUNDING = 1e-3
"""How far a share times the number of samples may be from a whole number: shares are often in single precision, or rounded."""


def split_samples(log: LLMLog, samples: Mapping[str, int]) -> LLMLog:
    """Return the log with its shares of right samples as draws of performance 1 and 0, those of 1 first.

    The mean of a cell stays, and how sure it is becomes known: to routers that weigh draws, and to
    `graphrouter.noise.noise_budget`. Costs, tokens and other columns of a record are repeated, so their means stay too.

    Args:
        log: One record per cell in the tasks that are named.
        samples: By task, the number of samples that a performance is the share of.

    Raises:
        UserError: If a task is unknown, a number is out of range, or a performance is no share of so many.
    """
    for task, count in samples.items():
        if task not in log.tasks:
            raise UserError(
                f"samples must be of tasks of {log.name}, but {shown(task)} is none{suggest(task, list(log.tasks))}"
            )
        if not 2 <= count <= MOST:
            raise UserError(f"the samples of {task} must be 2 to {MOST}, but are {count}")
    known = pl.DataFrame(
        {"task": list(samples), "samples": list(samples.values())}, schema_overrides={"task": pl.String}
    )
    told = log.queries.select("query_id", "task").join(known, on="task").drop("task")
    split = log.records.join(told, on="query_id", maintain_order="left")
    right = pl.col("performance") * pl.col("samples")
    _check(log, split.with_columns(right=right))
    draws = split.with_columns(right=right.round(), draw=pl.int_ranges(pl.col("samples"))).explode("draw")
    draws = draws.with_columns(performance=(pl.col("draw") < pl.col("right")).cast(pl.Float64)).drop("right", "samples")
    others = log.records.join(told, on="query_id", how="anti")
    return replace(log, records=pl.concat([others, draws.select(others.columns)]))


def _check(log: LLMLog, split: pl.DataFrame) -> None:
    several = split.filter(pl.struct("query_id", "llm").is_duplicated())
    if several.height:
        raise UserError(
            f"a task that is split must have one record per cell, but {log.name} has several of query "
            f"{shown(several['query_id'][0])}, LLM {shown(several['llm'][0])}; its draws are known, leave the task out"
        )
    off = split.filter((pl.col("right") - pl.col("right").round()).abs() > ROUNDING)
    if off.height:
        raise UserError(
            f"a performance must be a share of {off['samples'][0]} samples, but is {off['performance'][0]:g} for query "
            f"{shown(off['query_id'][0])}, LLM {shown(off['llm'][0])}; name the number that there were"
        )
