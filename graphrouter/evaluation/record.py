"""Test part of the record of a run: metrics, references, tasks, shares and curve."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from graphrouter import metrics
from graphrouter.evaluation.rows import choices, routable
from graphrouter.evaluation.scores import (
    ALPHAS,
    Scores,
    curve,
    curve_scores,
    edge_scores,
    has_cost,
    routing_metrics,
    scenario_scores,
)
from graphrouter.evaluation.store import Outcomes, Predictions
from graphrouter.evaluation.support import Support
from graphrouter.scenario import Scenario

Numbers = dict[str, float]
REFERENCES = ("best_single", "best_per_task", "random", "oracle")


def scores_of(
    part: str, outcomes: Outcomes, predictions: Sequence[Predictions], scenarios: Sequence[Scenario]
) -> list[Numbers]:
    """Score routers on the same queries.

    Args:
        part: ``validation`` or ``test``: the first word of every key.
        outcomes: Outcomes of the queries.
        predictions: Predictions of R routers; in a row of `REFERENCES` the last one is the oracle.
        scenarios: Scenarios that the predictions have utilities for.

    Returns:
        R mappings from ``part/metric`` or ``part/scenario/metric`` to a finite number. Metrics of choices are left out where
        the outcomes cannot give them.
    """
    support = Support.of([outcomes.performance])
    scores: Scores = edge_scores(outcomes, predictions, None, metrics.metrics_of("edge"))
    for scenario in scenarios:
        scores |= scenario_scores(outcomes, predictions, scenario, None, routing_metrics(support))
    if support.routable and has_cost(outcomes):
        once = np.ones((1, len(outcomes.performance)))
        names = metrics.metrics_of("curve", relative=False)
        curves = [curve(outcomes, given, scenarios, once) for given in predictions]
        of_curve = curve_scores(outcomes, curves, once, [False] * len(predictions), names)
        scores |= {key: values[:, 0] for key, values in of_curve.items()}
    return [
        {
            "/".join(word for word in (part, scenario, name) if word): float(values[row])
            for (scenario, name), values in scores.items()
            if np.isfinite(values[row])
        }
        for row in range(len(predictions))
    ]


def record_of(
    outcomes: Outcomes, done: Predictions, references: Mapping[str, Predictions], scenarios: Sequence[Scenario]
) -> dict[str, Any]:
    """Return the entry of a run's record for its test queries.

    Args:
        outcomes: Q queries, M LLMs.
        done: Predictions of the router.
        references: By name, ``best_single`` and, as the last, ``oracle`` among them.
        scenarios: Scenarios that the predictions have utilities for.

    Returns:
        ``metrics``, the ``metrics`` of the references, ``tasks``, ``shares``, ``curve`` and ``llms``.
    """
    scored = scores_of("test", outcomes, [done, *references.values()], scenarios)
    return {
        "metrics": scored[0],
        "references": dict(zip(references, scored[1:], strict=True)),
        "tasks": task_rows(outcomes, done, references, scenarios[0]),
        "shares": shares_of(outcomes, done, routable(outcomes)),
        "curve": curve_rows(outcomes, done, scenarios),
        "llms": llm_rows(outcomes, done),
    }


def metric_names(part: str, scenarios: Sequence[Scenario], with_cost: bool) -> list[str]:
    """Return the names of scores from `scores_of`, for a router with qualities and a log where each is defined.

    Args:
        part: ``validation`` or ``test``.
        scenarios: Scenarios that are scored.
        with_cost: Whether every cell has a cost.
    """
    performance = np.array([[1.0, 0.0], [0.0, 1.0], [1.0, 1.0]])
    cost = np.array([[1.0, 2.0]] * 3) if with_cost else np.full((3, 2), np.nan)
    outcomes = Outcomes(np.full(3, "", dtype=object), np.arange(3), performance, cost, {"cost_scale": 1.0})
    quality = np.array([[0.6, 0.5], [0.7, 0.4], [0.6, 0.5]])
    predictions = Predictions(quality, cost, {one.name: quality for one in scenarios}, {})
    return list(scores_of(part, outcomes, [predictions], scenarios)[0])


def in_hindsight(outcomes: Outcomes, scenarios: Sequence[Scenario]) -> dict[str, Predictions]:
    """Return references that are read off the outcomes: the best LLM of each scenario, asked for every query, and the oracle."""
    rewards = {scenario.name: outcomes.rewards(scenario) for scenario in scenarios}
    single = {name: np.zeros(values.shape) for name, values in rewards.items()}
    for name, values in rewards.items():
        single[name][:, metrics.best_single(values)] = 1.0
    return {
        name: Predictions(None, outcomes.cost, utility, {})
        for name, utility in (("best_single", single), ("oracle", rewards))
    }


def task_rows(outcomes: Outcomes, done: Predictions, references: Mapping[str, Predictions], scenario: Scenario) -> Any:
    """Return for each task its queries, the edge NLL, and the performance of the choices in a scenario.

    The performance is None where the outcomes of the log or of the task cannot give it.
    """
    rows = []
    able = routable(outcomes)
    for task in sorted(set(outcomes.tasks) - {""}):
        weights = (outcomes.tasks == task).astype(np.float64)[None]
        row = {"task": task, "queries": int(weights.sum())}
        row["nll"] = _number(edge_scores(outcomes, [done], weights, ["nll"])["", "nll"][0, 0])
        shown = {"performance": done, "best_single": references["best_single"], "oracle": references["oracle"]}
        scored = able and Support.of([outcomes.performance[outcomes.tasks == task]]).routable
        for name, given in shown.items():
            values = scenario_scores(outcomes, [given], scenario, weights, ["performance"])
            row[name] = _number(values[scenario.name, "performance"][0, 0]) if scored else None
        rows.append(row)
    return rows


def shares_of(outcomes: Outcomes, done: Predictions, able: bool) -> dict[str, Numbers]:
    """Return for each scenario the share of the queries with an outcome that goes to each LLM; see `choices`."""
    asked = ~np.isnan(outcomes.performance).all(axis=1)
    shares = {}
    for name, utility in done.utility.items():
        choice = choices(outcomes, utility, able)[asked]
        counts = np.bincount(choice, minlength=len(outcomes.llms)) / max(len(choice), 1)
        shares[name] = dict(zip(outcomes.llms, counts.tolist(), strict=True))
    return shares


def curve_rows(outcomes: Outcomes, done: Predictions, scenarios: Sequence[Scenario]) -> list[Numbers]:
    """Return the points of the cost-quality curve, with their weights of performance; none where there is no cost, or hardly a choice."""
    if not has_cost(outcomes) or not routable(outcomes):
        return []
    alphas = ALPHAS if done.ends is not None else [scenario.alpha for scenario in scenarios]
    cost, performance = curve(outcomes, done, scenarios, None)
    return [
        {"alpha": float(alpha), "cost": float(dollars), "performance": float(right)}
        for alpha, dollars, right in zip(alphas, cost, performance, strict=True)
    ]


def llm_rows(outcomes: Outcomes, done: Predictions) -> list[dict[str, Any]]:
    """Return each LLM's own mean cost and performance, and the NLL and AUROC of its edges."""
    costs, means = metrics.single_points(outcomes.performance.astype(np.float64), outcomes.cost)
    rows = []
    for column, llm in enumerate(outcomes.llms):
        row = {"llm": llm, "cost": _number(costs[column]), "performance": _number(means[column])}
        rows.append(row | dict(zip(("nll", "auroc"), column_scores(outcomes, done, column), strict=True)))
    return rows


