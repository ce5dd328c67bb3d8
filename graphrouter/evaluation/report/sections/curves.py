"""The section on cost and quality: curves of routers, LLMs alone and their hull, and the same above the hull."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from graphrouter.evaluation.report.drawing import SERIES
from graphrouter.evaluation.report.line_charts import Series
from graphrouter.evaluation.report.view import View
from graphrouter.evaluation.scores import ALPHAS
from graphrouter.metrics import mix_performance, upper_hull

COLOURED = 5
"""Baselines with a colour of their own: those of the best AIQ."""
STEPS = 80
"""Points of a line above the hull, where what is straight in the other figure is curved."""
HULL = "hull of the LLMs"


def has_curves(view: View) -> bool:
    """Whether the log has costs, and they are not all 0."""
    evaluation = view.evaluation
    return bool(evaluation.curves) and evaluation.singles is not None and bool((evaluation.singles[0] > 0).any())


def curve_series(view: View) -> list[Series]:
    """Return the hull and the LLMs, then the routers, ours last and so on top.

    The oracle is left out: it is far above, and would squeeze the others. Bands are drawn for ours and the best baseline,
    for more would cover each other.
    """
    ranked = [name for name in view.ranked("", "aiq") if name in view.baselines and _has_line(view, name)]
    colours = dict(
        zip([*view.ours, *ranked[:COLOURED]], [*["mark"] * min(len(view.ours), 1), *SERIES[1:]], strict=False)
    )
    banded = [*view.ours, *ranked[:1]]
    names = [name for name in view.names if name not in view.oracles and name not in view.references]
    order = sorted(names, key=lambda name: (_has_line(view, name), name in colours, name in view.ours))
    drawn = [_router(view, name, colours.get(name, "rest"), name in banded) for name in order]
    assert view.evaluation.singles is not None
    cost, performance = view.evaluation.singles[0] * 1000, view.evaluation.singles[1]
    known = ~np.isnan(cost)
    llms = [name for name, here in zip(view.evaluation.config["log"]["llms"], known, strict=True) if here]
    cost, performance = cost[known], performance[known]
    hull = upper_hull(cost, performance)
    corners = Series(HULL, cost[hull], performance[hull], "dim", "dash")
    return [corners, Series("an LLM alone", cost, performance, "dim", "dot", labels=llms), *drawn]


def above_hull(series: list[Series]) -> list[Series]:
    """Return the routers' performance less that of the mixture of equal cost; points far below the lines are left out.

    Args:
        series: From `curve_series`.
    """
    llms = next(one for one in series if one.kind == "dot")
    routers = [one for one in series if one.kind in ("line", "diamond")]
    found = []
    for one in routers:
        if one.kind == "line" and len(one.x) > 1:
            grid = np.geomspace(max(one.x[0], 1e-12), one.x[-1], STEPS)
            mixed = mix_performance(grid, llms.x, llms.y)
            edges = [None if edge is None else np.interp(grid, one.x, edge) - mixed for edge in (one.low, one.high)]
            found.append(replace(one, x=grid, y=np.interp(grid, one.x, one.y) - mixed, low=edges[0], high=edges[1]))
    if not found:
        return []
    floor = min(line.y.min() for line in found) - 0.02
    points = []
    for one in routers:
        if one.kind == "diamond":
            gain = one.y - mix_performance(one.x, llms.x, llms.y)
            kept = gain >= floor
            labels = [one.name, *[""] * (int(kept.sum()) - 1)] if kept.any() else []
            points.append(replace(one, x=one.x[kept], y=gain[kept], labels=labels))
    costs = np.concatenate([line.x for line in found])
    zero = Series(HULL, np.array([costs.min(), costs.max()]), np.zeros(2), "dim", "dash")
    return [zero, *(one for one in points if len(one.x)), *found]


def _has_line(view: View, name: str) -> bool:
    """Whether a router was swept, and its choices change with the weights."""
    cost, performance = view.evaluation.curves[name]
    return len(cost) == len(ALPHAS) and len(upper_hull(cost, performance)) > 1


def _router(view: View, name: str, colour: str, banded: bool) -> Series:
    cost, performance = view.evaluation.curves[name]
    if _has_line(view, name):
        kept = upper_hull(cost, performance)
        low, high = (edge[kept] for edge in view.evaluation.bands[name]) if banded else (None, None)
        return Series(name, cost[kept] * 1000, performance[kept], colour, "line", low, high)
    # A router that ignores the weights has one point, not several on top of each other.
    kept = np.unique(np.round(np.stack([cost, performance]), 12), axis=1, return_index=True)[1]
    labels = [name] + [""] * (len(kept) - 1)
    return Series(name, cost[kept] * 1000, performance[kept], colour, "diamond", labels=labels)
