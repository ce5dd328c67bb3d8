"""The cost-quality plane: what a mixture of LLMs reaches at a cost."""

from __future__ import annotations

import numpy as np

Array = np.ndarray


def upper_hull(cost: Array, performance: Array) -> Array:
    """Return which points span the non-decreasing upper convex hull.

    A router that sends a share of the queries, drawn at random, to one LLM and the rest to another reaches any point
    on the line between the two, so the hull is what can be had without looking at a query (RouterBench,
    arXiv:2403.12031, section 3.2). The published code keeps points that lie below such a line; this is the hull itself.

    Args:
        cost: [N] mean cost of each point, in US dollars.
        performance: [N] mean performance of each point. Points where either is NaN are left out.

    Returns:
        [H] int64, indices by rising cost: from the cheapest point to the cheapest of the best ones, both cost and
        performance rising strictly, each step with a lower slope than the one before.
    """
    known = np.flatnonzero(~(np.isnan(cost) | np.isnan(performance)))
    hull: list[int] = []
    for point in known[np.lexsort((-performance[known], cost[known]))]:
        if hull and performance[point] <= performance[hull[-1]]:
            continue
        while len(hull) > 1 and not _turns_right(cost, performance, hull[-2], hull[-1], point):
            hull.pop()
        hull.append(int(point))
    return np.array(hull, dtype=np.int64)


def _turns_right(cost: Array, performance: Array, first: int, middle: int, last: int) -> bool:
    """Whether the middle point lies above the line from the first to the last."""
    rise, run = performance[middle] - performance[first], cost[middle] - cost[first]
    return bool(rise * (cost[last] - cost[first]) > (performance[last] - performance[first]) * run)