def column_scores(outcomes: Outcomes, done: Predictions, column: int) -> tuple[float | None, float | None]:
    """Return the NLL and the AUROC of one LLM's edges; None where they are not defined."""
    assert done.quality is not None
    one = done.quality[:, [column]], outcomes.performance[:, [column]].astype(np.float64)
    one = np.where(np.isnan(one[1]), 0.5, one[0]), one[1]
    return _number(metrics.nll(*one)), _number(metrics.auroc(*one))


def new_llm_metrics(
    outcomes: Outcomes, done: Predictions, without: Predictions, column: int, scenarios: Sequence[Scenario]
) -> Numbers:
    """Return the scores of a new LLM: its edges, how often it is picked and is best, and routing without it.

    What is best and what routing comes to is left out where the outcomes cannot give it.

    Args:
        outcomes: [Q, M], the new LLM among them.
        done: Run of the router that it was added to.
        without: [Q, M - 1] of the router that does not have it.
        column: Column of the new LLM.
        scenarios: Scenarios that are scored.
    """
    nll, auroc = column_scores(outcomes, done, column)
    found = {"test/new/nll": nll, "test/new/auroc": auroc}
    others = np.delete(np.arange(outcomes.performance.shape[1]), column)
    asked, able = ~np.isnan(outcomes.performance).all(axis=1), routable(outcomes)
    for scenario in scenarios:
        key, rewards = f"test/{scenario.name}", outcomes.rewards(scenario)
        choice = choices(outcomes, done.utility[scenario.name], able)
        found[f"{key}/new/picked"] = float((choice == column)[asked].mean())
        if not able:
            continue
        best = rewards == np.where(asked, np.nan_to_num(rewards, nan=-np.inf).max(axis=1), np.nan)[:, None]
        found[f"{key}/new/best"] = float((best[:, column] / np.maximum(best.sum(axis=1), 1))[asked].mean())
        old = others[metrics.choose(without.utility[scenario.name], outcomes.performance[:, others])]
        found[f"{key}/without/reward"] = _number(metrics.reward(old, rewards))
        found[f"{key}/without/performance"] = _number(metrics.performance(old, outcomes.performance))
        found[f"{key}/without/gap_closed"] = _number(metrics.gap_closed(old, rewards))
    return {key: value for key, value in found.items() if value is not None}


def _number(value: Any) -> float | None:
    return float(value) if np.isfinite(value) else None
