"""Metrics of the chosen LLMs.

``choice`` [..., Q] comes from `choose`. ``values`` [Q, M] is what is asked for of each LLM: its performance, its cost
or its reward, NaN where the cell is missing. ``weights`` of the queries are None, [Q], or [B, Q] for B resamples; the
functions return [...] or [..., B].
"""

from __future__ import annotations

import numpy as np

from graphrouter.metrics.metric import metric
from graphrouter.metrics.weighted import mean, ratio
from graphrouter.typing import Array

REWARDS = ("choice", "rewards")


def choose(utility: Array, outcomes: Array) -> Array:
    """Return each query's LLM of the highest utility among those that the log has an outcome for.

    So a missing cell is neither a failure nor a success: no router can be scored on it, the oracle included, and all
    routers choose among the same LLMs. A tie of utilities goes to the LLM that comes first in the log.

    Args:
        utility: [..., Q, M] of a router, or ``values`` themselves for the oracle's choice.
        outcomes: [Q, M], NaN where the cell is missing.

    Returns:
        [..., Q] int64 column numbers; of no meaning for a query without any outcome, which no metric counts.
    """
    return np.asarray(np.where(np.isnan(outcomes), -np.inf, utility).argmax(axis=-1))


def taken(choice: Array, values: Array) -> Array:
    """Return [..., Q], the value of the chosen LLM for each query."""
    return np.asarray(values[np.arange(len(values)), choice])


@metric("scenario", ("choice", "performance"), "performance", "Mean performance of the chosen LLMs", by_task=True)
def performance(choice: Array, values: Array, weights: Array | None = None) -> Array:
    """Return the mean performance of the chosen LLMs."""
    return mean(taken(choice, values), weights)


@metric(
    "scenario",
    ("choice", "cost"),
    "$ per 1,000 queries",
    "Mean cost of 1,000 queries",
    lower=True,
    by_task=True,
    dollars=True,
)
def cost(choice: Array, values: Array, weights: Array | None = None) -> Array:
    """Return the mean cost of a query in US dollars."""
    return mean(taken(choice, values), weights)


@metric("scenario", REWARDS, "reward", "Mean reward of the chosen LLMs", headline=True, by_task=True)
def reward(choice: Array, values: Array, weights: Array | None = None) -> Array:
    """Return the mean reward of the chosen LLMs; ``values`` are the rewards of a scenario."""
    return mean(taken(choice, values), weights)


def best_single(values: Array) -> int:
    """Return the LLM of the highest mean value over the queries that it has outcomes for.

    It is chosen in hindsight, on the evaluated queries, so no router could have known it. An LLM with less than half
    the outcomes of the most frequent LLM is not considered: on few queries luck can make any LLM the best.

    Raises:
        ValueError: If there is no outcome at all.
    """
    counts = (~np.isnan(values)).sum(axis=0)
    if not counts.any():
        raise ValueError("best_single needs at least one outcome")
    means = np.nansum(values, axis=0) / np.maximum(counts, 1)
    return int(np.where(counts * 2 >= counts.max(), means, -np.inf).argmax())


@metric("scenario", REWARDS, "over best LLM", "Mean reward above that of the best single LLM in hindsight")
def gain_over_best_single(choice: Array, values: Array, weights: Array | None = None) -> Array:
    """Return the mean value above that of `best_single`, over the queries that it has outcomes for."""
    return mean(taken(choice, values) - values[:, best_single(values)], weights)


@metric("scenario", REWARDS, "over random", "Mean reward above that of an LLM drawn at random for each query")
def gain_over_random(choice: Array, values: Array, weights: Array | None = None) -> Array:
    """Return the mean value above that of an LLM drawn at random (its expectation) among those with an outcome."""
    counts = (~np.isnan(values)).sum(axis=1)
    expected = np.where(counts > 0, np.nansum(values, axis=1) / np.maximum(counts, 1), np.nan)
    return mean(taken(choice, values) - expected, weights)


@metric("scenario", REWARDS, "gap to oracle", "Mean reward lost against the best LLM of each query", lower=True)
def gap_to_oracle(choice: Array, values: Array, weights: Array | None = None) -> Array:
    """Return the mean value that is lost against the best LLM of each query; 0 is perfect."""
    return mean(taken(choose(values, values), values) - taken(choice, values), weights)


@metric(
    "scenario",
    REWARDS,
    "gap closed",
    "Share of the gap between the best single LLM and the best LLM of each query that is closed",
)
def gap_closed(choice: Array, values: Array, weights: Array | None = None) -> Array:
    """Return the share of the gap between `best_single` and the oracle that is closed: 1 is perfect, 0 no gain.

    Over the queries that the best single LLM has outcomes for; NaN where it is the oracle's equal.
    """
    single = values[:, best_single(values)]
    known = ~np.isnan(single)
    room = taken(choose(values, values), values) - single
    gained = np.where(known, taken(choice, values) - single, 0.0)
    return ratio(gained.astype(np.float64), np.where(known, room, 0.0), weights)
