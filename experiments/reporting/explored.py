"""The sections on the settings: how important each is, and parallel coordinates of all."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from markupsafe import Markup

from experiments.reporting.figure import Figure, say, together
from experiments.reporting.importance import FOLDS, PERMUTATIONS, TREES, Importance, importance
from experiments.reporting.panels import Configuration, Panel, varied
from graphrouter.evaluation.report import charts, drawing
from graphrouter.evaluation.report.axes import Axis, number_axis, word_axis
from graphrouter.evaluation.report.numbers import number
from graphrouter.evaluation.report.page import macro
from graphrouter.metrics import lower_is_better
from graphrouter.typing import Array

MOST_AXES = 10
SHADES = 7
"""Colours of the lines: from the worst seventh of the configurations to the best."""


def explored_sections(panel: Panel) -> list[Figure]:
    """Return both sections; the axes stand in the order of importance where it is known."""
    found = importance(panel, f"{panel.part(panel.metric)}/{panel.metric}")
    order = [name for name in found.settings if name != "seed"] if isinstance(found, Importance) else panel.varying
    return [_importance_section(panel, found), _parallel_section(panel, order)]


def _importance_section(panel: Panel, found: Importance | str) -> Figure:
    title, metric = "Importance of settings", f"{panel.part(panel.metric)}/{panel.metric}"
    if isinstance(found, str):
        return Figure(title, found)
    means, bounds = found.share.mean(axis=1), np.percentile(found.share, [2.5, 97.5], axis=1)
    span = (min(0.0, float(bounds[0].min())), max(float(bounds[1].max()), 1e-9))
    rows = []
    for name, mean, low, high in zip(found.settings, means, *bounds, strict=True):
        colour = "rest" if name == "seed" else "mark"
        bar = macro("bar", float(low), float(mean), float(high), span, colour, zero=True, size="large")
        rows.append(("", [name, (bar, ""), _percent(mean), f"{_percent(low)} to {_percent(high)}"]))
    data = [[name, *draws.tolist()] for name, draws in zip(found.settings, found.share, strict=True)]
    head = ["setting", *(f"fold {fold} permutation {one}" for fold in range(FOLDS) for one in range(PERMUTATIONS))]
    noise = " The seed stands for noise." if "seed" in found.settings else ""
    note = say(
        '<p class="note">Permutation importance of a random forest ({} trees) for {}, on configurations that it has not seen: '
        "how much its squared error grows, as a share of the metric's variance, when a setting is shuffled. Mean, and the "
        "middle 95% of {} folds × {} shufflings.{}</p>", TREES, metric, FOLDS, PERMUTATIONS, noise,
    )  # fmt: skip
    heads = ["setting", "growth of the error", "mean", "95% of shufflings"]
    picture = macro("table", {"head": heads, "rows": rows, "folded": ()})
    return Figure(title, _importance_says(found, means, bounds), picture + note, head, data)


def _percent(share: float) -> str:
    return f"{round(share, 3) + 0.0:.1%}".replace("-", "−")


def _importance_says(found: Importance, means: Array, bounds: Array) -> str | Markup:
    explained = f"The forest explains {max(found.explained, 0):.0%} of the variance on unseen configurations"
    if found.explained <= 0.05:
        return f"{explained}: it has found no pattern, so the importances below mean nothing."
    noise = dict(zip(found.settings, bounds[1], strict=True)).get("seed", 0.0)
    clear = [
        say("<b>{}</b> ({:.0%})", name, mean)
        for name, mean, low in zip(found.settings, means, bounds[0], strict=True)
        if name != "seed" and low > max(noise, 0.0)
    ]
    text = "clearly above noise: " + together(clear[:5], ", ") if clear else "no setting stands clearly above noise"
    return say(
        "{}, from {:,} configurations; {}. What interacts counts for each of its parts.",
        explained,
        found.configurations,
        text,
    )


def _parallel_section(panel: Panel, order: list[str]) -> Figure:
    title, key = "Settings and metric, line by line", f"{panel.part(panel.metric)}/{panel.metric}"
    listed = panel.ranked(panel.metric)
    rows = [row for row, one in enumerate(listed) if np.isfinite(one.mean(key)) and one.first.group != "oracle"]
    if len(order) < 2 or len(rows) < 3:
        return Figure(
            title, "Parallel coordinates need three configurations or more that differ in two settings or more."
        )
    lines = [listed[row] for row in rows]
    shown = order[:MOST_AXES]
    metric_axis = number_axis(key, np.array([one.mean(key) for one in lines]))
    parallel = [*(_axis(name, lines, panel) for name in shown), metric_axis]
    paints = shades(np.array([one.mean(key) for one in lines]), lower_is_better(panel.metric))
    words = {name: panel.words[name] for name in shown}
    # A line's number is its row in the table of the best.
    titles = [f"#{row} {_line_title(one, words, key)}" for row, one in zip(rows, lines, strict=True)]
    # The worst are drawn first, so that the best lie on top.
    turned = [Axis(axis.name, axis.places[::-1], axis.ticks) for axis in parallel]
    label = f"{len(lines)} configurations across {', '.join(shown)} and {key}"
    drawn = drawing.wide_and_narrow(_draw(turned, paints[::-1], titles[::-1]), label, (1180, 380), (720, 360))
    left_out = f" Left out, of least importance: {', '.join(order[MOST_AXES:])}." if len(order) > MOST_AXES else ""
    ramp = together([say('<i class="shade" style="--c:var(--q{})"></i>', shade) for shade in range(SHADES)], "")
    legend = say(
        '<div class="legend"><span class="ramp">worst {} best by <span class="by">{}</span></span></div>',
        ramp,
        panel.metric,
    )
    head = ["configuration", *order, key]
    data = [[one.label, *(varied(one, panel.words).get(name) for name in order), one.mean(key)] for one in lines]
    picture = legend + say('<div class="scroll" tabindex="0">{}</div>', drawn)
    return Figure(title, _parallel_says(lines, shown, panel) + left_out, picture, head, data)


def _draw(axes: list[Axis], paints: list[str], titles: list[str]) -> Callable[[float, float, bool], drawing.Chart]:
    return lambda width, height, _: charts.parallel(axes, paints, titles, width, height)


def shades(values: Array, lower: bool) -> list[str]:
    """Return the colour of each value by its rank: ``q0`` for the worst seventh, ``q6`` for the best."""
    ranks = np.argsort(np.argsort(-values if lower else values, kind="stable"), kind="stable")
    return [f"q{rank * SHADES // len(values)}" for rank in ranks]


def _axis(name: str, lines: list[Configuration], panel: Panel) -> Axis:
    values = [one.first.settings.get(name) for one in lines]
    known = [value for value in values if value is not None]
    if all(isinstance(value, int | float) and not isinstance(value, bool) for value in known):
        return number_axis(name, np.array([np.nan if value is None else float(value) for value in values]))
    return word_axis(name, [varied(one, {name: panel.words[name]}).get(name) for one in lines])


def _line_title(one: Configuration, words: dict[str, dict[str, str]], key: str) -> str:
    settings = ", ".join(f"{name}={value}" for name, value in varied(one, words).items())
    return f"{one.label}: {key} {number(one.mean(key), key.rpartition('/')[2])}; {settings}"


def _parallel_says(lines: list[Configuration], shown: list[str], panel: Panel) -> Markup:
    """Say what the best tenth has in common that the rest has not."""
    count = max(3, len(lines) // 10)
    best, rest = lines[:count], lines[count:]
    alike = []
    for name in shown:
        words = {name: panel.words[name]}
        top = {varied(one, words).get(name, "–") for one in best}
        everywhere = [varied(one, words).get(name, "–") for one in rest]
        share = sum(value in top for value in everywhere) / max(len(everywhere), 1)
        if len(top) == 1 and share < 0.75:
            alike.append(say("<b>{} = {}</b> (so do {:.0%} of the others)", name, next(iter(top)), share))
    text = "have no single value in common that the others lack"
    if alike:
        text = "all have " + together(alike, ", ")
    return say("A line is a configuration. The best {} of {:,} by {} {}.", count, len(lines), panel.metric, text)
