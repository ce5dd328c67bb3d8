"""The section on cost and quality: curves, the Pareto front of all, and the LLMs alone."""

from __future__ import annotations

import numpy as np
from markupsafe import Markup

from experiments.reporting.figure import Figure, colours, names, say
from experiments.reporting.panels import Configuration, Panel
from graphrouter.evaluation.report import drawing, line_charts
from graphrouter.evaluation.report.line_charts import Series
from graphrouter.evaluation.report.numbers import dollars
from graphrouter.evaluation.report.page import macro
from graphrouter.metrics import mix_performance, pareto_front, upper_hull
from graphrouter.typing import Array

COLOURED, GREY = 5, 40


def cost_section(panel: Panel) -> Figure:
    """Return the curves of the base, of those of the best AIQ, and more in grey."""
    title = "Cost and quality"
    curves = {one: _curve(one) for one in panel.ranked("aiq" if "aiq" in panel.metrics else panel.metric)}
    curves = {one: points for one, points in curves.items() if len(points) and one.first.group != "oracle"}
    llms, names_ = _llms(panel)
    if not curves or not len(llms) or not (llms[:, 0] > 0).any():
        return Figure(
            title, "No run has cost-quality curves: the log has no cost (--estimate-cost would estimate it).", ""
        )
    first = list(dict.fromkeys([*(one for one in curves if one.base), *curves]))
    labels = [one.label for one in first[:COLOURED]]
    styles = colours(labels, next((one.label for one in first if one.base), None))
    drawn = [_series(one, curves[one], styles.get(one.label, "rest")) for one in first[: COLOURED + GREY][::-1]]
    front = _front(curves, llms)
    hull = upper_hull(llms[:, 0], llms[:, 1])
    series = [
        Series("hull of the LLMs", llms[hull, 0] * 1000, llms[hull, 1], "dim", "dash"),
        Series("an LLM alone", llms[:, 0] * 1000, llms[:, 1], "dim", "dot", labels=names_),
        *drawn,
        Series("Pareto front of all", front[:, 0] * 1000, front[:, 1], "ink", "dash"),
    ]
    keys = line_charts.keys(series) + ([("rest", "line", "other configurations")] if len(first) > COLOURED else [])
    label = "Mean cost of a query against performance, for each configuration"
    body = drawing.wide_and_narrow(line_charts.plane(series, "performance"), label) + macro("legend", keys)
    head = ["what", "name", "point", "dollars per query", "performance"]
    data = [
        ["curve", one.label, k, *point] for one, points in curves.items() for k, point in enumerate(points.tolist())
    ]
    data += [["LLM", name, 0, *point] for name, point in zip(names_, llms.tolist(), strict=True)]
    data += [["Pareto front", "", k, *point] for k, point in enumerate(front.tolist())]
    return Figure(title, _says(panel, curves, llms, names_, front), body, head, data)


def _curve(one: Configuration) -> Array:
    """[A, 2], cost and performance, the mean over runs of each weight."""
    curves = [[(point["cost"], point["performance"]) for point in run.curve] for run in one.runs if run.curve]
    curves = [curve for curve in curves if len(curve) == len(curves[0])]
    points = np.array(curves, dtype=np.float64)
    return points.mean(axis=0) if len(curves) and np.isfinite(points).all() else np.zeros((0, 2))


def _llms(panel: Panel) -> tuple[Array, list[str]]:
    """[M, 2], mean over runs, and names; an LLM without cost is left out."""
    found: dict[str, list[tuple[float, float]]] = {}
    for run in {(run.seed, str(run.settings.get("held_out"))): run for run in panel.finished}.values():
        for row in run.llms:
            if row.get("cost") is not None and row.get("performance") is not None:
                found.setdefault(row["llm"], []).append((row["cost"], row["performance"]))
    return np.array([np.mean(rows, axis=0) for rows in found.values()]).reshape(-1, 2), list(found)


def _series(one: Configuration, points: Array, colour: str) -> Series:
    kept = upper_hull(points[:, 0], points[:, 1])
    if len(kept) > 1:
        return Series(one.label, points[kept, 0] * 1000, points[kept, 1], colour)
    alone = np.unique(points.round(12), axis=0)
    return Series(one.label, alone[:, 0] * 1000, alone[:, 1], colour, "diamond")


def _front(curves: dict[Configuration, Array], llms: Array) -> Array:
    """[P, 2], the points that no other point beats in both, from the cheapest."""
    points = np.concatenate([*curves.values(), llms])
    kept = points[pareto_front(points[:, 0], points[:, 1])]
    return np.asarray(kept[np.argsort(kept[:, 0], kind="stable")])


def _says(panel: Panel, curves: dict[Configuration, Array], llms: Array, names_: list[str], front: Array) -> Markup:
    """Say who makes up the front, and what the best LLM's performance costs by a router."""
    held = {one: sum(bool((point == front).all(axis=1).any()) for point in points) for one, points in curves.items()}
    owners = sorted((one for one in held if held[one]), key=lambda one: -held[one])
    alone = [name for name, point in zip(names_, llms, strict=True) if (point == front).all(axis=1).any()]
    says = say("The Pareto front is made of {}", names([one.label for one in owners]) or "no router")
    says += f", and of {len(alone)} of {len(llms)} LLMs alone. " if alone else "; no LLM alone is on it. "
    best = int(llms[:, 1].argmax())
    cheapest = [points[points[:, 1] >= llms[best, 1]][:, 0].min(initial=np.inf) for points in curves.values()]
    least = int(np.argmin(cheapest))
    price = dollars(llms[best, 0])
    said = f"the performance of the best LLM in hindsight, {names_[best]} ({price} dollars per 1,000 queries)"
    if np.isfinite(cheapest[least]):
        saved = 1 - cheapest[least] / llms[best, 0] if llms[best, 0] > 0 else 0.0
        way = "less" if saved >= 0 else "(more)"
        says += say("{} reaches {}, for {:.0%} {}. ", list(curves)[least].label, said, saved, way)
    else:
        says += say("No configuration reaches {}. ", said)
    above = [
        float((points[:, 1] - mix_performance(points[:, 0], llms[:, 0], llms[:, 1])).max())
        for points in curves.values()
    ]
    highest = int(np.argmax(above))
    says += say(
        "The most above a mixture of LLMs of equal cost is {}, by {:.3f}. Means over seeds, without intervals: small gaps "
        "between lines are noise.{}",
        list(curves)[highest].label, above[highest], " Cost is estimated." if any(run.estimated for run in panel.runs) else "",
    )  # fmt: skip
    return says
