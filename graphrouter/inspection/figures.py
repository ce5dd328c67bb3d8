"""The figures of a log: what is in it, what is missing, and how much routing could gain."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import polars as pl

from graphrouter.display import Displayed
from graphrouter.errors import printable
from graphrouter.inspection.near_duplicates import GRAM, near_duplicates
from graphrouter.inspection.noise import little_to_gain, noise_text
from graphrouter.inspection.suspicious import find_suspicious
from graphrouter.inspection.text import matrix, pairs, table
from graphrouter.log import LLMLog, LogLike, load_log
from graphrouter.noise import NoiseBudget, noise_budget
from graphrouter.splits import query_groups
from graphrouter.typing import Array

NO_TASK = "(no task)"
TABLE_LLMS = 60
TABLE_TASKS = 16
"""The table of performance per LLM and task is printed up to this size."""


@dataclass(frozen=True, eq=False, repr=False)
class Inspection(Displayed):
    """Figures of a log; `text` prints them. Means leave missing cells out.

    Attributes:
        name: The log's name.
        simulated: Whether its records are simulated.
        cost_estimated: Whether its costs are estimates.
        counts: Counts of queries (all, scored, and such as repeat the text of another), tasks, domains, LLMs and records.
        density: Share of the cells of scored queries that have a record.
        draws: Fewest and most records of a cell.
        tasks: One row per task: ``task, domain, queries, scored, missing`` (share of cells), ``performance, best`` (of
            its best LLM), ``best_llm, cost`` (US dollars).
        llms: One row per LLM, best first: ``llm, size_b, input_price, output_price, missing, performance, cost``.
        performance: [M, T] mean performance in the order of ``llms`` and ``tasks``, NaN where there is no record.
        ties: Share of scored queries where two LLMs or more tie for the best.
        noise: What no LLM solves, what all do, and how much of the oracle's gain is luck of the draw.
        reference: Mean performance of random, best single, best per task and oracle. The best are picked and scored on
            the same queries, so these are upper figures; an honest comparison picks them on a training split.
        suspicious: Sentences about what is odd in the log.
        near_duplicates: Share of the test queries that are spelled nearly as a training query is; see
            `graphrouter.inspection.near_duplicates`. NaN where the log is too small to be divided.
    """

    name: str
    simulated: bool
    cost_estimated: bool
    counts: dict[str, int]
    density: float
    draws: tuple[int, int]
    tasks: pl.DataFrame
    llms: pl.DataFrame
    performance: Array
    ties: float
    noise: NoiseBudget
    reference: dict[str, float]
    suspicious: list[str]
    near_duplicates: float = float("nan")

    def facts(self) -> tuple[str, dict[str, object]]:
        """See `graphrouter.display.Displayed`; `text` has all of it."""
        return f"Inspection of {self.name}", {
            **{name: f"{count:,}" for name, count in self.counts.items()},
            "density": f"{self.density:.3f}",
            **{name: f"{value:.3f}" for name, value in self.reference.items()},
            **{f"suspicious {number}": sentence for number, sentence in enumerate(self.suspicious, start=1)},
            "all figures": "print(inspection.text())",
        }

    def text(self) -> str:
        """Return the figures as lines to print."""
        notes = ["its records are simulated"] * self.simulated + ["its costs are estimated"] * self.cost_estimated
        blocks = [
            ": ".join([self.name, *([" and ".join(notes)] if notes else [])]),
            pairs(self.counts) + f"\n  density of scored queries x LLMs {self.density:.3f}"
            f"\n  draws per cell {self.draws[0]} to {self.draws[1]}",
            "Mean performance, picked and scored on the same queries, so upper figures\n"
            + pairs(self.reference)
            + f"\n  best single is {printable(self.llms['llm'][0])}",
            noise_text(self.noise, self.ties),
            "Near-duplicates of training queries\n"
            + pairs({f"share of test queries, by {GRAM} characters in a row": self.near_duplicates}),
            "Tasks\n" + table(self.tasks),
            "LLMs\n" + table(self.llms),
        ]
        if self.llms.height <= TABLE_LLMS and 1 < self.tasks.height <= TABLE_TASKS:
            shown = matrix(self.llms["llm"].to_list(), self.tasks["task"].to_list(), self.performance)
            blocks.append(f"Performance per LLM and task\n{shown}")
        blocks.append(
            "Suspicious\n" + "\n".join(f"  {printable(line)}" for line in self.suspicious or ["nothing found"])
        )
        return "\n\n".join(blocks) + "\n"


def inspect_log(log: LogLike) -> Inspection:
    """Inspect a log (or its name or folder, or a DataFrame) of any number of tasks and LLMs, with or without costs."""
    log = load_log(log)
    draws, performance = log.cells("draws"), log.cells("performance")
    scored = draws.sum(axis=1) > 0
    members = _members(log)
    by_task = np.stack([masked_mean(performance[rows], axis=0) for rows in members.values()])
    llm_means = masked_mean(performance, axis=0)
    order = np.argsort(-np.nan_to_num(llm_means, nan=-1.0), kind="stable")
    filled, noise = draws[draws > 0], noise_budget(log)
    llms = log.llms.select("llm", "size_b", "input_price", "output_price").with_columns(
        missing=pl.Series((draws[scored] == 0).mean(axis=0)),
        performance=pl.Series(llm_means),
        cost=pl.Series(masked_mean(log.cells("cost"), axis=0)),
    )
    return Inspection(
        name=log.name,
        simulated=log.simulated,
        cost_estimated=log.cost_estimated,
        counts=_counts(log, scored),
        density=float((draws[scored] > 0).mean()),
        draws=(int(filled.min()), int(filled.max())),
        tasks=_task_table(log, members, by_task, scored),
        llms=llms[order],
        performance=by_task.T[order],
        ties=_ties(performance[scored]),
        noise=noise,
        reference=_reference(performance, members, by_task, scored),
        suspicious=[*find_suspicious(log, members, by_task), *little_to_gain(noise)],
        near_duplicates=near_duplicates(log),
    )


def masked_mean(values: Array, axis: int | None = None) -> Array:
    """Return the mean without the missing (NaN) values, and NaN where all are missing."""
    seen = ~np.isnan(values)
    total, count = np.where(seen, values, 0.0).sum(axis=axis, dtype=np.float64), seen.sum(axis=axis)
    return np.where(count > 0, total / np.maximum(count, 1), np.nan)


def _members(log: LLMLog) -> dict[str, Array]:
    """Return the rows of each task's queries; queries without a task come last, if there are any."""
    tasks = log.queries["task"]  # not as an array: NumPy drops NULs at the end of a name
    members = {name: (tasks == name).arg_true().to_numpy() for name in log.tasks}
    without = tasks.is_null().arg_true().to_numpy()
    if len(without):
        members[NO_TASK] = np.concatenate([members.get(NO_TASK, without[:0]), without])
    return members


