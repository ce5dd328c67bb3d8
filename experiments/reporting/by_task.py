"""The heat map of tasks and configurations: what routing gains over the best single LLM."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from markupsafe import Markup

from experiments.reporting.figure import Figure, say
from experiments.reporting.panels import Configuration, Panel
from graphrouter.evaluation.report.page import macro

MOST_COLUMNS = 12
STEPS = 4
"""Colours on each side of no gain."""


def task_section(panel: Panel) -> Figure:
    """Return the heat map of the base and the best configurations."""
    title = "Gain over the best single LLM, by task"
    shown = panel.shown(MOST_COLUMNS, lambda one: any(run.tasks for run in one.runs))
    tasks = list(dict.fromkeys(row["task"] for one in shown for run in one.runs for row in run.tasks))
    if not shown or not tasks:
        return Figure(title, "No run has results by task: the log has no tasks.")
    gains = {one: _gains(one) for one in shown}
    tasks = [task for task in tasks if any(task in by_task for by_task in gains.values())]
    if not tasks:
        return Figure(title, "No run has performance by task: its test queries have outcomes of one LLM only.")
    queries = {row["task"]: row.get("queries") for one in shown for run in one.runs for row in run.tasks}
    everything = [abs(float(np.mean(values))) for by_task in gains.values() for values in by_task.values()]
    scale = max(float(np.percentile(everything, 95)), 1e-9) if everything else 1.0
    means = {task: np.mean([np.mean(gains[one][task]) for one in shown if task in gains[one]]) for task in tasks}
    tasks.sort(key=lambda task: -means[task])
    lines = [(task, queries[task], [_cell(gains[one].get(task), scale) for one in shown]) for task in tasks]
    ramp = [f"d{step}" for step in range(STEPS, 0, -1)] + ["z"] + [f"u{step}" for step in range(1, STEPS + 1)]
    heads = ["task", "test queries", *(one.label for one in shown)]
    body = macro("heat", heads, lines, f"{scale * 100:.0f}", ramp)
    head = ["task", "configuration", "runs", "gain", "deviation over runs"]
    data = [[task, one.label, len(values), float(np.mean(values)), _deviation(values)] for task in tasks for one in shown
            if (values := gains[one].get(task))]  # fmt: skip
    return Figure(title, _says(shown, tasks, gains), body, head, data)


def _gains(one: Configuration) -> dict[str, list[float]]:
    found: dict[str, list[float]] = {}
    for run in one.runs:
        for row in run.tasks:
            if row.get("performance") is not None and row.get("best_single") is not None:
                found.setdefault(row["task"], []).append(row["performance"] - row["best_single"])
    return found


def _deviation(values: Sequence[float]) -> float:
    return float(np.std(values, ddof=1)) if len(values) > 1 else float("nan")


def _cell(values: list[float] | None, scale: float) -> tuple[str, str, bool]:
    """Return text and colour of a gain, and whether it is sure."""
    if not values:
        return "–", "", False
    mean = float(np.mean(values))
    step = round(float(np.clip(mean / scale, -1, 1)) * STEPS)
    shown = f"{round(mean * 100, 1) + 0.0:+.1f}" if round(mean * 100, 1) else "0.0"
    return shown.replace("-", "−"), f"{'u' if step > 0 else 'd'}{abs(step)}" if step else "", _sure(values)


def _sure(values: list[float]) -> bool:
    """Whether all runs agree on the sign, where there are three or more."""
    return len(values) >= 3 and (min(values) > 0 or max(values) < 0)


def _says(shown: list[Configuration], tasks: list[str], gains: dict[Configuration, dict[str, list[float]]]) -> Markup:
    """Say where the first configuration gains and loses, and how much of it the seeds agree on."""
    one = shown[0]
    known = {task: gains[one][task] for task in tasks if task in gains[one]}
    means = {task: float(np.mean(values)) for task, values in known.items()}
    if not means:
        return say("{} has no results by task.", one.label)
    ordered = sorted(means, key=lambda task: -means[task])
    better = [task for task in ordered if means[task] > 0]
    shown_gains = [f"{means[task] * 100:+.1f}".replace("-", "−") for task in (ordered[0], ordered[-1])]
    says = say(
        "<b>{}</b> gains over the LLM that was best overall on {} of {} tasks; most on {} ({} points), least on {} ({}).",
        one.label, len(better), len(means), ordered[0], shown_gains[0], ordered[-1], shown_gains[1],
    )  # fmt: skip
    runs = max(len(values) for values in known.values())
    if runs < 3:
        return says + f" With {runs} run{'s' if runs > 1 else ''} each, nothing says which of these are noise."
    agreed = sum(_sure(values) for values in known.values())
    return (
        says
        + f" On {agreed} tasks all {runs} seeds agree on the sign; the rest may be noise, the more so on small tasks."
    )
