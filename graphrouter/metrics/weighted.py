"""Weighted sums over queries: what makes every metric cheap to resample."""

from __future__ import annotations

import numpy as np

from graphrouter.typing import Array


def total(sums: Array, weights: Array | None) -> Array:
    """Add up over queries.

    Args:
        sums: [..., Q], one number per query.
        weights: None for 1 each, or [Q], or [B, Q] for B resamples at once.

    Returns:
        [...], or [..., B] for B resamples.
    """
    return np.asarray(sums.sum(axis=-1) if weights is None else sums @ weights.T)


def ratio(sums: Array, counts: Array, weights: Array | None) -> Array:
    """Return the weighted mean over queries, NaN where nothing counts.

    Args:
        sums: [..., Q], per query the sum of what is averaged.
        counts: [Q] or [..., Q], per query how many it is a sum of.
        weights: As for `total`.
    """
    above, below = total(sums, weights), total(counts.astype(np.float64), weights)
    return np.asarray(np.divide(above, below, out=np.full(np.broadcast(above, below).shape, np.nan), where=below > 0))


def mean(values: Array, weights: Array | None) -> Array:
    """Return the weighted mean over the queries that have a value.

    Args:
        values: [..., Q], NaN where a query has none.
        weights: As for `total`.
    """
    known = ~np.isnan(values)
    return ratio(np.where(known, values, 0.0).astype(np.float64), known, weights)
