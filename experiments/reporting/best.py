"""The section on the best runs: a table that can be ordered by any metric, and what to read from it."""

from __future__ import annotations

import math
from typing import Any

from markupsafe import Markup

from experiments.reporting.figure import Figure, say
from experiments.reporting.panels import Configuration, Panel, varied
from graphrouter.evaluation.report.numbers import count, number, signed
from graphrouter.evaluation.report.page import macro
from graphrouter.metrics import lower_is_better

SHOWN = 20
"""Rows that are shown before all are asked for."""
SETTINGS = 6
"""Varying settings in the table: those that a page has room for. The data have all."""
NOTE = (
    '<p class="note">Means ± one standard deviation over seeds. test − best single: what a run\'s test value is above that of '
    "the LLM that is best overall, asked for every query; – where a single LLM has no value of the metric.</p>"
)


def best_section(panel: Panel) -> Figure:
    """Return the section: validation and test side by side, a mean over seeds each."""
    rows = panel.ranked(panel.metric)
    numbers = {metric: [_four(one, metric) for one in rows] for metric in panel.metrics}
    values = {
        "metrics": [
            {
                "name": metric,
                "lower": lower_is_better(metric),
                "validated": panel.part(metric) == "validation",
                "says": _says(panel, metric),
                "text": [_texts(four, metric) for four in numbers[metric]],
                "mean": [_keep(four[0] if panel.part(metric) == "validation" else four[2]) for four in numbers[metric]],
            }
            for metric in panel.metrics
        ],
        "last": [one.first.group == "oracle" for one in rows],
    }
    settings = panel.varying[:SETTINGS]
    words = {key: panel.words[key] for key in settings}
    lines = []
    for one in rows:
        known = varied(one, words)
        cells = [one.label, str(len(one.runs)), *_texts(_four(one, panel.metric), panel.metric)]
        lines.append(("ours" if one.base else "", [*cells, *(known.get(key, "") for key in settings)]))
    heads = ["configuration", "runs", "validation", "test", "test − best single", *settings]
    body = macro("ranking", heads, lines, SHOWN, values) + Markup(NOTE)
    head, data = _data(panel, rows)
    brief, lead = _brief(panel, rows), macro("metric_choice", panel.metrics, panel.metric)
    return Figure("Best configurations", _says(panel, panel.metric), body, head, data, brief, lead, "best")


def _four(one: Configuration, metric: str) -> tuple[float, float, float, float, float]:
    """Mean and deviation on validation and on test, and the mean gain on test over the best single LLM."""
    on = [f"{part}/{metric}" for part in ("validation", "test")]
    gains = [
        run.metrics[on[1]] - run.references["best_single"][on[1]]
        for run in one.runs
        if on[1] in run.metrics and on[1] in run.references.get("best_single", {})
    ]
    gain = sum(gains) / len(gains) if gains else math.nan
    return one.mean(on[0]), one.deviation(on[0]), one.mean(on[1]), one.deviation(on[1]), gain


def _texts(four: tuple[float, float, float, float, float], metric: str) -> list[str]:
    kind = metric.rpartition("/")[2]
    cells = []
    for mean, deviation in (four[:2], four[2:4]):
        spread = say(" <small>± {}</small>", number(deviation, kind)) if math.isfinite(deviation) else ""
        cells.append(say("{}{}", number(mean, kind), spread))
    return [*cells, signed(four[4], kind) if math.isfinite(four[4]) else "–"]


def _keep(value: float) -> float | None:
    return round(value, 7) if math.isfinite(value) else None


def _says(panel: Panel, metric: str) -> Markup:
    """Say which is best, by how much, and whether that is more than the noise of seeds."""
    part, kind = panel.part(metric), metric.rpartition("/")[2]
    ranked = [one for one in panel.ranked(metric) if one.first.group != "oracle"]
    ranked = [one for one in ranked if math.isfinite(one.mean(f"{part}/{metric}"))]
    if not ranked:
        return say("No run has {}.", metric)
    best, way = ranked[0], "lower" if lower_is_better(metric) else "higher"
    on_test = best.mean(f"test/{metric}")
    where = (
        "on validation" if part == "validation" else "on the test queries (it was not validated: choose nothing by it)"
    )
    shown = number(best.mean(f"{part}/{metric}"), kind)
    says = say(
        "Of {:,} configurations, <b>{}</b> has the best {} {}: {} ({} is better)",
        len(ranked),
        best.label,
        metric,
        where,
        shown,
        way,
    )
    if part == "validation" and math.isfinite(on_test):
        says += f", and {number(on_test, kind)} on test"
    says += f", over {count(len(best.runs), 'run')}."
    return says + (
        _next(ranked, f"{part}/{metric}", kind) if len(ranked) > 1 else " There is nothing to compare it with."
    )


def _next(ranked: list[Configuration], key: str, kind: str) -> Markup:
    best, second = ranked[0], ranked[1]
    gap = abs(best.mean(key) - second.mean(key))
    says = say(" The next, {}, is {} behind", second.label, number(gap, kind))
    differences = best.differences(second, key)
    if len(differences) < 3:
        return says + "; with fewer than three seeds in common, nothing says whether that is noise."
    error = float(differences.std(ddof=1)) / math.sqrt(len(differences))
    if abs(differences.mean()) < 2 * error:
        return (
            says
            + f", less than two standard errors of the difference over {len(differences)} seeds: read them as equal."
        )
    return says + f", more than two standard errors of the difference over {len(differences)} seeds."


def _data(panel: Panel, rows: list[Configuration]) -> tuple[list[str], list[list[Any]]]:
    """One row per run, so that nothing is averaged away."""
    metrics = sorted({key for run in panel.finished for key in run.metrics})
    head = ["configuration", "run", "seed", *panel.varying, *metrics]
    lines = [
        [one.label, run.id, run.seed, *(varied(one, panel.words).get(key, "") for key in panel.varying)]
        + [run.metrics.get(key) for key in metrics]
        for one in rows
        for run in one.runs
    ]
    return head, lines


def _brief(panel: Panel, rows: list[Configuration]) -> list[list[Any]]:
    keys = [f"{part}/{panel.metric}" for part in ("validation", "test")]
    return [["configuration", "runs", *keys], *([one.label, len(one.runs), *map(one.mean, keys)] for one in rows[:15])]
