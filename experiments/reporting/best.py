"""The section on the best runs: a table that can be ordered by any metric, and what to read from it."""

from __future__ import annotations

import json
import math
from html import escape
from typing import Any

from experiments.reporting.figure import Figure, count
from experiments.reporting.page import number, signed
from experiments.reporting.panels import Configuration, Panel, varied
from graphrouter.metrics import lower_is_better

SHOWN = 20
"""Rows that are shown before all are asked for."""
SETTINGS = 8
"""Varying settings in the table; the data have all."""


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
    options = "".join(
        f"<option{' selected' if metric == panel.metric else ''}>{escape(metric)}</option>" for metric in panel.metrics
    )
    blob = json.dumps(values, separators=(",", ":")).replace("<", "\\u003c")
    body = f'{_table(panel, rows)}<script type="application/json" class="values">{blob}</script>'
    label = f'<label>Order and colour by <select class="metric">{options}</select></label>'
    head, data = _data(panel, rows)
    return Figure(
        "Best configurations", _says(panel, panel.metric), body, head, data, _brief(panel, rows), label, "best"
    )


def _table(panel: Panel, rows: list[Configuration]) -> str:
    settings = panel.varying[:SETTINGS]
    words = {key: panel.words[key] for key in settings}
    head = ["configuration", "runs", "validation", "test", "test − best single", *settings]
    lines = []
    for number_, one in enumerate(rows):
        four = _texts(_four(one, panel.metric), panel.metric)
        known = varied(one, words)
        cells = [escape(one.label), str(len(one.runs)), *four, *(escape(known.get(key, "")) for key in settings)]
        style = " class=ours" if one.base else ""
        more = " hidden" if number_ >= SHOWN else ""
        lines.append(f"<tr data-row={number_}{style}{more}>" + "".join(f"<td>{cell}" for cell in cells))
    titles = "".join(f"<th>{escape(title)}" for title in head)
    more = f'<button type="button" class="all">show all {len(rows):,}</button>' if len(rows) > SHOWN else ""
    return (
        f'<div class="scroll"><table class="ranking" data-shown={SHOWN}><thead><tr>{titles}</thead><tbody>\n'
        f"{chr(10).join(lines)}</tbody></table></div>{more}"
    )


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
        spread = f" <small>± {number(deviation, kind)}</small>" if math.isfinite(deviation) else ""
        cells.append(number(mean, kind) + spread)
    return [*cells, signed(four[4], kind) if math.isfinite(four[4]) else "–"]


def _keep(value: float) -> float | None:
    return round(value, 7) if math.isfinite(value) else None


def _says(panel: Panel, metric: str) -> str:
    """Say which is best, by how much, and whether that is more than the noise of seeds."""
    part, kind = panel.part(metric), metric.rpartition("/")[2]
    ranked = [one for one in panel.ranked(metric) if one.first.group != "oracle"]
    ranked = [one for one in ranked if math.isfinite(one.mean(f"{part}/{metric}"))]
    if not ranked:
        return f"No run has {escape(metric)}."
    best, way = ranked[0], "lower" if lower_is_better(metric) else "higher"
    on_test = best.mean(f"test/{metric}")
    where = (
        "on validation" if part == "validation" else "on the test queries (it was not validated: choose nothing by it)"
    )
    says = f"Of {len(ranked):,} configurations, <b>{escape(best.label)}</b> has the best {escape(metric)} {where}: "
    says += f"{number(best.mean(f'{part}/{metric}'), kind)} ({way} is better)"
    if part == "validation" and math.isfinite(on_test):
        says += f", and {number(on_test, kind)} on test"
    says += f", over {count(len(best.runs), 'run')}."
    return says + (
        _next(ranked, f"{part}/{metric}", kind) if len(ranked) > 1 else " There is nothing to compare it with."
    )


def _next(ranked: list[Configuration], key: str, kind: str) -> str:
    best, second = ranked[0], ranked[1]
    gap = abs(best.mean(key) - second.mean(key))
    says = f" The next, {escape(second.label)}, is {number(gap, kind)} behind"
    differences = best.differences(second, key)
    if len(differences) < 3:
        return f"{says}; with fewer than three seeds in common, nothing says whether that is noise."
    error = float(differences.std(ddof=1)) / math.sqrt(len(differences))
    if abs(differences.mean()) < 2 * error:
        return f"{says}, less than two standard errors of the difference over {len(differences)} seeds: read them as equal."
    return f"{says}, more than two standard errors of the difference over {len(differences)} seeds."


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
