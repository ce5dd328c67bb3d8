"""Splits by query group, stratified by task; also by time, leave-task-out, leave-LLM-out and cells-out.

A text group is the queries that `fold_text` folds to one text: it stays on one side. Which side is decided by a hash of the seed
and the text, so neither row order nor the presence of other tasks changes it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl

from graphrouter.errors import UserError, shown, suggest
from graphrouter.log import LLMLog
from graphrouter.text_groups import fold_text

FRACTIONS = (0.6, 0.2, 0.2)
PARTS = ("train", "validation", "test")
"""Of a split, the names of the fields of `Split`."""


@dataclass(frozen=True, eq=False)
class Split:
    """Row indices into ``log.queries``, each sorted; together they hold every scored query once.

    Attributes:
        train: [n] int64.
        validation: [n] int64.
        test: [n] int64.
    """

    train: np.ndarray
    validation: np.ndarray
    test: np.ndarray


def normalise_text(text: str) -> str:
    """Return the text in lower case with white space folded."""
    return " ".join(text.casefold().split())


def query_groups(texts: Iterable[str]) -> np.ndarray:
    """Number the text groups.

    Args:
        texts: Q texts.

    Returns:
        [Q] int64; the number is a hash of the folded text, so that it does not depend on the other texts.
    """
    return np.array([int(text_digest(fold_text(text))[:15], 16) for text in texts], dtype=np.int64)


def by_query(log: LLMLog, seed: int, fractions: Sequence[float] = FRACTIONS) -> Split:
    """Split the scored queries by group, stratified by task.

    A task of fewer than two groups cannot be both learnt and tested. What is done with one is said by ``log.rare_tasks``:
    ``refuse`` it; ``pool`` its queries with those of other such tasks and those without a task, and divide them as one
    task; or ``drop`` them from all parts.

    Args:
        log: Queries without any record are left out.
        seed: Decides which groups go where.
        fractions: Shares of train, validation and test.

    Raises:
        UserError: If the fractions are not three positive shares of 1, a task is rare and refused, or a part would be
            empty.
    """
    _check_fractions(fractions)
    scored = log.cells("draws").sum(axis=1) > 0
    strata: dict[str, dict[str, list[tuple[str, int]]]] = {}
    stratum_of: dict[str, str] = {}
    rows = log.queries.select("task", "query").with_row_index()
    for row, task, text in rows.sort("task", "index", nulls_last=True).iter_rows():
        if scored[row]:
            key = fold_text(text)
            stratum = stratum_of.setdefault(key, task or "")
            strata.setdefault(stratum, {}).setdefault(key, []).append((normalise_text(text), row))
    _settle_rare(log, strata)
    parts: list[list[int]] = [[], [], []]
    bounds = np.cumsum(fractions[:2])
    for stratum in sorted(strata):
        # By the first spelling, so that a group of one spelling goes where it went before punctuation was folded.
        groups = sorted(map(sorted, strata[stratum].values()), key=lambda group: text_digest(f"{seed}/{group[0][0]}"))
        # A stratum too small to divide goes where chance puts it, so that no part is fed by rounding alone.
        offset = int(text_digest(f"{seed}/{stratum}")[:8], 16) / 16**8
        for position, group in enumerate(groups):
            share = (position + offset) / len(groups)
            parts[int(np.searchsorted(bounds, share, side="right"))].extend(row for _, row in group)
    split = Split(*(np.array(sorted(part), dtype=np.int64) for part in parts))
    for name in PARTS:
        if not len(getattr(split, name)):
            raise UserError(
                f"{log.name} must have queries for train, validation and test, but {name} is empty; use a larger log"
            )
    return split


def _settle_rare(log: LLMLog, strata: dict[str, dict[str, list[tuple[str, int]]]]) -> None:
    """Refuse, pool or drop the tasks of fewer than two groups."""
    rare = [stratum for stratum, groups in strata.items() if stratum and len(groups) < 2]
    if rare and log.rare_tasks == "refuse":
        raise UserError(
            f"{log.name}: a task must have two differently worded scored queries or more, so that it can be learnt and "
            f"tested, but {shown(rare[0])} has {len(strata[rare[0]])}"
            f"{f' and {len(rare) - 1} more have so few' if len(rare) > 1 else ''}; merge it with another task, or give "
            "--rare-tasks pool or drop (rare_tasks in a config)"
        )
    for stratum in rare:
        groups = strata.pop(stratum)
        if log.rare_tasks == "pool":
            strata.setdefault("", {}).update(groups)


def _check_fractions(fractions: Sequence[float]) -> None:
    if len(fractions) != 3 or min(fractions) <= 0 or abs(sum(fractions) - 1) > 1e-6:
        raise UserError(f"fractions must be three positive numbers that add up to 1, but are {list(fractions)}")


def leave_task_out(log: LLMLog, task: str, seed: int, validation: float = 0.25) -> Split:
    """Put one task's queries into test, and divide the others into train and validation.

    Queries of other tasks in the text group of a test query are left out.
    """
    if task not in log.tasks:
        raise UserError(f"{log.name} has no task {shown(task)}{suggest(task, list(log.tasks))}")
    texts = [fold_text(text) for text in log.queries["query"]]
    inside = np.array([name == task for name in log.queries["task"]])
    scored = log.cells("draws").sum(axis=1) > 0
    held = {text for text, here in zip(texts, inside, strict=True) if here}
    others = np.array([text not in held for text in texts]) & scored
    if not others.any():
        raise UserError(f"{log.name} must have a second task to leave {task!r} out; use a log with more tasks")
    rest = np.flatnonzero(others)
    halves = by_query(log.take(rest), seed, (1 - validation, validation / 2, validation / 2))
    later = np.sort(np.concatenate([halves.validation, halves.test]))
    return Split(rest[halves.train], rest[later], np.flatnonzero(inside & scored))


def leave_llm_out(log: LLMLog, llm: str, split: Split, shots: int, seed: int) -> np.ndarray:
    """Choose the cells to hide so that an LLM is new, with a few logged queries.

    Args:
        log: Q queries, M LLMs.
        llm: The LLM that is to be new.
        split: Its test part keeps all outcomes.
        shots: How many training queries keep the LLM's outcome.
        seed: Decides which.

    Returns:
        [Q, M] bool for `LLMLog.hide`: the LLM's cells in train and validation, less the shots.
    """
    if llm not in log.llm_names:
        raise UserError(f"{log.name} has no LLM {llm!r}{suggest(llm, list(log.llm_names))}")
    column = log.llm_names.index(llm)
    hidden = np.zeros((log.queries.height, len(log.llm_names)), dtype=bool)
    hidden[np.concatenate([split.train, split.validation]), column] = True
    answered = [row for row in split.train if log.cells("draws")[row, column] > 0]
    ids = log.queries["query_id"]
    kept = sorted(answered, key=lambda row: text_digest(f"{seed}/{llm}/{ids[int(row)]}"))[:shots]
    hidden[kept, column] = False
    return hidden


def by_time(log: LLMLog, fractions: Sequence[float] = FRACTIONS) -> Split:
    """Split the scored queries by time: the oldest into train, the newest into test.

    A query in the text group of an older part's query is left out, so that no group straddles; queries of the same
    moment stay together.

    Args:
        log: Its queries have a column ``time`` or ``timestamp``: numbers, dates, or text in ISO 8601.
        fractions: Shares of train, validation and test; ties and what is left out make them approximate.

    Raises:
        UserError: If the queries have no times, one has none, or a part would be empty.
    """
    _check_fractions(fractions)
    times = _times(log)
    scored = np.flatnonzero(log.cells("draws").sum(axis=1) > 0)
    ordered = np.sort(times[scored])
    bounds = [ordered[min(int(len(ordered) * share), len(ordered) - 1)] for share in np.cumsum(fractions[:2])]
    part = np.searchsorted(bounds, times[scored], side="right")
    texts = [fold_text(log.queries["query"][int(row)]) for row in scored]
    first: dict[str, int] = {}
    for text, number in zip(texts, part.tolist(), strict=True):
        first[text] = min(number, first.get(text, number))
    kept = np.array([first[text] for text in texts]) == part
    split = Split(*(scored[kept & (part == number)] for number in range(3)))
    for name in PARTS:
        if not len(getattr(split, name)):
            raise UserError(
                f"{log.name} must have queries of enough different times for train, validation and test, but {name} is "
                "empty; use a longer log"
            )
    return split


def _times(log: LLMLog) -> np.ndarray:
    """Return [Q] float64, the time of each query."""
    column = next((name for name in ("time", "timestamp") if name in log.queries.columns), None)
    if column is None:
        raise UserError(
            f"{log.name} must have a column 'time' or 'timestamp' in queries to be split by time, but has none; add it, "
            "or split by query"
        )
    values = log.queries[column]
    if values.dtype == pl.String:
        values = values.str.to_datetime(strict=False, time_zone="UTC")
    elif values.dtype == pl.Date:
        values = values.cast(pl.Datetime)
    numbers = values.cast(pl.Int64 if values.dtype.is_temporal() else pl.Float64).cast(pl.Float64)
    bad = numbers.is_null() | ~numbers.fill_null(0.0).is_finite()
    if bad.any():
        row = int(bad.arg_true()[0])
        raise UserError(
            f"{log.name}/queries, row {row} ({log.queries['query_id'][row]}): {column} must be a time for every query to be "
            f"split by it, but is {log.queries[column][row]!r}; fill it, or drop the query"
        )
    return numbers.to_numpy()


def cells_out(log: LLMLog, fraction: float, split: Split, seed: int) -> np.ndarray:
    """Choose cells of train and validation to hide at random, so that the log is sparse.

    Returns:
        [Q, M] bool for `LLMLog.hide`; the test part keeps all outcomes.
    """
    if not 0 <= fraction < 1:
        raise UserError(f"the share of hidden cells must be within [0, 1), but is {fraction}")
    chance = np.random.default_rng(seed).random((log.queries.height, len(log.llm_names)))
    hidden = chance < fraction
    hidden[split.test] = False
    return hidden


def text_digest(text: str) -> str:
    """Return a hash that orders things by chance, the same in every process."""
    return hashlib.sha256(text.encode()).hexdigest()
