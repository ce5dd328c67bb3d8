"""What a collected log shows: models x tasks, and how far single, per-task and per-query choice lie apart."""

from __future__ import annotations

import numpy as np

from fusion.llms import THINK
from graphrouter.log import LLMLog


def task_table(log: LLMLog, column: str = "performance") -> tuple[list[str], np.ndarray]:
    """Return the tasks, and the mean of a column per candidate and task [M, T]."""
    values, tasks = log.cells(column), np.array(log.queries["task"].to_list())
    names = list(log.tasks)
    return names, np.stack([np.nanmean(values[tasks == name], axis=0) for name in names], axis=1)


def shares(log: LLMLog) -> dict[str, float]:
    """Return what a pool must show, over all queries that have a record of every candidate.

    Returns:
        ``best_single``, ``best_per_task`` and ``oracle`` performance (the choice is in-sample), ``all_solved`` and
        ``none_solved`` shares of queries, ``tied`` (neither, but several are best), and ``reasoning_gain`` and
        ``reasoning_tokens``: the mean difference of the reasoning style to the direct one.
    """
    values = log.cells("performance")
    whole = ~np.isnan(values).any(axis=1)
    values, tasks = values[whole], np.array(log.queries["task"].to_list())[whole]
    per_task = sum(values[tasks == name].mean(axis=0).max() * (tasks == name).mean() for name in set(tasks))
    low, high = values.min(axis=1), values.max(axis=1)
    best = (values == high[:, None]).sum(axis=1)
    thinking = [name for name in log.llm_names if name.endswith(THINK)]
    pairs = [(log.llm_names.index(name), log.llm_names.index(name.removesuffix(THINK))) for name in thinking]
    tokens = log.cells("output_tokens")[whole]
    return {
        "best_single": float(values.mean(axis=0).max()),
        "best_per_task": float(per_task),
        "oracle": float(high.mean()),
        "all_solved": float((low == 1).mean()),
        "none_solved": float((high == 0).mean()),
        "tied": float(((low < high) & (best > 1)).mean()),
        "reasoning_gain": float(np.mean([values[:, a].mean() - values[:, b].mean() for a, b in pairs])),
        "reasoning_tokens": float(np.mean([tokens[:, a].mean() - tokens[:, b].mean() for a, b in pairs])),
    }


def report(log: LLMLog) -> str:
    """Return the table of candidates x tasks and the shares, in Markdown."""
    tasks, table = task_table(log)
    tokens = np.nanmean(log.cells("output_tokens"), axis=0)
    lines = [f"| LLM | {' | '.join(tasks)} | mean | tokens |", "|" + " --- |" * (len(tasks) + 3)]
    for name, row, many in zip(log.llm_names, table, tokens, strict=True):
        cells = [
            f"**{value:.2f}**" if value == best else f"{value:.2f}"
            for value, best in zip(row, table.max(axis=0), strict=True)
        ]
        lines.append(f"| {name} | {' | '.join(cells)} | {row.mean():.3f} | {many:.1f} |")
    found = shares(log)
    lines += ["", "| figure | value |", "| --- | --- |", *(f"| {key} | {value:.3f} |" for key, value in found.items())]
    return "\n".join(lines)
