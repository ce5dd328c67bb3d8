"""The cost-quality plane: what a mixture of LLMs reaches at a cost, and what a router's curve is worth.

A point is the mean cost in US dollars and the mean performance of a way to choose LLMs: one LLM for all queries, or a
router with one weight of performance against cost.
"""

from __future__ import annotations

import numpy as np

from graphrouter.metrics.metric import metric
from graphrouter.metrics.routing import taken
from graphrouter.metrics.weighted import mean, ratio
from graphrouter.typing import Array

TOLERANCE = 1e-9
"""How far sums of the same numbers in another order may differ."""


def upper_hull(cost: Array, performance: Array) -> Array:
    """Return which points span the non-decreasing upper convex hull.

    A router that sends a share of the queries, drawn at random, to one LLM and the rest to another reaches any point
    on the line between the two, so the hull is what can be had without looking at a query (RouterBench,
    arXiv:2403.12031, section 3.2). The code that RouterBench published takes any of several points of equal cost at
    the ends, loses the end at times, and fails where no point lies between; here it is the hull in every case.

    Args:
        cost: [N] mean cost of each point, in US dollars.
        performance: [N] mean performance of each point. Points where either is NaN are left out.

    Returns:
        [H] int64, indices by rising cost: from the cheapest point to the cheapest of the best ones, both cost and
        performance rising strictly, each step with a lower slope than the one before.
    """
    known = np.flatnonzero(~(np.isnan(cost) | np.isnan(performance)))
    hull: list[int] = []
    for point in known[np.lexsort((-performance[known], cost[known]))].tolist():
        if hull and performance[point] <= performance[hull[-1]]:
            continue
        while len(hull) > 1 and not _turns_right(cost, performance, hull[-2], hull[-1], point):
            hull.pop()
        hull.append(point)
    return np.array(hull, dtype=np.int64)


def _turns_right(cost: Array, performance: Array, first: int, middle: int, last: int) -> bool:
    """Whether the middle point lies above the line from the first to the last."""
    rise, run = performance[middle] - performance[first], cost[middle] - cost[first]
    return bool(rise * (cost[last] - cost[first]) > (performance[last] - performance[first]) * run)


def mix_performance(budget: Array, cost: Array, performance: Array) -> Array:
    """Return the performance of the static mixture of points that costs a budget.

    Args:
        budget: Any shape, mean cost of a query in US dollars. Below the cheapest point it buys that point all the
            same, so that nobody gains by undercutting every LLM; above the best point, the best point.
        cost: [N] of the points.
        performance: [N] of the points.

    Returns:
        The shape of the budget; NaN where no point is known.
    """
    hull = upper_hull(cost, performance)
    if not len(hull):
        return np.full(np.shape(budget), np.nan)
    return np.asarray(np.interp(budget, cost[hull], performance[hull]))


def single_points(performance: Array, cost: Array, weights: Array | None = None) -> tuple[Array, Array]:
    """Return the points of the LLMs alone: mean cost and mean performance, over the queries each has an outcome for.

    Args:
        performance: [Q, M], NaN where missing.
        cost: [Q, M] in US dollars.
        weights: Weights of the queries: None, [Q], or [B, Q].

    Returns:
        Two arrays [M], or [B, M] for B resamples; NaN for an LLM without outcomes.
    """
    seen = ~np.isnan(performance)
    counts = seen.T.astype(np.float64)
    points = [
        ratio(np.where(seen, values, 0.0).T.astype(np.float64), counts, weights) for values in (cost, performance)
    ]
    return points[0].T, points[1].T


@metric(
    "scenario",
    ("choice", "performance", "cost"),
    "over equal-cost mix",
    "Mean performance above that of the best mixture of LLMs that does not look at the query and costs as much",
)
def gain_over_mix(choice: Array, performance: Array, cost: Array, weights: Array | None = None) -> Array:
    """Return the mean performance above that of the static mixture of LLMs with the same mean cost.

    The mixture is the best one in hindsight: its hull is that of the LLMs on the evaluated queries.

    Args:
        choice: [..., Q] from `choose`.
        performance: [Q, M], NaN where missing.
        cost: [Q, M] in US dollars.
        weights: Weights of the queries: None, [Q], or [B, Q]. Router and mixture are resampled together.
    """
    means = [mean(taken(choice, values), weights) for values in (cost, performance)]
    singles = single_points(performance, cost, weights)
    if weights is None or weights.ndim == 1:
        return np.asarray(means[1] - mix_performance(means[0], *singles))
    mixed = [mix_performance(means[0][..., b], *(axis[b] for axis in singles)) for b in range(len(weights))]
    return np.asarray(means[1] - np.stack(mixed, axis=-1))


