"""One router, one seed: tune on validation, fit, predict the test queries."""

from __future__ import annotations

import time
from dataclasses import replace

import numpy as np

from graphrouter.config import hyperparameters
from graphrouter.dataset import Queries, RoutingData
from graphrouter.errors import UserError
from graphrouter.evaluation.store import Config, Predictions
from graphrouter.metrics import choose, nll, reward
from graphrouter.routers.base import Router
from graphrouter.run import RunOptions
from graphrouter.scenario import Scenario
from graphrouter.settings import to_plain

Array = np.ndarray

TUNE_BY = ("nll", "reward")

ENDS = (Scenario("performance alone", 1.0, 0.0), Scenario("cost alone", 0.0, 1.0))
"""What the two ends of `Predictions` are utilities for."""


def fit_best(
    base: Router,
    seed: int,
    train: RoutingData,
    validation: RoutingData,
    scenarios: list[Scenario],
    cost_scale: float,
    *,
    settings: int,
    tune_by: str,
    run: RunOptions,
) -> tuple[Router, Config]:
    """Fit a router with each of its settings, and keep the one that is best on validation.

    Args:
        base: Hyperparameters that no setting changes.
        seed: Of the router.
        train: What is learnt from.
        validation: What settings are compared on, and what training stops early on.
        scenarios: For ``tune_by='reward'``, the mean reward over these.
        cost_scale: Dollars of a normalised cost of 1.
        settings: At most so many are tried, the same for every router; 1 for the hyperparameters as they come.
        tune_by: ``nll`` of the predicted quality, or ``reward`` of the choices.
        run: Where and how to run.

    Returns:
        The fitted router, and what there is to say about it: see `Predictions.about`.
    """
    started = time.perf_counter()
    tried = list(base.search_space[:settings]) if settings > 1 else [{}]
    best: tuple[float, Router, Config] | None = None
    for setting in tried:
        router = replace(base, seed=seed, **setting)
        router.run = run
        fit_started = time.perf_counter()
        router.fit(train, validation)
        fit_seconds = time.perf_counter() - fit_started
        score = _validation_score(router, validation, scenarios, cost_scale, tune_by)
        if best is None or _better(score, best[0], tune_by):
            best = (score, router, {"settings": to_plain(setting), "fit_seconds": fit_seconds})
    assert best is not None
    score, router, about = best
    about |= {"tried": len(tried), "tune_seconds": time.perf_counter() - started}
    return router, about | {"validation": score, "hyperparameters": to_plain(hyperparameters(router))}


def _better(score: float, best: float, tune_by: str) -> bool:
    return score < best if tune_by == "nll" else score > best


def _validation_score(
    router: Router, validation: RoutingData, scenarios: list[Scenario], cost_scale: float, tune_by: str
) -> float:
    if tune_by == "nll":
        return float(nll(router.predict(validation.queries).quality, validation.performance))
    rewards = []
    for scenario in scenarios:
        choice = choose(router.utility(validation.queries, scenario, cost_scale), validation.performance)
        values = scenario.reward(validation.performance.astype(np.float64), validation.cost, cost_scale)
        rewards.append(float(reward(choice, values)))
    return float(np.mean(rewards))


def predict_all(
    router: Router,
    label: str,
    queries: Queries,
    outcomes: Array,
    scenarios: list[Scenario],
    cost_scale: float,
    columns: Array | None = None,
) -> Predictions:
    """Predict queries, for every scenario.

    Args:
        router: A fitted one.
        label: What it is called in errors.
        queries: Q queries.
        outcomes: [Q, M], NaN where the log has none; only these cells are looked at.
        scenarios: What the utilities are for.
        cost_scale: Dollars of a normalised cost of 1.
        columns: [M], which columns of the predictions are kept; None for all.

    Raises:
        UserError: If a prediction for a cell with an outcome is no number, or the quality is no probability.
    """
    started = time.perf_counter()
    swept = ENDS if router.linear_utility and np.isfinite(cost_scale) else ()
    (quality, cost), utilities = router.utilities(queries, [*scenarios, *swept], cost_scale)
    seconds = time.perf_counter() - started
    utility = dict(zip((scenario.name for scenario in scenarios), utilities, strict=False))
    observed = ~np.isnan(outcomes)
    ends = np.stack(utilities[len(scenarios) :]) if swept else None
    if router.needs_outcomes and not observed.all():
        ends = None  # a missing cell is put below all others, which no mixture is
    if ends is not None and columns is not None:
        ends = ends[..., columns]
    if columns is not None:
        quality, cost = quality[:, columns], cost[:, columns]
        utility = {name: matrix[:, columns] for name, matrix in utility.items()}
    for name, matrix in {"quality": quality, **{f"utility for {key}": value for key, value in utility.items()}}.items():
        _check(label, name, matrix, outcomes.shape, observed)
    if not ((quality[observed] >= 0) & (quality[observed] <= 1)).all():
        raise UserError(f"{label} must predict a quality within [0, 1], but does not; mend the router")
    return Predictions(quality, cost, utility, {"predict_seconds": seconds}, ends)


def _check(label: str, name: str, matrix: Array, shape: tuple[int, ...], observed: Array) -> None:
    if matrix.shape != shape:
        raise UserError(
            f"{label} must predict {name} of shape {shape}, but its shape is {matrix.shape}; mend the router"
        )
    if not np.isfinite(matrix[observed]).all():
        raise UserError(f"{label} must predict finite numbers, but its {name} holds NaN or infinity; mend the router")
