"""The section of a report on cost and quality: two figures and a table."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from graphrouter.evaluation.page import legend
from graphrouter.evaluation.scores import ALPHAS
from graphrouter.evaluation.svg import Series, cost_chart
from graphrouter.evaluation.tables import metric_notes, metric_table
from graphrouter.evaluation.view import View
from graphrouter.metrics import metrics_of, mix_performance, upper_hull

Array = np.ndarray

COLOURS = 5
"""Baselines with a colour of their own: those of the best AIQ."""
STEPS = 80
"""Points of a line in the figure above the hull, where what is straight in the other one is curved."""


def curve_section(view: View) -> str:
    """Return the cost-quality curves and their metrics; nothing for a log without cost, or where all is free."""
    evaluation = view.evaluation
    if not evaluation.curves or evaluation.singles is None or not (evaluation.singles[0] > 0).any():
        return ""
    styles = _styles(view)
    routers = [_router_series(view, name, styles.get(name, "rest")) for name in _drawn(view, styles)]
    keys = [(style, name) for name, style in styles.items()]
    keys += [("rest", "other routers")] if any(one.style == "rest" for one in routers) else []
    keys += [("llm", "an LLM alone"), ("hull", "hull of the LLMs")]
    estimated = " Cost is estimated." if evaluation.config["log"]["cost_estimated"] else ""
    above, names = _above_hull(view, routers), metrics_of("curve")
    return (
        "<h2>Cost and quality</h2><p>A line is a router whose weight of performance is swept from 1 to 0, a diamond the "
        "choice of one that does not heed the weight, or serves few scenarios only, a dot an LLM alone. What lies above the dashed hull is better than any "
        f"mixture of LLMs that does not look at the query.{estimated} Means over seeds; point at a line for its name.</p>"
        + wide_and_narrow([*_llm_series(view), *routers], "performance")
        + legend(keys)
        + "<p>The same above the hull: how much performance a router adds to the mixture that costs as much. Below 0, the "
        "mixture is better.</p>"
        + (wide_and_narrow(above, "above the mixture") if above else "")
        + metric_table(view, "", names[0], names[1:])
        + metric_notes(names)
    )


def wide_and_narrow(series: Sequence[Series], y_label: str, of: str = "router") -> str:
    """Draw a figure twice: the page shows the one that it has the width for. On the narrow one, fewer LLMs are named.

    Args:
        series: What is drawn.
        y_label: Name of the vertical axis.
        of: What a line stands for.
    """
    label = f"Mean cost of a query against {y_label}, for each {of}"
    few = [one if one.marker != "dot" else _named_on_hull(one) for one in series]
    return (
        f'<div class="wide">{cost_chart(series, 1180, 480, label, y_label)}</div>'
        f'<div class="narrow">{cost_chart(few, 360, 380, label, y_label)}</div>'
    )


def _named_on_hull(llms: Series) -> Series:
    hull = set(upper_hull(llms.cost, llms.performance).tolist())
    labels = [name if place in hull else "" for place, name in enumerate(llms.labels)]
    return Series(llms.name, llms.cost, llms.performance, llms.style, llms.line, llms.marker, labels)


def _styles(view: View) -> dict[str, str]:
    """The CSS class of the routers with a colour of their own."""
    ranked = [name for name in view.ranked("", "aiq") if name in view.baselines and _has_line(view, name)]
    return dict.fromkeys(view.ours, "ours") | {name: f"s{place}" for place, name in enumerate(ranked[:COLOURS])}


def _drawn(view: View, styles: dict[str, str]) -> list[str]:
    """The routers in the figures, ours last and so on top; the oracle is far above and would squeeze the others."""
    names = [name for name in view.names if name not in view.oracles and name not in view.references]
    return sorted(names, key=lambda name: (_has_line(view, name), name in styles, name in view.ours))


def _has_line(view: View, name: str) -> bool:
    """Whether a router was swept, and its choices change with the weights."""
    cost, performance = view.evaluation.curves[name]
    return len(cost) == len(ALPHAS) and len(upper_hull(cost, performance)) > 1


def _router_series(view: View, name: str, style: str) -> Series:
    cost, performance = view.evaluation.curves[name]
    if _has_line(view, name):
        kept = upper_hull(cost, performance)
        return Series(name, cost[kept] * 1000, performance[kept], style)
    # A router that does not heed the weights has one point, not several on top of each other.
    kept = np.unique(np.round(np.stack([cost, performance]), 12), axis=1, return_index=True)[1]
    labels = [name] + [""] * (len(kept) - 1)
    return Series(name, cost[kept] * 1000, performance[kept], style, False, "diamond", labels)


def _llm_series(view: View) -> list[Series]:
    cost, performance = _llm_points(view)
    known = ~np.isnan(cost)
    names = [name for name, here in zip(view.evaluation.config["log"]["llms"], known, strict=True) if here]
    cost, performance = cost[known], performance[known]
    hull = upper_hull(cost, performance)
    corners = Series("hull of the LLMs", cost[hull], performance[hull], "hull")
    return [corners, Series("LLM", cost, performance, "llm", False, "dot", names)]


def _llm_points(view: View) -> tuple[Array, Array]:
    assert view.evaluation.singles is not None
    return view.evaluation.singles[0] * 1000, view.evaluation.singles[1]


def _above_hull(view: View, routers: Sequence[Series]) -> list[Series]:
    """The routers' performance less that of the mixture of equal cost; points far below the lines are left out."""
    singles = _llm_points(view)
    lines = []
    for one in routers:
        if one.line and len(one.cost) > 1:
            grid = np.geomspace(max(one.cost[0], 1e-12), one.cost[-1], STEPS)
            gain = np.interp(grid, one.cost, one.performance) - mix_performance(grid, *singles)
            lines.append(Series(one.name, grid, gain, one.style))
    if not lines:
        return []
    floor = min(line.performance.min() for line in lines) - 0.02
    points = [
        _kept_above(one, one.performance - mix_performance(one.cost, *singles), floor)
        for one in routers
        if not one.line
    ]
    costs = np.concatenate([line.cost for line in lines])
    zero = Series("hull of the LLMs", np.array([costs.min(), costs.max()]), np.zeros(2), "hull")
    return [zero, *(one for one in points if len(one.cost)), *lines]


def _kept_above(one: Series, gain: Array, floor: float) -> Series:
    kept = np.flatnonzero(gain >= floor)
    labels = [one.name] + [""] * max(len(kept) - 1, 0)
    return Series(one.name, one.cost[kept], gain[kept], one.style, False, one.marker, labels[: len(kept)])
