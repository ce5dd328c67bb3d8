"""Paired differences between the variants of a grid."""

from __future__ import annotations

from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import polars as pl
from tqdm import tqdm

from experiments.ablation.grid import Variant
from experiments.ablation.results import Column, Results
from graphrouter.errors import UserError
from graphrouter.evaluation.differences import Pair, differences
from graphrouter.evaluation.finished import FinishedRun
from graphrouter.evaluation.rows import ResampledTables
from graphrouter.typing import Array

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


class Scores:
    """Every run's metrics in the resamples, each computed once.

    Args:
        results: Runs.
        columns: Metrics.
        progress: Whether to show a bar.
    """

    def __init__(self, results: Results, columns: Iterable[Column], progress: bool = False) -> None:
        self.results, self.columns = results, list(columns)
        self.resampled = ResampledTables({id_: run.queries for id_, run in results.runs.items()}, RESAMPLES)
        tasks = [(id_, column) for id_ in results.runs for column in self.columns]
        with ThreadPoolExecutor() as threads:
            done = threads.map(self._score, tasks)
            bar = tqdm(done, total=len(tasks), desc="resampling", disable=not progress, leave=False)
            self.values: dict[tuple[str, Column], Array] = dict(zip(tasks, bar, strict=True))

    def _score(self, task: tuple[str, Column]) -> Array:
        id_, (scenario, metric) = task
        if metric == "auroc":
            return self.results.runs[id_].auroc(self.resampled.weights(id_))
        return self.resampled.score(id_, f"{metric}:{scenario}" if scenario else metric)

    def alike(self, one: FinishedRun, other: FinishedRun) -> bool:
        """Whether two runs have the same test queries."""
        return self.resampled.queries[one.record["id"]] == self.resampled.queries[other.record["id"]]

    def of(self, run: FinishedRun, column: Column) -> Array:
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
    found = [
        (variant.key, other.key, column, pair)
        for variant in results.plan.variants.values()
        for other in map(results.plan.variants.__getitem__, variant.against)
        for column in scores.columns
        if (pair := _pair(results, scores, variant, other, column)) is not None
    ]
    entries = []
    for (key, other, column, pair), row in zip(found, differences([pair for *_, pair in found]), strict=True):
        numbers = (row.mean, row.other_mean, row.value, row.error, row.low, row.high, row.p)
        deviation = None if np.isnan(row.deviation) else row.deviation
        entries.append((*key, *other, *column, len(pair.seeds), *numbers, deviation, row.verdict))
    return pl.DataFrame(entries, schema=SCHEMA, orient="row")


def _pair(results: Results, scores: Scores, variant: Variant, other: Variant, column: Column) -> Pair | None:
    """Return two variants side by side in one metric; None where no two runs belong together, or they are the same runs."""
    pairs = results.pairs(variant, other)
    if not pairs or all(first is second for first, second in pairs.values()):
        return None
    for first, second in pairs.values():
        if not scores.alike(first, second):
            raise UserError(
                f"{variant.key[1]} and {other.key[1]} must have the same test queries to be compared, but have others; "
                "compare runs of the same log and protocol"
            )
    one, two = (np.stack([scores.of(both[side], column) for both in pairs.values()]) for side in (0, 1))
    if np.isnan(one[:, 0] - two[:, 0]).any():
        return None
    return Pair(one, two, column[1], np.array([dict(unit)["seed"] for unit in pairs]))
