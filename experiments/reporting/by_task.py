"""The heat map of tasks and configurations: what routing gains over the best single LLM."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

import numpy as np

from experiments.reporting.figure import Figure
from experiments.reporting.page import name_cell
from experiments.reporting.panels import Configuration, Panel

Array = np.ndarray

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
    lines = [
        f"<tr>{name_cell(task)}<td>{queries[task]}" + "".join(_cell(gains[one].get(task), scale) for one in shown)
        for task in tasks
    ]
    heads = "".join(f"<th>{escape(one.label)}" for one in shown)
    body = (
        f'<div class="scroll"><table class="heat"><thead><tr><th>task<th>test queries{heads}</thead><tbody>\n'
        f"{chr(10).join(lines)}</tbody></table></div>{_key(scale)}"
    )
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


def _cell(values: list[float] | None, scale: float) -> str:
    if not values:
        return "<td>–"
    mean = float(np.mean(values))
    step = round(float(np.clip(mean / scale, -1, 1)) * STEPS)
    style = f"{'u' if step > 0 else 'd'}{abs(step)}" if step else "z"
    sure = " sure" if _sure(values) else ""
    shown = f"{round(mean * 100, 1) + 0.0:+.1f}" if round(mean * 100, 1) else "0.0"
    return f'<td class="{style}{sure}">{shown}'.replace("-", "−")


def _sure(values: list[float]) -> bool:
    """Whether all runs agree on the sign, where there are three or more."""
    return len(values) >= 3 and (min(values) > 0 or max(values) < 0)


def _key(scale: float) -> str:
    steps = [f"d{step}" for step in range(STEPS, 0, -1)] + ["z"] + [f"u{step}" for step in range(1, STEPS + 1)]
    ramp = "".join(f'<i class="shade {step}"></i>' for step in steps)
    return f'<div class="legend"><span class="ramp">−{scale * 100:.0f} {ramp} +{scale * 100:.0f}</span><span>points of performance; bold: all seeds agree on the sign</span></div>'


def _says(shown: list[Configuration], tasks: list[str], gains: dict[Configuration, dict[str, list[float]]]) -> str:
    """Say where the first configuration gains and loses, and how much of it the seeds agree on."""
    one = shown[0]
    known = {task: gains[one][task] for task in tasks if task in gains[one]}
    means = {task: float(np.mean(values)) for task, values in known.items()}
    if not means:
        return f"{escape(one.label)} has no results by task."
    ordered = sorted(means, key=lambda task: -means[task])
    better = [task for task in ordered if means[task] > 0]
    says = (
        f"<b>{escape(one.label)}</b> gains over the LLM that was best overall on {len(better)} of {len(means)} tasks; most on "
        f"{escape(ordered[0])} ({means[ordered[0]] * 100:+.1f} points), least on {escape(ordered[-1])} "
        f"({means[ordered[-1]] * 100:+.1f})."
    ).replace("(-", "(−")
    runs = max(len(values) for values in known.values())
    if runs < 3:
        return f"{says} With {runs} run{'s' if runs > 1 else ''} each, nothing says which of these are noise."
    agreed = sum(_sure(values) for values in known.values())
    return f"{says} On {agreed} tasks all {runs} seeds agree on the sign; the rest may be noise, the more so on small tasks."
