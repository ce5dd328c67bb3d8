"""How good the predicted quality of every (query, LLM) edge is.

All take predictions ``quality`` [..., Q, M], outcomes ``performance`` [Q, M] with NaN where a cell is missing, and
``weights`` of the queries: None, [Q], or [B, Q] for B resamples. They return [...] or [..., B]. Missing cells are left
out; every edge counts the same.
"""

from __future__ import annotations

import numpy as np

from graphrouter.metrics.metric import metric
from graphrouter.metrics.weighted import ratio, total
from graphrouter.typing import Array

CLIP = 1e-6
BINS = 15
EDGE = ("quality", "performance")


@metric(
    "edge",
    EDGE,
    "negative log-likelihood",
    "Mean over (query, LLM) edges of -log of the likelihood of the outcome, in nats",
    lower=True,
    headline=True,
    by_task=True,
)
def nll(quality: Array, performance: Array, weights: Array | None = None) -> Array:
    """Return the mean of `log_loss`."""
    return _mean_over_edges(log_loss(quality, performance), performance, weights)


def log_loss(quality: Array, performance: Array) -> Array:
    """Return [..., Q, M], the negative log-likelihood of each edge, ``-p log q - (1 - p) log(1 - q)``, in nats.

    A graded performance p counts as a share p of successes. Predictions are clipped to [1e-6, 1 - 1e-6].
    """
    sure = np.clip(np.asarray(quality, dtype=np.float64), CLIP, 1 - CLIP)
    return np.asarray(-performance * np.log(sure) - (1 - performance) * np.log1p(-sure))


@metric(
    "edge",
    EDGE,
    "AUROC",
    "Chance that a success has a higher prediction than a failure, all edges pooled",
    headline=True,
    by_task=True,
    slow=True,
)
def auroc(quality: Array, performance: Array, weights: Array | None = None) -> Array:
    """Return the area under the ROC curve, all edges pooled.

    It is the chance that a success has a higher prediction than a failure. An edge of performance p is a success of
    weight p and a failure of weight 1 - p, so a graded label needs no threshold. A tie of predictions counts one half.
    NaN where there is no success or no failure.
    """
    row, column = np.nonzero(~np.isnan(performance))
    success = performance[row, column].astype(np.float64)
    flat = np.asarray(quality)[..., row, column].reshape(-1, len(row))
    draws = np.ones((1, len(performance))) if weights is None else np.atleast_2d(weights)
    areas = np.array([_areas(scores, success, row, draws) for scores in flat])
    shape = np.shape(quality)[:-2]
    return areas.reshape(shape if weights is None or weights.ndim == 1 else (*shape, len(draws)))


def _areas(scores: Array, success: Array, row: Array, draws: Array) -> list[float]:
    """Areas of one router for every row of query weights; the edges are sorted once."""
    order = np.argsort(scores, kind="stable")
    ranked, success, row = scores[order], success[order], row[order]
    starts = np.flatnonzero(np.r_[True, ranked[1:] != ranked[:-1]]) if len(ranked) else np.zeros(0, dtype=np.int64)
    areas = []
    for draw in draws:
        mass = draw[row]
        won = mass * success
        lost = mass - won
        if len(starts) < len(ranked):
            won, lost = np.add.reduceat(won, starts), np.add.reduceat(lost, starts)
        pairs = won.sum() * lost.sum()
        areas.append(float(won @ (np.cumsum(lost) - lost / 2) / pairs) if pairs > 0 else float("nan"))
    return areas


@metric("edge", EDGE, "Brier", "Mean squared error of the predicted quality of an edge", lower=True, by_task=True)
def brier(quality: Array, performance: Array, weights: Array | None = None) -> Array:
    """Return the mean squared error of an edge, ``(q - p)^2`` (Brier, 1950)."""
    return _mean_over_edges((np.asarray(quality, dtype=np.float64) - performance) ** 2, performance, weights)


@metric(
    "edge",
    EDGE,
    "calibration error",
    f"Mean gap of predicted and observed performance, in {BINS} bins of equal width",
    lower=True,
)
def calibration_error(quality: Array, performance: Array, weights: Array | None = None, bins: int = BINS) -> Array:
    """Return the expected calibration error over bins of equal width (Guo et al., 2017, arXiv:1706.04599).

    Args:
        quality: [..., Q, M] in [0, 1].
        performance: [Q, M], NaN where missing.
        weights: Weights of the queries.
        bins: Number of bins; a prediction on a border belongs to the upper bin, 1 to the last.

    Returns:
        The mean over edges of ``|mean p - mean q|`` of their bin.
    """
    quality = np.asarray(quality, dtype=np.float64)
    observed = ~np.isnan(performance)
    surplus = np.where(observed, quality - performance, 0.0)
    number = np.clip((quality * bins).astype(np.int64), 0, bins - 1)
    off = sum(abs(total(np.where(number == b, surplus, 0.0).sum(axis=-1), weights)) for b in range(bins))
    edges = total(observed.sum(axis=-1).astype(np.float64), weights)
    return np.asarray(off / np.where(edges > 0, edges, np.nan))


def reliability(quality: Array, performance: Array, bins: int = BINS) -> Array:
    """Return the reliability diagram of one router: [bins, 3], per bin the edges, mean prediction and mean outcome.

    Empty bins hold 0 and NaN.
    """
    observed = ~np.isnan(performance)
    predicted, outcome = np.asarray(quality, dtype=np.float64)[observed], performance[observed]
    number = np.clip((predicted * bins).astype(np.int64), 0, bins - 1)
    edges = np.bincount(number, minlength=bins).astype(np.float64)
    filled = np.where(edges > 0, edges, np.nan)
    sums = [np.bincount(number, weights=values, minlength=bins) for values in (predicted, outcome)]
    return np.stack([edges, sums[0] / filled, sums[1] / filled], axis=1)


def _mean_over_edges(loss: Array, performance: Array, weights: Array | None) -> Array:
    observed = ~np.isnan(performance)
    return ratio(np.where(observed, loss, 0.0).sum(axis=-1), observed.sum(axis=-1), weights)
