"""A run's data: the log, its split and its vectors. What neighbouring runs share stays in the process."""

from __future__ import annotations

import fnmatch
from collections.abc import Sequence
from functools import lru_cache

import numpy as np

from experiments.runs.config import RunConfig
from graphrouter.costs import estimate_cost
from graphrouter.errors import UserError
from graphrouter.log import LLMLog, load_log
from graphrouter.prepared import PreparedLog, prepare, undivided
from graphrouter.scenario import Scenario
from graphrouter.splits import by_query, by_time, cells_out, leave_llm_out, leave_task_out, normalise_text, text_digest
from graphrouter.text_groups import fold_text
from graphrouter.typing import Array

KEPT = 4
"""Logs, splits and sets of vectors that stay in a process: neighbouring runs differ in the seed at most."""


def load_run(config: RunConfig, device: str = "cpu", progress: bool = False) -> PreparedLog:
    """Prepare a run's log: train and validation with the run's share of queries, cells and LLMs, test as it is for every share.

    Raises:
        UserError: If the log does not do for the run.
    """
    whole = _divided(_whole(config, device, progress), *_protocol(config))
    if config.train_share < 1:
        whole = _shared(whole, config.train_share)
    llms = _llms(whole.log, config)
    return whole.vary(hidden=_hidden(whole, config), llms=None if llms == whole.log.llm_names else llms)


def new_llm(config: RunConfig) -> str | None:
    """Return the LLM that is left out of a run, and taken in by its fitted router."""
    return config.held_out if config.protocol == "leave_llm_out" else None


def scored_by(config: RunConfig) -> tuple[list[Scenario], bool]:
    """Return the scenarios of a run, and whether all outcomes of its validation queries have a cost.

    Raises:
        UserError: If the log does not do for the run.
    """
    whole = _divided(_whole(config), *_protocol(config))
    log = whole.log.take(whole.split.validation).take_llms(list(_llms(whole.log, config)))
    lacking = np.isnan(log.cells("cost")) & ~np.isnan(log.cells("performance"))
    return list(whole.scenarios), not bool(lacking.any())


def warm_up(configs: Sequence[RunConfig], progress: bool = False) -> None:
    """Encode the texts of all logs once with each encoder, as far as no fitting is needed, so that no worker has to."""
    for source, estimate, rare, spec in sorted(
        {(one.log, one.estimate_cost, one.rare_tasks, one.encoder or "") for one in configs}
    ):
        one = RunConfig(source, encoder=spec or None, estimate_cost=estimate, rare_tasks=rare)
        _whole(one, progress=progress).precompute()


def shared_rows(log: LLMLog, rows: Array, share: float, seed: int) -> Array:
    """Return a share of the rows, stratified by task; equal wording stays together, a larger share holds a smaller one.

    Raises:
        UserError: If none is left.
    """
    if share >= 1:
        return rows
    strata: dict[str, dict[str, list[tuple[str, int]]]] = {}
    tasks, texts = log.queries["task"], log.queries["query"]
    for row in rows.tolist():
        group = strata.setdefault(tasks[row] or "", {}).setdefault(fold_text(texts[row]), [])
        group.append((normalise_text(texts[row]), row))
    kept: list[int] = []
    for name, groups in strata.items():
        # By the first spelling, as in `by_query`.
        order = sorted(map(sorted, groups.values()), key=lambda group: text_digest(f"share/{seed}/{group[0][0]}"))
        # A task too small for the share is in or out by chance, so that small tasks are not kept more often.
        offset = int(text_digest(f"share/{seed}/{name}")[:8], 16) / 16**8
        kept += [row for at, group in enumerate(order) if (at + offset) / len(order) < share for _, row in group]
    if not kept:
        raise UserError(f"{log.name} must have training queries left, but a share of {share:g} leaves none; raise it")
    return np.array(sorted(kept), dtype=np.int64)


def _whole(config: RunConfig, device: str = "cpu", progress: bool = False) -> PreparedLog:
    """Return the log of a run before it is divided."""
    scenarios = tuple(config.scenarios or ()) or None
    return _prepared(config.log, config.estimate_cost, config.rare_tasks, config.encoder, scenarios, device, progress)


@lru_cache(maxsize=KEPT)
def _prepared(
    source: str,
    estimate: bool,
    rare_tasks: str,
    encoder: str | None,
    scenarios: tuple[str, ...] | None,
    device: str,
    progress: bool,
) -> PreparedLog:
    log = load_log(source, rare_tasks)
    log = estimate_cost(log) if estimate else log
    return prepare(log, encoder, split=undivided, scenarios=scenarios, device=device, progress=progress)


@lru_cache(maxsize=KEPT)
def _divided(whole: PreparedLog, task: str | None, by_age: bool, seed: int) -> PreparedLog:
    if task is not None:
        split = leave_task_out(whole.log, task, seed)
    else:
        split = by_time(whole.log) if by_age else by_query(whole.log, seed)
    return whole.vary(seed=seed, split=split)


def _protocol(config: RunConfig) -> tuple[str | None, bool, int]:
    """Return the settings that decide a run's split: the task that is left out, whether time divides, and the seed."""
    task = config.held_out if config.protocol == "leave_task_out" else None
    return task, config.protocol == "by_time", config.seed


@lru_cache(maxsize=KEPT)
def _shared(whole: PreparedLog, share: float) -> PreparedLog:
    return whole.vary(shown=shared_rows(whole.log, whole.split.train, share, whole.seed))


def _hidden(whole: PreparedLog, config: RunConfig) -> Array | None:
    """Return the cells [Q, M] of train and validation that the run hides."""
    hidden = np.zeros((whole.log.queries.height, len(whole.log.llm_names)), dtype=bool)
    if config.missing:
        hidden |= cells_out(whole.log, config.missing, whole.split, config.seed)
    if (llm := new_llm(config)) is not None:
        hidden |= leave_llm_out(whole.log, llm, whole.split, config.shots, config.seed)
    return hidden if hidden.any() else None


def _llms(log: LLMLog, config: RunConfig) -> tuple[str, ...]:
    """Return the LLMs that the run routes between, in the log's order."""
    for pattern in config.llms:
        if not fnmatch.filter(log.llm_names, pattern):
            raise UserError(f"{log.name} has no LLM like {pattern!r}; it has {', '.join(log.llm_names)}")
    names = [
        name
        for name in log.llm_names
        if not config.llms or any(fnmatch.fnmatchcase(name, pattern) for pattern in config.llms)
    ]
    if config.pool is not None:
        if config.pool > len(names):
            raise UserError(f"pool must be at most the {len(names)} LLMs of {log.name}, but is {config.pool}")
        names = sorted(names, key=lambda name: text_digest(f"pool/{config.seed}/{name}"))[: config.pool]
    new = new_llm(config)
    least = 2 if new is None else 3
    if len(names) < least or (new is not None and new not in names):
        raise UserError(
            f"a run must have {least} LLMs or more to route between, the new one among them, but has {', '.join(names)}"
        )
    return tuple(name for name in log.llm_names if name in names)
