"""Performance of routing between a strong and a weak LLM at each share of calls to the strong one (RouteLLM).

The share of calls stands for the cost, as the strong LLM's price is most of it (RouteLLM, arXiv:2406.18665, section
2.3). ``curve`` [..., G] comes from `call_curve`; curves of several seeds may be averaged before they are scored.
"""

from __future__ import annotations

import numpy as np

from graphrouter.typing import Array

POINTS = 101
"""Of a curve: the shares 0, 0.01, ... 1."""


def call_curve(score: Array, weak: Array, strong: Array, weights: Array | None = None, points: int = POINTS) -> Array:
    """Return the mean performance at each share of calls to the strong LLM.

    The queries of the highest scores are the ones that go to it. Queries of equal score go there in random order (the
    expectation of it), so a router without any preference lies on the straight line of random routing.

    Args:
        score: [Q], how much a router prefers the strong LLM.
        weak: [Q] performance of the weak LLM.
        strong: [Q] performance of the strong LLM.
        weights: Weights of the queries: None, [Q], or [B, Q] for B resamples.
        points: G, of shares evenly from 0 to 1.

    Returns:
        [G], or [B, G]; NaN where the weights of all queries are 0.
    """
    order = np.argsort(-score, kind="stable")
    ranked = score[order]
    ends = np.r_[np.flatnonzero(ranked[1:] != ranked[:-1]), len(ranked) - 1] if len(ranked) else np.zeros(0, np.int64)
    draws = np.ones((1, len(score))) if weights is None else np.atleast_2d(weights).astype(np.float64)
    shares = np.linspace(0, 1, points)
    curves = np.full((len(draws), points), np.nan)
    for row, draw in enumerate(draws):
        mass = draw.sum()
        if mass > 0:
            sent = np.r_[0.0, np.cumsum(draw[order])[ends]] / mass
            gained = np.r_[0.0, np.cumsum((draw * (strong - weak))[order])[ends]] / mass
            curves[row] = (draw @ weak) / mass + np.interp(shares, sent, gained)
    return curves[0] if weights is None or weights.ndim == 1 else curves


def gap_recovered(curve: Array) -> Array:
    """Return PGR [..., G]: the share of the gap between the weak and the strong LLM that is recovered.

    0 is the weak LLM and 1 the strong one; it is above 1 where a router is better than the strong LLM. NaN where the
    strong LLM is no better than the weak one.
    """
    gap = curve[..., -1:] - curve[..., :1]
    return np.asarray((curve - curve[..., :1]) / np.where(gap > 0, gap, np.nan))


def apgr(curve: Array) -> Array:
    """Return APGR [...]: the mean gap recovered over all shares of calls; 0.5 for random routing.

    The published code takes the area between ten thresholds; here it is that under the whole curve.
    """
    shares = np.linspace(0, 1, curve.shape[-1])
    return np.asarray(np.trapezoid(gap_recovered(curve), shares, axis=-1))


def cpt(curve: Array, level: float) -> Array:
    """Return CPT [...]: the least share of calls to the strong LLM that recovers so much of the gap.

    Between two points of the curve it is interpolated. The published code interpolates as if performance could only
    rise with the share; here it is the first share that reaches the level.

    Args:
        curve: [..., G].
        level: Share of the gap, within [0, 1], such as 0.5.
    """
    recovered = gap_recovered(curve)
    last = recovered.shape[-1] - 1
    reached = (recovered >= level - 1e-12).argmax(axis=-1)
    before = np.maximum(reached - 1, 0)
    high = np.take_along_axis(recovered, reached[..., None], -1)[..., 0]
    low = np.take_along_axis(recovered, before[..., None], -1)[..., 0]
    part = np.where(high > low, (level - low) / np.where(high > low, high - low, 1), 1.0)
    share = np.where(reached == 0, 0.0, (before + np.clip(part, 0, 1)) / last)
    return np.asarray(np.where(np.isnan(recovered).any(axis=-1), np.nan, share))
