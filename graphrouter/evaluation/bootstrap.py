"""Resampling: the intervals of every summary.

An interval for *fitted routers* resamples the test queries and holds everything else fixed: what these routers, fitted
on these splits, would score on other queries. An interval for *methods* resamples the seeds too, that is splits and
random starts: what the methods would score when they are fitted anew. ``benchmarks/coverage.py`` measures how often
both hold the truth.
"""

from __future__ import annotations

import numpy as np

from graphrouter.typing import Array

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


def draw_seeds(seeds: int, ratio: float, resamples: int = RESAMPLES, seed: int = 1) -> Array:
    """Draw how much the deviation of each seed from the mean over seeds counts in each resample.

    Seeds are drawn with replacement, as queries are. Two corrections make the variance of ``draws @ deviations`` equal
    to ``S^2 (1 / J + ratio)``, where S^2 is the variance between J seeds. The bootstrap of J values has (J - 1) / J of
    the variance of their mean. And seeds share queries, so a mean over seeds varies more over fresh logs than S^2 / J:
    by S^2 times the ratio, after Nadeau and Bengio (2003, Inference for the generalization error, section 3.2).
    Bouthillier et al. (2021, arXiv:2103.03098) is on what else varies between runs.

    Args:
        seeds: J, 2 or more.
        ratio: Test queries per query that a router has seen, in training or validation.
        resamples: B.
        seed: The same seed gives the same draws.

    Returns:
        [1 + B, J] float64; the first row is all zeros, the sample itself.
    """
    counts = np.random.default_rng(seed).multinomial(seeds, np.full(seeds, 1 / seeds), size=resamples)
    scale = np.sqrt((1 / seeds + ratio) * seeds**2 / (seeds - 1))
    return np.concatenate([np.zeros((1, seeds)), scale * (counts / seeds - 1 / seeds)])


def interval(values: Array) -> tuple[float, float]:
    """Return the 95% percentile interval of resampled values; NaN where none is a number."""
    known = values[~np.isnan(values)]
    if not len(known):
        return float("nan"), float("nan")
    low, high = np.percentile(known, [2.5, 97.5])
    return float(low), float(high)


def mean_over_seeds(values: list[Array], draws: Array | None = None) -> Array:
    """Return the mean over seeds of equally shaped arrays; a seed that is NaN is left out.

    Args:
        values: Values for each of J seeds [...], or [..., 1 + B] with the sample itself first.
        draws: From `draw_seeds`, [1 + B or more, J], to resample the seeds too; None to hold them fixed.
    """
    stacked = np.stack(values)
    known = ~np.isnan(stacked)
    counts = known.sum(axis=0)
    means = np.where(counts > 0, np.where(known, stacked, 0.0).sum(axis=0) / np.maximum(counts, 1), np.nan)
    if draws is None:
        return means
    deviations = np.nan_to_num(stacked[..., 0] - means[..., 0])
    return np.asarray(means + np.moveaxis(deviations, 0, -1) @ draws[: means.shape[-1]].T)
