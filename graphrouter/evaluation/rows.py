"""A row for each test query of a run, from its outcomes and predictions, and resamples of such tables."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from typing import Any, Generic, TypeVar

import numpy as np
import polars as pl

from graphrouter import metrics
from graphrouter.dataset import RoutingData
from graphrouter.evaluation.bootstrap import RESAMPLES, draw_weights
from graphrouter.evaluation.store import Outcomes, Predictions
from graphrouter.evaluation.support import Support
from graphrouter.metrics.edges import log_loss
from graphrouter.metrics.weighted import ratio
from graphrouter.scenario import Scenario
from graphrouter.typing import Array

K = TypeVar("K")


def outcomes_of(part: RoutingData, cost_scale: float, **about: Any) -> Outcomes:
    """Return the log's outcomes of a part's queries.

    Args:
        part: Queries and their outcomes.
        cost_scale: Dollars of a normalised cost of 1; NaN where there is none.
        about: See `Outcomes`.
    """
    tasks = np.array([task or "" for task in part.queries.tasks], dtype=object)
    about["cost_scale"] = cost_scale if np.isfinite(cost_scale) else None
    about["llms"] = list(part.llms.names)
    ids = np.array(part.queries.ids, dtype=object)
    return Outcomes(tasks, part.queries.groups, part.performance, part.cost, about, ids)


def routable(outcomes: Outcomes) -> bool:
    """Return whether choices can be scored on these queries; see `graphrouter.evaluation.support.LEAST_CHOICE`."""
    return Support.of([outcomes.performance]).routable


def choices(outcomes: Outcomes, utility: Array, able: bool) -> Array:
    """Return [Q], the column of the LLM of the highest utility.

    Args:
        outcomes: Q queries, M LLMs.
        utility: [Q, M], NaN where a router that needs outcomes has none.
        able: Whether choices can be scored, see `routable`. It is then chosen among the logged LLMs, and else among all.
    """
    logged = outcomes.performance
    return metrics.choose(np.where(np.isnan(utility), -np.inf, utility), logged if able else np.zeros_like(logged))


def without_rewards(outcomes: Outcomes, without: Predictions, column: int, scenario: Scenario) -> Array:
    """Return [Q], the reward of the choices of a router that does not have the LLM in ``column``; NaN for none."""
    others = np.delete(np.arange(outcomes.performance.shape[1]), column)
    choice = others[metrics.choose(without.utility[scenario.name], outcomes.performance[:, others])]
    return metrics.taken(choice, outcomes.rewards(scenario))


def query_table(outcomes: Outcomes, done: Predictions, scenarios: Sequence[Scenario]) -> pl.DataFrame:
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
    able = routable(outcomes)
    kept = ("llm", "performance", "reward", "cost") if able else ("llm",)
    for scenario in scenarios:
        table = choice_table(outcomes, done, scenario, able)
        columns |= {f"{name}:{scenario.name}": table[name] for name in kept}
    columns |= {f"without_reward:{name}": rewards for name, rewards in done.without.items()}
    frame = pl.DataFrame(columns, schema_overrides={"task": pl.String, "query_id": pl.String})
    return frame.with_columns(pl.col(pl.Float64).fill_nan(None))


def query_ids(outcomes: Outcomes) -> list[str]:
    """Return the queries' ids; their numbers where they are not known."""
    return [str(one) for one in (range(len(outcomes.tasks)) if outcomes.ids is None else outcomes.ids)]


def choice_table(outcomes: Outcomes, done: Predictions, scenario: Scenario, able: bool) -> pl.DataFrame:
    """Return one row per query: which LLM a router chose in a scenario, what it predicted of it, and what came of it.

    Args:
        outcomes: Q queries, M LLMs.
        done: Predictions of the router.
        scenario: Its utilities decide.
        able: Whether choices can be scored, see `routable`.

    Returns:
        ``query_id``, ``task``, ``llm`` (the chosen one, null where the log has no outcome of the query),
        ``predicted_performance`` (null for a router that predicts none), ``predicted_cost``, ``performance`` and ``cost``
        (in US dollars) of the chosen LLM, its ``reward``, ``best_llm`` and ``best_reward`` among the LLMs that the log has
        an outcome of, and ``regret``, the reward that was missed. What came of it is null where choices cannot be scored.
    """
    asked = ~np.isnan(outcomes.performance).all(axis=1)
    choice, rewards = choices(outcomes, done.utility[scenario.name], able), outcomes.rewards(scenario)
    best = metrics.choose(rewards, outcomes.performance)
    names = np.array([*outcomes.llms, None], dtype=object)
    none = np.full(rewards.shape, np.nan)
    predicted = none if done.quality is None else done.quality
    scored = {"performance": outcomes.performance, "cost": outcomes.cost, "reward": rewards}
    scored = scored if able else dict.fromkeys(scored, none)
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
        "best_llm": names[np.where(asked & able, best, -1)].tolist(),
        **{name: found[name] for name in ("best_reward", "regret")},
    }
    texts = dict.fromkeys(("query_id", "task", "llm", "best_llm"), pl.String)
    return pl.DataFrame(columns, schema_overrides=texts).with_columns(pl.col(pl.Float64).fill_nan(None))


def summed(queries: pl.DataFrame, name: str) -> tuple[Array, Array]:
    """Return numerator and denominator of a column of `query_table`, as `graphrouter.metrics.weighted.ratio` takes them.

    Args:
        queries: Q rows.
        name: Name of the column. ``nll`` is that of an edge, so a query counts as often as it has cells.

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
