"""What is written down of a run's predictions: metrics, references, tasks, shares, curve, and a row for each query."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from typing import Any, Generic, TypeVar

import numpy as np
import polars as pl

from graphrouter import metrics
from graphrouter.dataset import RoutingData
from graphrouter.evaluation.bootstrap import RESAMPLES, draw_weights
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
from graphrouter.metrics.edges import log_loss
from graphrouter.metrics.weighted import ratio
from graphrouter.scenario import Scenario

Array = np.ndarray
Numbers = dict[str, float]
K = TypeVar("K")
REFERENCES = ("best_single", "best_per_task", "random", "oracle")


def outcomes_of(part: RoutingData, cost_scale: float, **about: Any) -> Outcomes:
    """Return what the log says of a part's queries.

    Args:
        part: Queries and their outcomes.
        cost_scale: Dollars of a normalised cost of 1; NaN where there is none.
        about: See `Outcomes`.
    """
    tasks = np.array([task or "" for task in part.queries.tasks], dtype=object)
    about["cost_scale"] = cost_scale if np.isfinite(cost_scale) else None
    ids = np.array(part.queries.ids, dtype=object)
    return Outcomes(tasks, part.queries.groups, part.performance, part.cost, about, ids)


def scores_of(
    part: str, outcomes: Outcomes, predictions: Sequence[Predictions], scenarios: Sequence[Scenario]
) -> list[Numbers]:
    """Score routers on the same queries.

    Args:
        part: ``validation`` or ``test``: the first word of every key.
        outcomes: Of the queries.
        predictions: Of R routers; in a row of `REFERENCES` the last one is the oracle.
        scenarios: What the predictions have utilities for.

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
        of_curve = curve_scores(outcomes, predictions, scenarios, once, [False] * len(predictions), names)
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
    outcomes: Outcomes,
    done: Predictions,
    references: Mapping[str, Predictions],
    scenarios: Sequence[Scenario],
    llms: Sequence[str],
) -> dict[str, Any]:
    """Return what a record of a run says of its test queries.

    Args:
        outcomes: Q queries, M LLMs.
        done: Predictions of the router.
        references: By name, ``best_single`` and, as the last, ``oracle`` among them.
        scenarios: Scenarios that the predictions have utilities for.
        llms: [M] names.

    Returns:
        ``metrics``, the ``metrics`` of the references, ``tasks``, ``shares``, ``curve`` and ``llms``.
    """
    scored = scores_of("test", outcomes, [done, *references.values()], scenarios)
    return {
        "metrics": scored[0],
        "references": dict(zip(references, scored[1:], strict=True)),
        "tasks": task_rows(outcomes, done, references, scenarios[0]),
        "shares": shares_of(outcomes, done, llms),
        "curve": curve_rows(outcomes, done, scenarios),
        "llms": llm_rows(outcomes, done, llms),
    }


def metric_names(part: str, scenarios: Sequence[Scenario], with_cost: bool) -> list[str]:
    """Return what `scores_of` gives names to, for a router that predicts a quality and a log where each metric is defined.

    Args:
        part: ``validation`` or ``test``.
        scenarios: What is scored.
        with_cost: Whether every cell has a cost.
    """
    performance = np.array([[1.0, 0.0], [0.0, 1.0], [1.0, 1.0]])
    cost = np.array([[1.0, 2.0]] * 3) if with_cost else np.full((3, 2), np.nan)
    outcomes = Outcomes(np.full(3, "", dtype=object), np.arange(3), performance, cost, {"cost_scale": 1.0})
    quality = np.array([[0.6, 0.5], [0.7, 0.4], [0.6, 0.5]])
    predictions = Predictions(quality, cost, {one.name: quality for one in scenarios}, {})
    return list(scores_of(part, outcomes, [predictions], scenarios)[0])


def routable(outcomes: Outcomes) -> bool:
    """Return whether choices can be scored on these queries; see `graphrouter.evaluation.support.LEAST_CHOICE`."""
    return Support.of([outcomes.performance]).routable


def choices(outcomes: Outcomes, utility: Array) -> Array:
    """Return [Q], the column of the LLM of the highest utility: among the logged ones, or all where choices cannot be scored."""
    logged = outcomes.performance
    return metrics.choose(utility, logged if routable(outcomes) else np.zeros_like(logged))


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


def shares_of(outcomes: Outcomes, done: Predictions, llms: Sequence[str]) -> dict[str, Numbers]:
    """Return for each scenario the share of the queries that goes to each LLM; see `choices`."""
    asked = ~np.isnan(outcomes.performance).all(axis=1)
    shares = {}
    for name, utility in done.utility.items():
        choice = choices(outcomes, utility)[asked]
        counts = np.bincount(choice, minlength=len(llms)) / max(len(choice), 1)
        shares[name] = dict(zip(llms, counts.tolist(), strict=True))
    return shares


