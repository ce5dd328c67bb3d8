"""Resampling of queries: the intervals of every summary."""

from __future__ import annotations

import numpy as np

Array = np.ndarray

RESAMPLES = 1000
FEW = 200
"""Resamples for AUROC and the curve metrics, which are no means over queries and so cost more."""


def draw_weights(groups: list[Array], resamples: int = RESAMPLES, seed: int = 0) -> list[Array]:
    """Draw how often each query occurs in each resample.

    The bootstrap is by clusters (Field and Welsh, 2007): queries of equal normalised text are drawn together, and so
    is one query in the test parts of several seeds. The same draw serves every router, so differences are paired.

    Args:
        groups: Per seed [Q] int64, the group of each query.
        resamples: B.
        seed: The same seed gives the same draws.

    Returns:
        Per seed [1 + B, Q] float64; the first row is all ones, the sample itself.
    """
    known, position = np.unique(np.concatenate(groups), return_inverse=True)
    random = np.random.default_rng(seed)
    counts = np.ones((1 + resamples, len(known)), dtype=np.float32)
    for row in range(1, 1 + resamples):
        counts[row] = np.bincount(random.integers(len(known), size=len(known)), minlength=len(known))
    ends = np.cumsum([len(part) for part in groups])[:-1]
    return [counts[:, part].astype(np.float64) for part in np.split(position, ends)]


def interval(values: Array) -> tuple[float, float]:
    """Return the 95% percentile interval of resampled values; NaN where none is a number."""
    known = values[~np.isnan(values)]
    if not len(known):
        return float("nan"), float("nan")
    low, high = np.percentile(known, [2.5, 97.5])
    return float(low), float(high)


def mean_over_seeds(values: list[Array]) -> Array:
    """Return the mean over seeds of equally shaped arrays; a seed that is NaN is left out."""
    stacked = np.stack(values)
    known = ~np.isnan(stacked)
    counts = known.sum(axis=0)
    return np.where(counts > 0, np.where(known, stacked, 0.0).sum(axis=0) / np.maximum(counts, 1), np.nan)
