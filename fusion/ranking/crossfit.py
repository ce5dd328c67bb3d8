"""Predictions for every (query, LLM) edge by the GNN and the task's mean, both fitted without the query."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

import joblib
import numpy as np
import torch
from tqdm import tqdm

from graphrouter.config import make_router
from graphrouter.dataset import RoutingData
from graphrouter.errors import UserError
from graphrouter.routers.gnn import GNN
from graphrouter.routers.parts.task_means import TaskMeans
from graphrouter.run import RunOptions
from graphrouter.training import pick_device
from graphrouter.typing import Array

FoldStatistics = tuple[Array, Array, Array]
"""Statistics of a fold's queries: task means, qualities and spreads, [F, M] each."""

VALIDATION = 8
"""Number of parts of the queries that a GNN is fitted on, one of which stops its training early. Not tuned."""

LARGE = 20_000
"""Observed edges from which folds are fitted in processes of their own, which take seconds to start."""


@dataclass(frozen=True, eq=False)
class Prior:
    """Predictions for Q queries and M LLMs, made without the queries' own outcomes.

    Attributes:
        fold: [Q] int64; a query's expectations come from the other folds.
        task_mean: [Q, M] smoothed mean of the LLM on the query's task.
        quality: [Q, M] prediction of the GNN, the mean over its ensemble.
        spread: [Q, M] standard deviation of the prediction over the ensemble.
    """

    fold: Array
    task_mean: Array
    quality: Array
    spread: Array


def cross_fit(
    data: RoutingData,
    folds: int,
    seed: int,
    gnn: Mapping[str, Any] | None = None,
    device: str = "auto",
    progress: bool = False,
) -> Prior:
    """Fit a GNN for each fold of queries on the other folds, and predict the fold with it.

    Queries of one text group share a fold. So no outcome of a query, or of its like, reaches its own expectations: by a
    message, a neighbour, a task's mean or a weight.

    On the CPU every GNN is fitted with one thread, and those of a large log side by side in as many processes as torch has
    threads. So the number of threads changes the time, and nothing else.

    Args:
        data: Q queries with their outcomes, M LLMs.
        folds: How many; more cost more time and leave more to learn from.
        seed: Seed of the folds and of the GNNs.
        gnn: Hyperparameters that differ from the defaults; see `graphrouter.routers.gnn.GNN`.
        device: Where to train.
        progress: Whether to show a bar.

    Raises:
        UserError: If there are too few queries or a hyperparameter does not do.
    """
    _check(data.queries.groups, folds)
    fold = fold_of(data.queries.groups, folds, seed)
    statistics = np.full((3, *data.performance.shape), np.nan)
    make_router("gnn", dict(gnn or {}), "the settings of the ranking")  # a mistake shows here, in this process
    bar = tqdm(total=folds, desc="ranking: folds", unit="fold", disable=not progress, leave=False)
    with bar:
        for part, found in enumerate(_folds(data, fold, folds, seed, gnn or {}, device)):
            statistics[:, fold == part] = found
            bar.update()
    return Prior(fold, *statistics)


def _folds(
    data: RoutingData, fold: Array, folds: int, seed: int, gnn: Mapping[str, Any], device: str
) -> Iterator[FoldStatistics]:
    """Yield the statistics of each fold, in their order."""
    on_cpu = pick_device(device).type == "cpu"
    jobs = min(folds, torch.get_num_threads()) if on_cpu and data.observed.sum() >= LARGE else 1
    if jobs > 1:
        with joblib.parallel_config("loky", n_jobs=jobs, inner_max_num_threads=1):
            tasks = (joblib.delayed(_fold)(data, fold, part, seed, gnn, device) for part in range(folds))
            yield from joblib.Parallel(return_as="generator")(tasks)
    else:
        for part in range(folds):
            with _one_thread():
                found = _fold(data, fold, part, seed, gnn, device)
            yield found


@contextmanager
def _one_thread() -> Iterator[None]:
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)


def _fold(data: RoutingData, fold: Array, part: int, seed: int, gnn: Mapping[str, Any], device: str) -> FoldStatistics:
    rest, own = np.flatnonzero(fold != part), np.flatnonzero(fold == part)
    known, queries = data.take(rest), data.queries.take(own)
    task_mean = TaskMeans().fit(known.performance, known.queries.tasks).lookup(queries.tasks)
    router = _fit(known, seed, gnn, device)
    quality, _ = router.predict_members(queries)
    return task_mean, quality.mean(axis=0), quality.std(axis=0)


def _check(groups: Array, folds: int) -> None:
    different = len(np.unique(groups))
    if folds < 2:
        raise UserError(f"the ranking 'graph' needs 2 folds or more, but has {folds}")
    if different < max(4 * VALIDATION, 2 * folds):
        raise UserError(
            f"the ranking 'graph' needs {max(4 * VALIDATION, 2 * folds)} differently worded queries or more to learn from, "
            f"but the log has {different}; use a larger log, or rank by performance"
        )


def _fit(known: RoutingData, seed: int, gnn: Mapping[str, Any], device: str) -> GNN:
    router = make_router("gnn", dict(gnn), "the settings of the ranking")
    assert isinstance(router, GNN)
    router = replace(router, seed=seed)
    router.run = RunOptions(device=device)
    part = fold_of(known.queries.groups, VALIDATION, seed + 1)
    return router.fit(known.take(np.flatnonzero(part != 0)), known.take(np.flatnonzero(part == 0)))


def fold_of(groups: Array, folds: int, seed: int) -> Array:
    """Return [Q] int64, the fold of each query; equal groups share one, sizes are even, and row order has no say."""
    unique, position = np.unique(groups, return_inverse=True)
    fold: Array = np.random.default_rng(seed).permutation(len(unique))[position] % folds
    return fold
