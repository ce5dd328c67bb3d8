"""Paired differences between the variants of a grid."""

from __future__ import annotations

from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
import polars as pl
from tqdm import tqdm

from experiments.ablation.grid import Key, Variant
from experiments.ablation.results import Column, Results, Run, Unit
from experiments.ablation.simultaneous import simultaneous
from graphrouter.errors import UserError
from graphrouter.evaluation.bootstrap import draw_weights
from graphrouter.metrics import lower_is_better

Array = np.ndarray
RESAMPLES = 500
SCHEMA = {
    "factor": pl.String,
    "name": pl.String,
    "against_factor": pl.String,
    "against": pl.String,
    "scenario": pl.String,
    "metric": pl.String,
    "units": pl.Int64,
    "mean": pl.Float64,
    "other_mean": pl.Float64,
    "difference": pl.Float64,
    "error": pl.Float64,
    "low": pl.Float64,
    "high": pl.Float64,
    "p": pl.Float64,
    "seed_deviation": pl.Float64,
    "verdict": pl.String,
}


@dataclass(eq=False)
class _Row:
    variant: Key
    other: Key
    column: Column
    mean: Array
    other_mean: Array
    units: int
    by_seed: Array


class Scores:
    """Every run's metrics in the resamples, each computed once.

    The bootstrap is that of `graphrouter.evaluation.bootstrap`: wordings are drawn, together over all seeds, and one draw
    serves all runs, so that differences are paired.
    """

    def __init__(self, results: Results, columns: Iterable[Column], progress: bool = False) -> None:
        self.results, self.columns = results, list(columns)
        self.weights = _weights(results)
        tasks = [(id_, column) for id_ in results.runs for column in self.columns]
        with ThreadPoolExecutor() as threads:
            done = threads.map(self._score, tasks)
            bar = tqdm(done, total=len(tasks), desc="resampling", disable=not progress, leave=False)
            self.values: dict[tuple[str, Column], Array] = dict(zip(tasks, bar, strict=True))

    def _score(self, task: tuple[str, Column]) -> Array:
        run = self.results.runs[task[0]]
        return run.score(task[1], self.weights[run.test_queries])

    def of(self, run: Run, column: Column) -> Array:
        """Return [1 + B], the first of the sample itself."""
        return self.values[run.record["id"], column]


def compare(results: Results, scores: Scores) -> pl.DataFrame:
    """Return one row per difference and metric, with intervals that hold for the whole table at once.

    The differences are means over units: a unit is a seed, or a seed and the task or LLM that was left out. ``low`` and
    ``high`` are simultaneous 95% intervals and ``p`` is adjusted, both over all rows; ``error`` is the bootstrap's standard
    error, and ``seed_deviation`` the standard deviation of the difference over seeds, which shows what training adds to
    it: the bootstrap draws queries, not trainings.

    Raises:
        UserError: If two runs that are compared have other test queries.
    """
    rows = [
        row
        for variant in results.plan.variants.values()
        for other in variant.against
        for column in scores.columns
        if (row := _row(results, scores, variant, results.plan.variants[other], column)) is not None
    ]
    if not rows:
        return pl.DataFrame(schema=SCHEMA)
    resampled = np.stack([row.mean - row.other_mean for row in rows])
    joint = simultaneous(resampled[:, 0], resampled[:, 1:])
    entries = [
        {
            "factor": row.variant[0],
            "name": row.variant[1],
            "against_factor": row.other[0],
            "against": row.other[1],
            "scenario": row.column[0],
            "metric": row.column[1],
            "units": row.units,
            "mean": row.mean[0],
            "other_mean": row.other_mean[0],
            "difference": resampled[place, 0],
            "error": joint.error[place],
            "low": joint.low[place],
            "high": joint.high[place],
            "p": joint.p[place],
            "seed_deviation": float(row.by_seed.std(ddof=1)) if len(row.by_seed) > 1 else None,
            "verdict": verdict(row.column[1], joint.low[place], joint.high[place]),
        }
        for place, row in enumerate(rows)
    ]
    return pl.DataFrame(entries, schema=SCHEMA)


def verdict(metric: str, low: float, high: float) -> str:
    """Return ``better``, ``worse``, or ``unclear`` where the interval holds 0."""
    if low <= 0 <= high:
        return "unclear"
    return "better" if (high < 0) == (lower_is_better(metric)) else "worse"


def _row(results: Results, scores: Scores, variant: Variant, other: Variant, column: Column) -> _Row | None:
    """Compare two variants by one metric; None where no two runs belong together, or they are the same runs."""
    pairs = results.pairs(variant, other)
    if not pairs or all(first is second for first, second in pairs.values()):
        return None
    for first, second in pairs.values():
        if first.test_queries != second.test_queries:
            raise UserError(
                f"{variant.key[1]} and {other.key[1]} must have the same test queries to be compared, but have others; "
                "compare runs of the same log and protocol"
            )
    sides = [np.stack([scores.of(both[side], column) for both in pairs.values()]) for side in (0, 1)]
    if np.isnan(sides[0][:, 0] - sides[1][:, 0]).any():
        return None
    return _Row(
        variant.key,
        other.key,
        column,
        sides[0].mean(axis=0),
        sides[1].mean(axis=0),
        len(pairs),
        _by_seed(pairs, sides[0][:, 0] - sides[1][:, 0]),
    )


def _by_seed(pairs: dict[Unit, tuple[Run, Run]], differences: Array) -> Array:
    seeds = np.array([dict(unit)["seed"] for unit in pairs])
    return np.array([differences[seeds == seed].mean() for seed in np.unique(seeds)])


def _weights(results: Results) -> dict[str, Array]:
    """Return for each set of test queries how often each occurs in each resample, [1 + B, Q]."""
    sets = {run.test_queries: run.queries["group"].to_numpy() for run in results.runs.values()}
    return dict(zip(sets, draw_weights(list(sets.values()), RESAMPLES), strict=True))
