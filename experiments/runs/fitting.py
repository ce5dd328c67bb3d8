"""Fit the router of a run. Runs that differ only in the shots of a new LLM share one fit."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from experiments.runs.config import RunConfig, run_id
from experiments.runs.data import RunData
from graphrouter.config import make_router
from graphrouter.dataset import RoutingData
from graphrouter.routers.base import Router
from graphrouter.run import RunOptions

History = list[dict[str, Any]]


@dataclass(frozen=True, eq=False)
class Fitted:
    """What a run has fitted.

    Attributes:
        router: Fitted, with the new LLM taken in where one was left out.
        before: The same before it took the new LLM in; None where none was left out.
        seconds: That fitting took.
    """

    router: Router
    before: Router | None
    seconds: float


@dataclass(frozen=True, eq=False)
class _Kept:
    key: str
    router: Router
    history: History
    seconds: float


_last: list[_Kept] = []


def fit(config: RunConfig, data: RunData, run: RunOptions, history: History) -> Fitted:
    """Fit a run's router with its hyperparameters as they come.

    Args:
        config: Of the run.
        data: What it is fitted on.
        run: Where and how; its ``on_epoch`` writes the history.
        history: One entry per epoch.

    Raises:
        UserError: If a hyperparameter does not do, or the router cannot take in a new LLM.
    """
    if data.new_llm is None:
        router, seconds = _fit(config, data.train, data.validation, run)
        return Fitted(router, None, seconds)
    kept = _fit_without(config, data, run, history)
    started = time.perf_counter()
    extended = kept.router.extend(data.train)
    return Fitted(extended, kept.router, kept.seconds + time.perf_counter() - started)


def _fit_without(config: RunConfig, data: RunData, run: RunOptions, history: History) -> _Kept:
    """Fit on the log without the new LLM, or take the last fit where it was the same."""
    key = run_id(replace(config, shots=0))
    if _last and _last[0].key == key:
        history.extend(_last[0].history)
        return _last[0]
    parts = [part.take_llms(data.known_llms) for part in (data.train, data.validation)]
    answered = [part.take(np.flatnonzero(part.observed.any(axis=1))) for part in parts]
    router, seconds = _fit(config, answered[0], answered[1], run)
    _last[:] = [_Kept(key, router, list(history), seconds)]
    return _last[0]


def _fit(config: RunConfig, train: RoutingData, validation: RoutingData, run: RunOptions) -> tuple[Router, float]:
    router = make_router(config.router, config.hyperparameters)
    router.seed, router.run = config.seed, run
    started = time.perf_counter()
    router.fit(train, validation)
    return router, time.perf_counter() - started
