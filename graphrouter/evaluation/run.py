"""One router on one prepared log: tune it on validation, fit it, and let it predict a part."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace

import numpy as np

from graphrouter.config import hyperparameters
from graphrouter.dataset import Queries, RoutingData
from graphrouter.errors import UserError
from graphrouter.evaluation.store import ENDS, Predictions
from graphrouter.metrics import choose, nll, reward
from graphrouter.prepared import PreparedLog
from graphrouter.routers.base import Router
from graphrouter.run import RunOptions
from graphrouter.scenario import Scenario
from graphrouter.settings import to_plain
from graphrouter.typing import Array, Record


@dataclass(frozen=True, eq=False)
class FittedRouter:
    """Router that was fitted on a prepared log.

    Attributes:
        router: Fitted, with the setting that was best on validation.
        prepared: Log that it was fitted on.
        about: ``settings`` that were chosen, how many were ``tried``, the ``validation`` score that they were ``tuned_by``,
            ``hyperparameters``,
            ``fit_seconds``, ``tune_seconds`` and ``best_is_last``: whether a training of the router's was ended by nothing but
            its number of steps, and its last evaluation was the best.
    """

    router: Router
    prepared: PreparedLog
    about: Record

    def predict(self, part: str = "test", label: str | None = None) -> Predictions:
        """Predict a part of the log for all its scenarios; a router that needs outcomes gets those of the part first.

        Args:
            part: ``train``, ``validation`` or ``test``.
            label: Name of the router in errors; None for its own.

        Raises:
            UserError: See `predict_queries`.
        """
        data: RoutingData = getattr(self.prepared, part)
        if self.router.needs_outcomes:
            self.router.reveal(data)
        scored = list(self.prepared.scenarios), self.prepared.cost_scale
        return predict_queries(self.router, label or self.router.name, data.queries, data.performance, *scored)


def fit_router(
    router: Router,
    prepared: PreparedLog,
    *,
    seed: int | None = None,
    settings: int = 1,
    tune_by: str = "nll",
    run: RunOptions | None = None,
) -> FittedRouter:
    """Fit a router with each of its settings, and keep the one that is best on validation.

    Args:
        router: Its hyperparameters are those that no setting changes; it stays as it is.
        prepared: Train is learnt from; settings are compared and training is stopped on validation.
        seed: Seed of the router; None for that of the log.
        settings: Most settings that are tried, the same for every router; 1 for the hyperparameters as they come.
        tune_by: One of `graphrouter.run.TUNE_BY`: ``nll`` of the predicted quality, or mean ``reward`` of the choices
            over the scenarios. Where it is ``nll``, a router that says that it is `Router.tuned_by` something else is.
        run: Options of the run.
    """
    started, run = time.perf_counter(), run or RunOptions()
    tune_by = (router.tuned_by or tune_by) if tune_by == "nll" else tune_by
    tried = list(router.search_space[:settings]) if settings > 1 else [{}]
    best: FittedRouter | None = None
    for setting in tried:
        fresh = replace(router, seed=prepared.seed if seed is None else seed, **setting)
        fit_started = time.perf_counter()
        best_is_last = _fit(fresh, prepared, run)
        fit_seconds = time.perf_counter() - fit_started
        score = _validation_score(fresh, prepared, tune_by)
        if best is None or (score < best.about["validation"] if tune_by == "nll" else score > best.about["validation"]):
            about = {"settings": to_plain(setting), "fit_seconds": fit_seconds, "validation": score}
            best = FittedRouter(fresh, prepared, about | {"best_is_last": best_is_last})
    assert best is not None
    spent = {"tried": len(tried), "tuned_by": tune_by, "tune_seconds": time.perf_counter() - started}
    about = best.about | spent | {"hyperparameters": to_plain(hyperparameters(best.router))}
    return replace(best, about=about)


def _fit(router: Router, prepared: PreparedLog, run: RunOptions) -> bool:
    """Fit a router, and return whether the last evaluation was the best in a training of its own."""
    ends: list[bool] = []

    def on_end(label: str, best_is_last: bool) -> None:
        ends.append(best_is_last)
        if run.on_end is not None:
            run.on_end(label, best_is_last)

    router.run = replace(run, on_end=on_end)
    router.fit(prepared.train, prepared.validation)
    router.run = run
    return any(ends)


def _validation_score(router: Router, prepared: PreparedLog, tune_by: str) -> float:
    validation = prepared.validation
    if tune_by == "nll":
        return float(nll(router.predict(validation.queries).quality, validation.performance))
    _, utilities = router.utilities(validation.queries, prepared.scenarios, prepared.cost_scale)
    rewards = []
    for scenario, utility in zip(prepared.scenarios, utilities, strict=True):
        choice = choose(utility, validation.performance)
        values = scenario.reward(validation.performance.astype(np.float64), validation.cost, prepared.cost_scale)
        rewards.append(float(reward(choice, values)))
    return float(np.mean(rewards))


def predict_queries(
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
        router: Fitted router.
        label: Its name in errors.
        queries: Q queries.
        outcomes: [Q, M], NaN where the log has none; only these cells are looked at.
        scenarios: Scenarios that utilities are made for.
        cost_scale: Dollars of a normalised cost of 1.
        columns: [M], columns of the predictions that are returned; None for all.

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
