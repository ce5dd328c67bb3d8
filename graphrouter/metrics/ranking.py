"""How well a router ranks the LLMs of a query.

All take ``utility`` [..., Q, M] of a router, ``values`` [Q, M] (performance or reward, NaN where missing) and
``weights`` of the queries, and return [...] or [..., B] as the other metrics do. Only LLMs with an outcome are ranked;
equal utilities are ranked in the order of the log, which is the order that `choose` breaks ties by.
"""

from __future__ import annotations

import numpy as np

from graphrouter.metrics.metric import metric
from graphrouter.metrics.routing import choose, taken
from graphrouter.metrics.weighted import ratio
from graphrouter.typing import Array


@metric("scenario", ("utility", "rewards"), "hit@1", "Share of queries whose chosen LLM is one of the best")
def hit_at_1(utility: Array, values: Array, weights: Array | None = None) -> Array:
    """Return the share of queries whose chosen LLM is one of the best; where all tie, every choice is."""
    hit = taken(choose(utility, values), values) >= _best(values)
    return ratio(hit.astype(np.float64), _scored(values), weights)


@metric("scenario", ("utility", "rewards"), "MRR", "Mean reciprocal rank of the first LLM that is one of the best")
def mrr(utility: Array, values: Array, weights: Array | None = None) -> Array:
    """Return the mean reciprocal rank of the first LLM that is one of the best."""
    is_best = np.broadcast_to(values >= _best(values)[:, None], utility.shape)
    rank = np.take_along_axis(is_best, _order(utility, values), axis=-1).argmax(axis=-1) + 1
    scored = _scored(values)
    return ratio(np.where(scored, 1 / rank, 0.0), scored, weights)


@metric(
    "scenario",
    ("utility", "gains"),
    "NDCG",
    "Discounted cumulative gain of the ranked LLMs over the best there is; in scenarios that do not weigh cost",
)
def ndcg(utility: Array, values: Array, weights: Array | None = None) -> Array:
    """Return the normalised discounted cumulative gain (Järvelin and Kekäläinen, 2002), with the value as the gain.

    A query that no LLM solves has no best order: it is left out rather than counted as 0 or 1.

    Raises:
        ValueError: If a value is negative: gains must not be.
    """
    if np.nanmin(values, initial=0.0) < 0:
        raise ValueError("ndcg needs values that are not negative; rank by performance, not by a reward with costs")
    gains = np.nan_to_num(values)
    discount = 1 / np.log2(np.arange(values.shape[1]) + 2)
    best = (-np.sort(-gains, axis=-1)) @ discount
    ranked = np.take_along_axis(np.broadcast_to(gains, utility.shape), _order(utility, values), axis=-1) @ discount
    solvable = best > 0
    return ratio(np.where(solvable, ranked / np.where(solvable, best, 1.0), 0.0), solvable, weights)


def _order(utility: Array, values: Array) -> Array:
    """[..., Q, M] columns by falling utility, those without an outcome last."""
    return np.argsort(np.where(np.isnan(values), np.inf, -utility), axis=-1, kind="stable")


def _best(values: Array) -> Array:
    return np.asarray(np.where(np.isnan(values), -np.inf, values).max(axis=1))


def _scored(values: Array) -> Array:
    return np.asarray((~np.isnan(values)).any(axis=1))
