"""Every metric of every router on one seed, for any weights of the queries."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from graphrouter import metrics
from graphrouter.evaluation.store import Outcomes, Predictions
from graphrouter.evaluation.support import Support
from graphrouter.metrics import METRICS, metrics_of
from graphrouter.scenario import Scenario
from graphrouter.typing import Array

Scores = dict[tuple[str, str], Array]
"""(scenario, metric) -> [R] or [R, B]; the scenario is empty where a metric does not depend on it."""

ALPHAS = 1 - np.linspace(0, 1, 41) ** 3
"""Weights of performance that a cost-quality curve is swept over: from 1 to 0, denser near 1."""


def routing_metrics(support: Support) -> list[str]:
    """Return the metrics of choices that a log's outcomes can give."""
    return metrics_of("scenario") if support.routable else metrics_of("scenario", merit=False)


def edge_scores(
    outcomes: Outcomes, predictions: Sequence[Predictions], weights: Array | None, names: Sequence[str]
) -> Scores:
    """Score the predicted quality.

    Args:
        outcomes: Q queries, M LLMs.
        predictions: Predictions of R routers.
        weights: None, or [B, Q].
        names: Which metrics of edges.

    Returns:
        [R] or [R, B] each; NaN for a reference that predicts no quality.
    """
    able = [row for row, given in enumerate(predictions) if given.quality is not None]
    shape = (len(predictions),) if weights is None else (len(predictions), len(weights))
    scores: Scores = {("", name): np.full(shape, np.nan) for name in names}
    if able:
        # A cell without an outcome is not looked at, so what stands there must not matter.
        quality = np.stack([predictions[row].quality for row in able])  # type: ignore[misc]
        quality = np.where(np.isnan(outcomes.performance), 0.5, quality)
        known = {"quality": quality, "performance": outcomes.performance.astype(np.float64)}
        for name in names:
            scores["", name][able] = METRICS[name](known, weights)
    return scores


def scenario_scores(
    outcomes: Outcomes,
    predictions: Sequence[Predictions],
    scenario: Scenario,
    weights: Array | None,
    names: Sequence[str],
) -> Scores:
    """Score the choices for a scenario; metrics that the log or the scenario has no values for are left out.

    Args:
        outcomes: Q queries, M LLMs.
        predictions: Predictions of R routers.
        scenario: Whose utilities decide.
        weights: None, or [B, Q].
        names: Which metrics of choices.
    """
    utility = np.stack([given.utility[scenario.name] for given in predictions])
    performance, rewards = outcomes.performance.astype(np.float64), outcomes.rewards(scenario)
    known = {"utility": utility, "performance": performance, "rewards": rewards}
    known["choice"] = metrics.choose(utility, performance)
    if scenario.beta == 0:  # where costs are deducted, a reward may be negative, which no gain may be
        known["gains"] = performance
    if has_cost(outcomes):
        known["cost"] = outcomes.cost
    found = {(scenario.name, name): METRICS[name](known, weights) for name in names}
    return {key: np.asarray(values) for key, values in found.items() if values is not None}


def has_cost(outcomes: Outcomes) -> bool:
    """Whether every cell with an outcome has a cost."""
    return not bool(np.isnan(outcomes.cost[~np.isnan(outcomes.performance)]).any())


def curve(
    outcomes: Outcomes, predictions: Predictions, scenarios: Sequence[Scenario], weights: Array | None
) -> tuple[Array, Array]:
    """Return the points of a router's cost-quality curve.

    A router whose utility is linear in the weights is swept over `ALPHAS`; of any other only the choices for the
    scenarios are known.

    Returns:
        Mean cost [A] and mean performance [A], or [A, B] for weights [B, Q].
    """
    if predictions.ends is not None:
        utility = np.stack([alpha * predictions.ends[0] + (1 - alpha) * predictions.ends[1] for alpha in ALPHAS])
    else:
        utility = np.stack([predictions.utility[scenario.name] for scenario in scenarios])
    choice = metrics.choose(utility, outcomes.performance)
    performance = outcomes.performance.astype(np.float64)
    return metrics.cost(choice, outcomes.cost, weights), metrics.performance(choice, performance, weights)


def curve_scores(
    outcomes: Outcomes,
    curves: Sequence[tuple[Array, Array]],
    weights: Array,
    oracle: Sequence[bool],
    names: Sequence[str],
) -> Scores:
    """Score the cost-quality curves.

    Args:
        outcomes: Q queries, M LLMs, with costs.
        curves: `curve` of R routers, for the same weights.
        weights: [B, Q].
        oracle: [R], which routers know the outcomes.
        names: Which metrics of curves.

    Returns:
        [R, B] each.
    """
    performance = outcomes.performance.astype(np.float64)
    singles = np.stack(metrics.single_points(performance, outcomes.cost, weights))
    best = metrics.best_single(performance)
    points = [np.stack(one) for one in curves]
    scores: Scores = {("", name): np.full((len(points), len(weights)), np.nan) for name in names}
    for b in range(len(weights)):
        inputs = _curve_inputs([one[..., b] for one in points], singles[:, b], best, oracle)
        for row, known in enumerate(inputs):
            for name in names:
                value = METRICS[name](known)
                scores["", name][row, b] = np.nan if value is None else value
    return scores


def _curve_inputs(
    curves: Sequence[Array], singles: Array, best: int, oracle: Sequence[bool]
) -> list[dict[str, Array | float]]:
    """Return the arguments of metrics of curves, in one resample.

    The curve "from the cheapest" also holds the cheapest LLM, which can be had without a router, so that all begin at the
    same cost. The Pareto front is that of all routers but the oracle, and of the LLMs; both axes are divided by the range
    of the LLMs. An oracle has no distance to it.

    Args:
        curves: Curve of each router, [2, A]: mean cost and mean performance.
        singles: [2, M], those of the LLMs; NaN for an LLM without outcomes.
        best: Column of the best single LLM.
        oracle: [R].
    """
    alone = singles[:, ~np.isnan(singles[0])]
    if not alone.size:
        return [{} for _ in curves]
    lowest, highest = alone[0].min(), alone[0].max()
    cheapest = alone[:, [np.lexsort((-alone[1], alone[0]))[0]]]
    scale = np.array([[highest - lowest], [np.ptp(alone[1])]])
    fair = np.concatenate([*(points for points, knows in zip(curves, oracle, strict=True) if not knows), alone], axis=1)
    front = fair[:, metrics.pareto_front(*fair)]
    inputs = []
    for points, knows in zip(curves, oracle, strict=True):
        longer = np.concatenate([points, cheapest], axis=1)
        known: dict[str, Array | float] = {"cost": points[0], "performance": points[1]}
        known |= {"cost_from_cheapest": longer[0], "performance_from_cheapest": longer[1]}
        known |= {"lowest_cost": lowest, "highest_cost": highest}
        known |= {"best_cost": singles[0, best], "best_performance": singles[1, best]}
        if not knows and scale.min() > 0:
            known |= dict(zip(("scaled_cost", "scaled_performance"), points / scale, strict=True))
            known |= dict(zip(("front_cost", "front_performance"), front / scale, strict=True))
        inputs.append(known)
    return inputs