def curve_rows(outcomes: Outcomes, done: Predictions, scenarios: Sequence[Scenario]) -> list[Numbers]:
    """Return the points of the cost-quality curve, with their weights of performance; none where there is no cost, or hardly a choice."""
    if not has_cost(outcomes) or not routable(outcomes):
        return []
    alphas = ALPHAS if done.ends is not None else [scenario.alpha for scenario in scenarios]
    cost, performance = curve(outcomes, done, scenarios, None)
    return [
        {"alpha": float(alpha), "cost": float(dear), "performance": float(high)}
        for alpha, dear, high in zip(alphas, cost, performance, strict=True)
    ]


def llm_rows(outcomes: Outcomes, done: Predictions, llms: Sequence[str]) -> list[dict[str, Any]]:
    """Return each LLM's own mean cost and performance, and the NLL and AUROC of its edges."""
    costs, means = metrics.single_points(outcomes.performance.astype(np.float64), outcomes.cost)
    rows = []
    for column, llm in enumerate(llms):
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
    """Return what a new LLM is worth: its edges, how often it is picked and is best, and routing without it.

    What is best and what routing comes to is left out where the outcomes cannot give it.

    Args:
        outcomes: [Q, M], the new LLM among them.
        done: Of the router that took it in.
        without: [Q, M - 1] of the router that does not have it.
        column: Of the new LLM.
        scenarios: What is scored.
    """
    nll, auroc = column_scores(outcomes, done, column)
    found = {"test/new/nll": nll, "test/new/auroc": auroc}
    others = np.delete(np.arange(outcomes.performance.shape[1]), column)
    asked = ~np.isnan(outcomes.performance).all(axis=1)
    for scenario in scenarios:
        key, rewards = f"test/{scenario.name}", outcomes.rewards(scenario)
        choice = choices(outcomes, done.utility[scenario.name])
        found[f"{key}/new/picked"] = float((choice == column)[asked].mean())
        if not routable(outcomes):
            continue
        best = rewards == np.where(asked, np.nan_to_num(rewards, nan=-np.inf).max(axis=1), np.nan)[:, None]
        found[f"{key}/new/best"] = float((best[:, column] / np.maximum(best.sum(axis=1), 1))[asked].mean())
        old = others[metrics.choose(without.utility[scenario.name], outcomes.performance[:, others])]
        found[f"{key}/without/reward"] = _number(metrics.reward(old, rewards))
        found[f"{key}/without/performance"] = _number(metrics.performance(old, outcomes.performance))
        found[f"{key}/without/gap_closed"] = _number(metrics.gap_closed(old, rewards))
    return {key: value for key, value in found.items() if value is not None}


def without_rewards(outcomes: Outcomes, without: Predictions, column: int, scenario: Scenario) -> Array:
    """Return [Q], the reward of the choices of a router that does not have the LLM in ``column``; NaN for none."""
    others = np.delete(np.arange(outcomes.performance.shape[1]), column)
    choice = others[metrics.choose(without.utility[scenario.name], outcomes.performance[:, others])]
    return metrics.taken(choice, outcomes.rewards(scenario))


def query_table(
    outcomes: Outcomes, done: Predictions, scenarios: Sequence[Scenario], llms: Sequence[str]
) -> pl.DataFrame:
    """Return one row per test query: its edge NLL, and for each scenario the choice and what it came to.

    What it came to has no column where the outcomes cannot give it; see `routable`.
    """
    assert done.quality is not None
    observed = ~np.isnan(outcomes.performance)
    cells = observed.sum(axis=1)
    losses = np.where(observed, log_loss(done.quality, outcomes.performance), 0.0)
    columns: dict[str, Any] = {
        "query_id": query_ids(outcomes),
        "task": [task or None for task in outcomes.tasks.tolist()],
        "group": pl.Series(outcomes.groups, dtype=pl.Int64),
        "nll": np.divide(losses.sum(axis=1), cells, out=np.full(len(cells), np.nan), where=cells > 0),
        "cells": cells,
    }
    names = np.array(llms, dtype=object)
    for scenario in scenarios:
        choice = choices(outcomes, done.utility[scenario.name])
        columns[f"llm:{scenario.name}"] = [
            name if count else None for name, count in zip(names[choice], cells, strict=True)
        ]
        if not routable(outcomes):
            continue
        taken = {"performance": outcomes.performance, "reward": outcomes.rewards(scenario), "cost": outcomes.cost}
        for name, values in taken.items():
            columns[f"{name}:{scenario.name}"] = metrics.taken(choice, values).astype(np.float64)
    frame = pl.DataFrame(columns, schema_overrides={"task": pl.String, "query_id": pl.String})
    return frame.with_columns(pl.col(pl.Float64).fill_nan(None))


