"""Saved predictions -> what they score: by seed, task and scenario, and with intervals."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import polars as pl

from graphrouter import metrics
from graphrouter.evaluation.bootstrap import FEW, draw_seeds
from graphrouter.evaluation.collected import RESULT_COLUMNS, Evaluation, average, collect
from graphrouter.evaluation.differences import Resampling, baselines, best_of, estimate
from graphrouter.evaluation.folder import Store
from graphrouter.evaluation.scores import (
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
from graphrouter.metrics import METRICS, metrics_of
from graphrouter.scenario import Scenario
from graphrouter.typing import Array, Record

Result = tuple[str, str, int, str, str, str, str, float]
REFERENCE = "LLM "
"""Before the name of an LLM that stands in a table as a reference."""


def evaluate_store(store: Store) -> Evaluation:
    """Score the predictions saved in a folder."""
    config = store.config()
    scenarios = [Scenario(**scenario) for scenario in config["scenarios"]]
    seeds: list[int] = config["seeds"]
    kept = [store.outcomes(seed) for seed in seeds]
    labels = [*config["routers"], *(config.get("references") or [])]
    oracle = [config["routers"].get(label, {}).get("oracle", False) for label in labels]
    resampling = Resampling([outcomes.groups for outcomes in kept], seeds=seed_draws(config, kept))
    rows: list[Result] = []
    values: dict[tuple[str, str], list[Array]] = {}
    support = Support.of([outcomes.performance for outcomes in kept])
    evaluation = Evaluation(config | {"routing": support.about()}, support, pl.DataFrame(), pl.DataFrame())
    support_of_task = _task_support(kept)
    for seed, outcomes, draws in zip(seeds, kept, resampling.weights, strict=True):
        predictions = [_predictions(store, config, label, seed, outcomes, scenarios) for label in labels]
        curves = _curves(outcomes, predictions, scenarios, draws, support)
        whole = _all_scores(outcomes, predictions, curves, scenarios, draws, oracle, support)
        for key, resampled in whole.items():
            values.setdefault(key, []).append(resampled)
        rows += _rows(config, labels, seed, "", {key: resampled[:, 0] for key, resampled in whole.items()})
        for task, scores in _task_scores(outcomes, predictions, scenarios, support_of_task):
            rows += _rows(config, labels, seed, task, scores)
        rows += _validation_rows(config, labels, seed, predictions)
        collect(evaluation, seed, outcomes, labels, predictions, scenarios, curves)
    evaluation.results = pl.DataFrame([row for row in rows if np.isfinite(row[-1])], schema=_schema(), orient="row")
    averaged = {key: resampling.over_seeds(parts) for key, parts in values.items()}
    evaluation.summary = _summary(config, labels, averaged)
    average(evaluation, len(seeds))
    return evaluation


def seed_draws(config: Record, kept: list[Outcomes]) -> Array | None:
    """Return the draws of the seeds for an interval of methods, see `draw_seeds`; None for one of fitted routers."""
    if config.get("interval", "fitted") == "fitted":
        return None
    sizes = [outcomes.about["sizes"] for outcomes in kept]
    seen = sum(size["train"] + size["validation"] for size in sizes)
    return draw_seeds(len(kept), sum(size["test"] for size in sizes) / seen)


def _predictions(
    store: Store, config: Record, label: str, seed: int, outcomes: Outcomes, scenarios: list[Scenario]
) -> Predictions:
    """Load a router's predictions, or make those of an LLM that is a reference."""
    if label in config["routers"]:
        return store.predictions(label, seed)
    column = config["log"]["llms"].index(label.removeprefix(REFERENCE))
    _, fallback = metrics.single_points(outcomes.performance, outcomes.performance)
    preference = np.where(np.isnan(fallback), -1.0, fallback)
    preference[column] = 2.0
    utility = np.tile(preference, (len(outcomes.performance), 1))
    return Predictions(None, outcomes.cost, {s.name: utility for s in scenarios}, {})


def _curves(
    outcomes: Outcomes, predictions: list[Predictions], scenarios: list[Scenario], draws: Array, support: Support
) -> list[tuple[Array, Array]]:
    """Cost-quality curve of each router in few resamples; none where there is no cost, or hardly a choice."""
    if not (support.routable and has_cost(outcomes)):
        return []
    return [curve(outcomes, given, scenarios, draws[: 1 + FEW]) for given in predictions]