@metric(
    "curve",
    ("cost_from_cheapest", "performance_from_cheapest", "lowest_cost", "highest_cost"),
    "AIQ",
    "Mean height of the curve over the cost range of the LLMs, from 0 to 1",
    slow=True,
)
def aiq(cost: Array, performance: Array, low: float, high: float) -> float:
    """Return AIQ (RouterBench, arXiv:2403.12031): the mean height of a router's hull over a range of cost.

    The published code divides the area by the highest cost; here, as in the paper, by the range.

    Args:
        cost: [N] of the router's points, in US dollars.
        performance: [N] of the router's points.
        low: Where the range begins. To the left of the cheapest point nothing can be had: performance 0.
        high: Where it ends. To the right of the best point its performance stays.

    Returns:
        The area under `upper_hull` between both, divided by ``high - low``; NaN for an empty range.
    """
    if not high > low:
        return float("nan")
    hull = upper_hull(cost, performance)
    x, y = cost[hull], performance[hull]
    grid = np.unique(np.clip(np.concatenate([x, [low, high]]), max(low, min(x[0], high)), high))
    return float(np.trapezoid(np.interp(grid, x, y), grid) / (high - low))


@metric(
    "curve",
    ("performance", "best_performance"),
    "performance gain",
    "How far the best point of the curve lies above the best single LLM",
    slow=True,
    percent=True,
)
def performance_gain(performance: Array, level: Array) -> Array:
    """Return PerfGain (LLMRouterBench, arXiv:2601.07206): how far a router's best point lies above the best single LLM.

    Args:
        performance: [..., N] of the router's points.
        level: [...] mean performance of the best single LLM.

    Returns:
        [...] relative to the level: 0.02 is two per cent more. The authors publish the definition in words and not in
        code; that it is relative follows from the figures beside it.
    """
    return np.asarray(performance.max(axis=-1) / np.where(level > 0, level, np.nan) - 1)


@metric(
    "curve",
    ("cost", "performance", "best_cost", "best_performance"),
    "cost saving",
    "Share of the cost of the best single LLM that is saved at its performance",
    slow=True,
    percent=True,
)
def cost_saving(cost: Array, performance: Array, level_cost: Array, level: Array) -> Array:
    """Return CostSave (LLMRouterBench, arXiv:2601.07206): the share of cost saved at the best single LLM's performance.

    Args:
        cost: [..., N] of the router's points, in US dollars.
        performance: [..., N] of the router's points.
        level_cost: [...] mean cost of the best single LLM.
        level: [...] its mean performance.

    Returns:
        [...] within [0, 1]: what the router's cheapest point with at least that performance saves. Where no point
        reaches it at a lower cost, the best single LLM itself is the way to have it, and nothing is saved.
    """
    reaches = performance >= np.asarray(level)[..., None] - TOLERANCE
    cheapest = np.minimum(np.where(reaches, cost, np.inf).min(axis=-1), level_cost)
    return np.asarray(1 - cheapest / np.where(level_cost > 0, level_cost, np.nan))


def pareto_front(cost: Array, performance: Array) -> Array:
    """Return [F] int64, the points that no other point beats at the same or a lower cost, by rising cost."""
    order = np.lexsort((-performance, cost))
    highest = np.maximum.accumulate(performance[order])
    return np.asarray(order[np.r_[True, highest[1:] > highest[:-1]]])


@metric(
    "curve",
    ("scaled_cost", "scaled_performance", "front_cost", "front_performance"),
    "ParetoDist",
    "Mean distance of the points of the curve to the Pareto front of all routers and LLMs",
    lower=True,
    slow=True,
    relative=True,
)
def pareto_dist(cost: Array, performance: Array, front_cost: Array, front_performance: Array) -> float:
    """Return ParetoDist (LLMRouterBench, arXiv:2601.07206): the mean distance of a router's points to the front.

    It is the generational distance of multi-objective optimisation (Van Veldhuizen, 1999) in the plane; bring both
    axes to a common scale before. The authors publish no scale; the evaluation divides each axis by the range of the
    single LLMs.

    Args:
        cost: [N] of the router's points, scaled.
        performance: [N], scaled.
        front_cost: [F] of the points of `pareto_front` over all routers and LLMs that are compared, scaled.
        front_performance: [F], scaled.
    """
    gaps = np.hypot(cost[:, None] - front_cost, performance[:, None] - front_performance)
    return float(gaps.min(axis=1).mean())