def query_ids(outcomes: Outcomes) -> list[str]:
    """Return the queries' ids; their numbers in a folder of an earlier version, which kept none."""
    return [str(one) for one in (range(len(outcomes.tasks)) if outcomes.ids is None else outcomes.ids)]


def choice_table(outcomes: Outcomes, done: Predictions, scenario: Scenario, llms: Sequence[str]) -> pl.DataFrame:
    """Return one row per query: which LLM a router chose in a scenario, what it predicted of it, and what came of it.

    Returns:
        ``query_id``, ``task``, ``llm`` (the chosen one, null where the log has no outcome of the query),
        ``predicted_performance`` (null for a router that predicts none), ``predicted_cost``, ``performance`` and ``cost``
        (in US dollars) of the chosen LLM, its ``reward``, ``best_llm`` and ``best_reward`` among the LLMs that the log has
        an outcome of, and ``regret``, the reward that was missed. What came of it is null where the log's outcomes cannot
        score choices, see `routable`.
    """
    asked = ~np.isnan(outcomes.performance).all(axis=1)
    choice, rewards = choices(outcomes, done.utility[scenario.name]), outcomes.rewards(scenario)
    best = metrics.choose(rewards, outcomes.performance)
    names = np.array([*llms, None], dtype=object)
    none = np.full(rewards.shape, np.nan)
    predicted = none if done.quality is None else done.quality
    scored = {"performance": outcomes.performance, "cost": outcomes.cost, "reward": rewards}
    scored = scored if routable(outcomes) else dict.fromkeys(scored, none)
    found = {name: metrics.taken(choice, values).astype(np.float64) for name, values in scored.items()}
    found["best_reward"] = metrics.taken(best, scored["reward"])
    found["regret"] = found["best_reward"] - found["reward"]
    columns: dict[str, Any] = {
        "query_id": query_ids(outcomes),
        "task": [task or None for task in outcomes.tasks.tolist()],
        "llm": names[np.where(asked, choice, -1)].tolist(),
        "predicted_performance": metrics.taken(choice, predicted).astype(np.float64),
        "predicted_cost": metrics.taken(choice, done.cost).astype(np.float64),
        **{name: found[name] for name in ("performance", "cost", "reward")},
        "best_llm": names[np.where(asked & routable(outcomes), best, -1)].tolist(),
        **{name: found[name] for name in ("best_reward", "regret")},
    }
    texts = dict.fromkeys(("query_id", "task", "llm", "best_llm"), pl.String)
    return pl.DataFrame(columns, schema_overrides=texts).with_columns(pl.col(pl.Float64).fill_nan(None))


def summed(queries: pl.DataFrame, name: str) -> tuple[Array, Array]:
    """Return what a column of `query_table` adds up to, and what it is divided by, as `graphrouter.metrics.weighted.ratio` takes them.

    Args:
        queries: Q rows.
        name: Of the column. ``nll`` is that of an edge, so a query counts as often as it has cells.

    Returns:
        [Q] and [Q] float64; both 0 where the query has no value.
    """
    counts = queries["cells"] if name == "nll" else queries[name].is_not_null()
    weight = counts.to_numpy().astype(np.float64)
    return queries[name].fill_null(0.0).to_numpy() * weight, weight


class ResampledTables(Generic[K]):
    """Metrics of runs in every resample of their test queries, from tables as `query_table` makes them.

    Text groups are drawn, together over all runs and seeds, and one draw serves all runs, so that differences are paired.

    Attributes:
        tables: By run, Q rows.
        queries: By run, a digest that is the same for runs with the same test queries.
    """

    def __init__(self, tables: Mapping[K, pl.DataFrame], resamples: int = RESAMPLES) -> None:
        self.tables = tables
        ids = {key: "\n".join(table["query_id"]) for key, table in tables.items()}
        self.queries = {key: hashlib.sha256(text.encode()).hexdigest() for key, text in ids.items()}
        sets = {self.queries[key]: table["group"].to_numpy() for key, table in tables.items()}
        drawn = draw_weights(list(sets.values()), resamples) if sets else []
        self._weights = dict(zip(sets, drawn, strict=True))

    def weights(self, key: K) -> Array:
        """Return [1 + B, Q], how often each query of a run counts; the first row is the sample itself."""
        return self._weights[self.queries[key]]

    def score(self, key: K, name: str) -> Array:
        """Return [1 + B], the mean of a column in every resample; see `summed`."""
        return ratio(*summed(self.tables[key], name), self.weights(key))


def _number(value: Any) -> float | None:
    return float(value) if np.isfinite(value) else None