def _all_scores(
    outcomes: Outcomes,
    predictions: list[Predictions],
    curves: list[tuple[Array, Array]],
    scenarios: list[Scenario],
    draws: Array,
    oracle: list[bool],
    support: Support,
) -> Scores:
    """[R, 1 + B] each; the first column is the sample itself."""
    few = draws[: 1 + FEW]
    scores: Scores = {}
    for slow, weights in ((False, draws), (True, few)):
        scores |= edge_scores(outcomes, predictions, weights, metrics_of("edge", slow=slow))
    for scenario in scenarios:
        for slow, weights in ((False, draws), (True, few)):
            names = [name for name in routing_metrics(support) if METRICS[name].slow == slow]
            scores |= scenario_scores(outcomes, predictions, scenario, weights, names)
    if curves:
        scores |= curve_scores(outcomes, curves, few, oracle, metrics_of("curve"))
    return scores


def _task_support(kept: list[Outcomes]) -> dict[str, Support]:
    """How far choices can be scored on each task, all seeds together."""
    names = sorted({str(task) for outcomes in kept for task in outcomes.tasks if task})
    return {name: Support.of([one.performance[one.tasks == name] for one in kept]) for name in names}


def _task_scores(
    outcomes: Outcomes, predictions: list[Predictions], scenarios: list[Scenario], support: dict[str, Support]
) -> Iterator[tuple[str, Scores]]:
    """Each task's name, and its scores [R]; those of choices only where the task's outcomes can give them."""
    tasks = [str(task) for task in np.unique(outcomes.tasks) if task]
    if not tasks:
        return
    weights = np.stack([outcomes.tasks == task for task in tasks]).astype(np.float64)
    scores = edge_scores(outcomes, predictions, weights, metrics_of("edge", by_task=True))
    for scenario in scenarios:
        scores |= scenario_scores(outcomes, predictions, scenario, weights, metrics_of("scenario", by_task=True))
    for number, task in enumerate(tasks):
        able = {*metrics_of("edge"), *routing_metrics(support[task])}
        yield task, {key: by_task[:, number] for key, by_task in scores.items() if key[1] in able}


def _rows(config: Record, labels: list[str], seed: int, task: str, scores: Scores) -> Iterator[Result]:
    log, split = config["log"]["label"], config["split"]
    for (scenario, metric), by_router in scores.items():
        for label, value in zip(labels, by_router, strict=True):
            yield (log, label, seed, split, scenario, task, metric, float(value))


def _validation_rows(config: Record, labels: list[str], seed: int, predictions: list[Predictions]) -> Iterator[Result]:
    """The score that each router's setting was chosen by."""
    for label, given in zip(labels, predictions, strict=True):
        if "validation" in given.about:
            measure, score = str(given.about.get("tuned_by", config["tune_by"])), given.about["validation"]
            yield (config["log"]["label"], label, seed, "validation", "", "", measure, score)


def _schema() -> dict[str, type[pl.DataType]]:
    return {column: {"seed": pl.Int64, "value": pl.Float64}.get(column, pl.String) for column in RESULT_COLUMNS}


def _summary(config: Record, labels: list[str], values: Scores) -> pl.DataFrame:
    rows = []
    for (scenario, metric), resampled in values.items():
        means = dict(zip(labels, resampled[:, 0].tolist(), strict=True))
        best = best_of(baselines(config), means, metric) if METRICS[metric].merit else None
        for row, label in enumerate(labels):
            if not np.isfinite(means[label]):
                continue
            entry: dict[str, object] = {"log": config["log"]["label"], "router": label, "scenario": scenario}
            found = estimate(resampled[row])
            entry |= {
                "metric": metric,
                "mean": found.value,
                "low": found.low,
                "high": found.high,
                "best_baseline": best,
            }
            if best is not None and label != best:
                entry |= estimate(resampled[row] - resampled[labels.index(best)]).cells("difference")
            rows.append(entry)
    numbers = ("mean", "low", "high", "difference", "difference_low", "difference_high")
    order = ("log", "router", "scenario", "metric", "mean", "low", "high", "best_baseline", *numbers[3:])
    return pl.DataFrame(rows, schema={name: pl.Float64 if name in numbers else pl.String for name in order})
