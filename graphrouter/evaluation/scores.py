"""Every metric of every router on one seed, for any weights of the queries."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from graphrouter import metrics
from graphrouter.evaluation.store import Outcomes, Predictions
from graphrouter.evaluation.support import Support
from graphrouter.scenario import Scenario

Array = np.ndarray
Scores = dict[tuple[str, str], Array]
"""(scenario, metric) -> [R] or [R, B]; the scenario is empty where a metric does not depend on it."""

ALPHAS = 1 - np.linspace(0, 1, 41) ** 3
"""Weights of performance that a cost-quality curve is swept over: from 1 to 0, denser near 1."""

TASK_METRICS = ("nll", "auroc", "brier", "performance", "cost", "reward", "logged_choice")
"""Metrics that are also given for each task."""


def routing_metrics(support: Support) -> tuple[str, ...]:
    """Return the metrics of choices that a log's outcomes can give."""
    return metrics.SCENARIO_METRICS if support.routable else ("logged_choice",)


def edge_scores(
    outcomes: Outcomes, predictions: Sequence[Predictions], weights: Array | None, names: Sequence[str]
) -> Scores:
    """Score the predicted quality.

    Args:
        outcomes: Q queries, M LLMs.
        predictions: Of R routers.
        weights: None, or [B, Q].
        names: Which of `graphrouter.metrics.EDGE_METRICS`.

    Returns:
        [R] or [R, B] each; NaN for a reference that predicts no quality.
    """
    able = [row for row, given in enumerate(predictions) if given.quality is not None]
    shape = (len(predictions),) if weights is None else (len(predictions), len(weights))
    scores: Scores = {}
    for name in names:
        values = np.full(shape, np.nan)
        if able:
            # A cell without an outcome is not looked at, so what stands there must not matter.
            quality = np.stack([predictions[row].quality for row in able])  # type: ignore[misc]
            quality = np.where(np.isnan(outcomes.performance), 0.5, quality)
            values[able] = getattr(metrics, name)(quality, outcomes.performance.astype(np.float64), weights)
        scores["", name] = values
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
        predictions: Of R routers.
        scenario: Whose utilities decide.
        weights: None, or [B, Q].
        names: Which of `graphrouter.metrics.SCENARIO_METRICS`.
    """
    utility = np.stack([given.utility[scenario.name] for given in predictions])
    performance, rewards = outcomes.performance.astype(np.float64), outcomes.rewards(scenario)
    choice = metrics.choose(utility, performance)
    arguments: dict[str, tuple[Array, ...]] = {
        "performance": (choice, performance),
        "reward": (choice, rewards),
        "gain_over_best_single": (choice, rewards),
        "gain_over_random": (choice, rewards),
        "gap_to_oracle": (choice, rewards),
        "gap_closed": (choice, rewards),
        "hit_at_1": (utility, rewards),
        "mrr": (utility, rewards),
        "logged_choice": (utility, performance),
    }
    if scenario.beta == 0:
        arguments["ndcg"] = (utility, performance)
    if has_cost(outcomes):
        arguments["cost"] = (choice, outcomes.cost)
        arguments["gain_over_mix"] = (choice, performance, outcomes.cost)
    return {
        (scenario.name, name): getattr(metrics, name)(*arguments[name], weights) for name in names if name in arguments
    }


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
    predictions: Sequence[Predictions],
    scenarios: Sequence[Scenario],
    weights: Array,
    oracle: Sequence[bool],
) -> Scores:
    """Score the cost-quality curves.

    Every curve also holds the cheapest LLM, which can be had without a router, so that all begin at the same cost. The
    Pareto front is that of all routers but the oracle, and of the LLMs.

    Args:
        outcomes: Q queries, M LLMs, with costs.
        predictions: Of R routers.
        scenarios: See `curve`.
        weights: [B, Q].
        oracle: [R], which routers know the outcomes.

    Returns:
        [R, B] each.
    """
    performance = outcomes.performance.astype(np.float64)
    singles = metrics.single_points(performance, outcomes.cost, weights)
    best = metrics.best_single(performance)
    curves = [curve(outcomes, given, scenarios, weights) for given in predictions]
    gain = [metrics.performance_gain(high.T, singles[1][:, best]) for _, high in curves]
    saving = [metrics.cost_saving(dear.T, high.T, singles[0][:, best], singles[1][:, best]) for dear, high in curves]
    planes = np.stack([_plane(curves, (singles[0][b], singles[1][b]), b, oracle) for b in range(len(weights))], axis=-1)
    return {
        ("", "aiq"): planes[:, 0],
        ("", "performance_gain"): np.stack(gain),
        ("", "cost_saving"): np.stack(saving),
        ("", "pareto_dist"): planes[:, 1],
    }


def _plane(curves: list[tuple[Array, Array]], singles: tuple[Array, Array], b: int, oracle: Sequence[bool]) -> Array:
    """[R, 2], AIQ and ParetoDist in resample b."""
    known = ~np.isnan(singles[0])
    if not known.any():
        return np.full((len(curves), 2), np.nan)
    dear, high = singles[0][known], singles[1][known]
    low, top = dear.min(), dear.max()
    scale = top - low, np.ptp(high)
    fair = [(x[:, b], y[:, b]) for (x, y), knows in zip(curves, oracle, strict=True) if not knows]
    all_dear, all_high = (np.concatenate([*(point[axis] for point in fair), (dear, high)[axis]]) for axis in (0, 1))
    front = metrics.pareto_front(all_dear, all_high)
    front_dear, front_high = all_dear[front], all_high[front]
    cheapest = np.lexsort((-high, dear))[0]
    rows = []
    for (x, y), knows in zip(curves, oracle, strict=True):
        area = metrics.aiq(np.append(x[:, b], dear[cheapest]), np.append(y[:, b], high[cheapest]), low, top)
        far = float("nan")
        if not knows and min(scale) > 0:
            scaled = (x[:, b] / scale[0], y[:, b] / scale[1], front_dear / scale[0], front_high / scale[1])
            far = metrics.pareto_dist(*scaled)
        rows.append((area, far))
    return np.array(rows)
