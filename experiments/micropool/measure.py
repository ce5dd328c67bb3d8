"""Tables of a collected log: models x tasks, and how far single, per-task and per-query choice lie apart."""

from __future__ import annotations

import numpy as np

from fusion.llms import THINK
from graphrouter.inspection import inspect_log
from graphrouter.log import LLMLog


def task_table(log: LLMLog) -> tuple[list[str], np.ndarray]:
    """Return the tasks, and the mean performance per candidate and task [M, T]."""
    values, tasks = log.cells("performance"), np.array(log.queries["task"].to_list())
    names = list(log.tasks)
    return names, np.stack([np.nanmean(values[tasks == name], axis=0) for name in names], axis=1)


def shares(log: LLMLog) -> dict[str, float]:
    """Return the performance of each way of choosing, and shares of queries.

    Returns:
        ``best_single``, ``best_per_task`` and ``oracle`` performance (the choice is in-sample), ``all_solved`` and
        ``none_solved`` shares of queries, ``tied`` (neither, but several are best), and ``reasoning_gain`` and
        ``reasoning_tokens``: the mean difference of the reasoning style to the direct one.
    """
    found = inspect_log(log)
    solved, unsolved = found.noise.all_solve.value, found.noise.none_solves.value
    thinking = [name for name in log.llm_names if name.endswith(THINK)]
    pairs = [(log.llm_names.index(name), log.llm_names.index(name.removesuffix(THINK))) for name in thinking]
    gained, longer = (
        float(np.mean([np.nanmean(values[:, think] - values[:, direct]) for think, direct in pairs]))
        for values in (log.cells("performance"), log.cells("output_tokens"))
    )
    return {
        "best_single": found.reference["best single"],
        "best_per_task": found.reference["best per task"],
        "oracle": found.reference["oracle"],
        "all_solved": solved,
        "none_solved": unsolved,
        "tied": found.ties - solved - unsolved,
        "reasoning_gain": gained,
        "reasoning_tokens": longer,
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