def _counts(log: LLMLog, scored: Array) -> dict[str, int]:
    groups = query_groups(log.queries["query"])
    return {
        "queries": log.queries.height,
        "scored queries": int(scored.sum()),
        "queries that repeat the text of another": len(groups) - len(np.unique(groups)),
        "tasks": len(log.tasks),
        "domains": log.queries["domain"].drop_nulls().n_unique(),
        "LLMs": log.llms.height,
        "records": log.records.height,
    }


def _task_table(log: LLMLog, members: dict[str, Array], by_task: Array, scored: Array) -> pl.DataFrame:
    draws, performance, cost = (log.cells(column) for column in ("draws", "performance", "cost"))
    rows = []
    for (task, inside), means in zip(members.items(), by_task, strict=True):
        here = inside[scored[inside]]
        best = int(np.argmax(np.nan_to_num(means, nan=-1.0)))
        rows.append(
            {
                "task": task,
                "domain": ", ".join(log.queries["domain"][inside].drop_nulls().unique().sort()),
                "queries": len(inside),
                "scored": len(here),
                "missing": float((draws[here] == 0).mean()) if len(here) else float("nan"),
                "performance": float(masked_mean(performance[here])),
                "best": float(means[best]),
                "best_llm": log.llm_names[best] if len(here) else None,
                "cost": float(masked_mean(cost[here])),
            }
        )
    return pl.DataFrame(rows, infer_schema_length=None)


def _ties(performance: Array) -> float:
    best = np.nanmax(performance, axis=1)
    return float(((performance == best[:, None]).sum(axis=1) > 1).mean())


def _reference(performance: Array, members: dict[str, Array], by_task: Array, scored: Array) -> dict[str, float]:
    weights = np.array([scored[rows].sum() for rows in members.values()])
    known = weights > 0
    return {
        "random": float(masked_mean(performance[scored], axis=1).mean()),
        "best single": float(np.nanmax(masked_mean(performance, axis=0))),
        "best per task": float(np.average(np.nanmax(by_task[known], axis=1), weights=weights[known])),
        "oracle": float(np.nanmax(performance[scored], axis=1).mean()),
    }
