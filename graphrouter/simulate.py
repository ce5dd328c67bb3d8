"""Make a simulated log from a multidimensional item-response model. It is always labelled as simulated.

An LLM has a general strength and a vector of skills, a query asks for a direction of skills and has a difficulty::

    P(right) = sigmoid(1.7 * (strength_m + skills_m . direction_q - difficulty_q))

as in Reckase, Multidimensional Item Response Theory (2009), chapter 4. Strength and price grow with the size of an
LLM, and some of the small LLMs are specialists of one task. Every task has topics with directions of their own. The
words of a query tell its task, its topic and its difficulty, so there is something to learn beyond the task.
"""

from __future__ import annotations

import os
from dataclasses import dataclass

import numpy as np
import polars as pl

from graphrouter.errors import UserError
from graphrouter.log import LLMLog
from graphrouter.typing import Array

SKILLS = 6
DISCRIMINATION = 1.7
GRADED_CHECKS = 10
"""Performance on a graded task is the share of so many checks passed."""
BYTES = 250
"""Memory that a record takes while a log is made. With 2,000 queries and 2,000 LLMs the process grew by 214 bytes per record."""


@dataclass(frozen=True)
class _Task:
    domain: str
    opening: str
    output_tokens: int
    topics: dict[str, str]
    graded: bool = False


TASKS = {
    "arithmetic": _Task("mathematics", "Work out the number", 120, {
        "percentages": "percent discount interest tax increase share rate",
        "fractions": "half third quarter numerator denominator slice remainder",
        "travel": "train speed distance hour miles arrival journey",
        "money": "price coins change budget salary cents receipt",
    }),
    "coding": _Task("code", "Write a function for", 260, {
        "arrays": "list index sort element slice sum window",
        "strings": "string substring vowel reverse palindrome prefix letters",
        "graphs": "node edge path cycle neighbour shortest visited",
        "parsing": "token bracket comma json nested grammar quote",
    }),
    "biology": _Task("science", "Explain in biology", 90, {
        "cells": "membrane nucleus mitochondria protein enzyme ribosome transport",
        "genetics": "gene allele mutation chromosome inherited dominant sequence",
        "ecology": "species predator habitat population climate food niche",
        "anatomy": "heart muscle nerve lung blood organ hormone",
    }),
    "history": _Task("humanities", "Say for history", 70, {
        "rome": "senate legion emperor republic consul gaul forum",
        "revolution": "king parliament assembly guillotine rights uprising bastille",
        "trade": "silk spice port merchant route guild silver",
        "war": "treaty front alliance general siege armistice fleet",
    }),
    "summaries": _Task("language", "Summarise the text on", 180, {
        "news": "minister election report crisis spokesman announced vote",
        "reviews": "film plot actor scene director sequel ending",
        "letters": "dear sincerely regards enclosed reply kindly address",
        "stories": "forest dragon castle traveller secret night door",
    }, graded=True),
    "physics": _Task("science", "Derive in physics", 150, {
        "mechanics": "force mass friction momentum pulley incline torque",
        "optics": "lens mirror focal refraction image wavelength prism",
        "circuits": "resistor voltage current capacitor battery parallel ohm",
        "heat": "temperature gas pressure entropy engine expansion kelvin",
    }),
    "law": _Task("humanities", "Advise in law", 130, {
        "contracts": "offer acceptance breach consideration damages clause party",
        "crime": "intent theft assault accused guilty defence evidence",
        "property": "tenant lease landlord deed easement owner estate",
        "procedure": "court appeal motion jury jurisdiction hearing filing",
    }),
    "logic": _Task("reasoning", "Solve the puzzle of", 200, {
        "seating": "left right beside seat row chair opposite",
        "schedules": "monday before after slot meeting earliest shift",
        "liars": "truth lies knight knave claims says statement",
        "sequences": "next pattern term series odd repeat skip",
    }),
}  # fmt: skip
LEVELS = (
    "easy basic short",
    "simple usual direct",
    "standard careful full",
    "hard tricky detailed",
    "expert rigorous subtle",
)
"""Words for a query's difficulty, from the easiest fifth to the hardest."""


@dataclass(frozen=True)
class _Pool:
    """M LLMs: ``strength`` [M], ``skills`` [M, SKILLS], ``verbosity`` [M], and their table."""

    strength: Array
    skills: Array
    verbosity: Array
    table: pl.DataFrame


@dataclass(frozen=True)
class _Items:
    """Q queries: ``task`` and ``level`` [Q], ``direction`` [Q, SKILLS], ``difficulty`` [Q], and their table."""

    task: Array
    level: Array
    direction: Array
    difficulty: Array
    table: pl.DataFrame


def simulate(
    queries: int = 2000, tasks: int = 8, llms: int = 12, missing: float = 0.0, draws: int = 1, seed: int = 0
) -> LLMLog:
    """Simulate a log.

    Args:
        queries: Number of queries.
        tasks: Number of tasks, at most 8. One of the first five, and only that, is graded instead of right or wrong.
        llms: Number of LLMs, from 1B to 400B parameters; as many as fit in memory.
        missing: Chance of a cell to have no record.
        draws: Records per cell.
        seed: The same seed gives the same log. It fixes the tasks and LLMs whatever the number of queries.

    Returns:
        A log labelled as simulated, with text, tokens, prices and cost.

    Raises:
        UserError: If a number is out of range.
    """
    return simulate_with_truth(queries, tasks, llms, missing, draws, seed)[0]


def simulate_with_truth(
    queries: int = 2000, tasks: int = 8, llms: int = 12, missing: float = 0.0, draws: int = 1, seed: int = 0
) -> tuple[LLMLog, Array]:
    """Simulate a log, and return the truth with it; the arguments are those of `simulate`.

    Returns:
        The log, and [Q, M] float64, the expected performance of every cell in the order of the log's tables.
    """
    _check(queries, tasks, llms, missing, draws)
    for_tasks, for_llms, for_queries, for_records = map(np.random.default_rng, np.random.SeedSequence(seed).spawn(4))
    names = list(TASKS)[:tasks]
    directions = _directions(names, for_tasks)
    pool = _make_llms(llms, names, directions, for_llms)
    items = _make_queries(queries, names, directions, for_queries)
    ability = pool.strength + items.direction @ pool.skills.T
    truth = 1 / (1 + np.exp(-DISCRIMINATION * (ability - items.difficulty[:, None])))
    records = _make_records(truth, items, pool, names, missing, draws, for_records)
    return LLMLog("simulated", items.table, pool.table, records, simulated=True), truth


def _check(queries: int, tasks: int, llms: int, missing: float, draws: int) -> None:
    for name, value, low, high in (
        ("queries", queries, 1, 10**8), ("tasks", tasks, 1, len(TASKS)), ("llms", llms, 1, 10**8), ("draws", draws, 1, 1000)
    ):  # fmt: skip
        if not low <= value <= high:
            raise UserError(f"a simulation must have {low} to {high} {name}, but {value} were asked for")
    if not 0 <= missing < 1:
        raise UserError(f"the share of missing cells must be within [0, 1), but is {missing}")
    needed, there = queries * llms * max(draws * (1 - missing), 1) * BYTES, _memory()
    if needed > there:
        raise UserError(
            f"a simulation must fit in memory, but {queries:,} queries x {llms:,} LLMs x {draws} draws need about "
            f"{needed / 1e9:,.0f} GB of {there / 1e9:,.0f} GB; ask for fewer queries or LLMs"
        )


def _memory() -> float:
    """Return the bytes of memory that the machine has, infinite where it does not say."""
    try:
        return float(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"))
    except (AttributeError, ValueError, OSError):
        return float("inf")


def _directions(names: list[str], rng: np.random.Generator) -> Array:
    """Return [T, topics, SKILLS], of unit length: the topics of a task are alike, and the tasks of a domain a little."""
    domains = {task.domain: rng.standard_normal(SKILLS) for task in TASKS.values()}
    task = np.stack([0.7 * domains[spec.domain] + rng.standard_normal(SKILLS) for spec in TASKS.values()])
    topics = len(next(iter(TASKS.values())).topics)
    topic: Array = task[:, None] + rng.standard_normal((len(TASKS), topics, SKILLS))
    topic /= np.linalg.norm(topic, axis=2, keepdims=True)
    return topic[: len(names)]


def _make_llms(count: int, names: list[str], directions: Array, rng: np.random.Generator) -> _Pool:
    size = np.round(np.geomspace(1, 400, count), 1)
    strength = 0.28 * np.log(size) - 0.7 + 0.15 * rng.standard_normal(count)
    skills = 0.45 * rng.standard_normal((count, SKILLS))
    special: list[str | None] = [None] * count
    for place, llm in enumerate(range(1, 5 * count // 6, 2)):
        task = place % len(names)
        special[llm] = names[task]
        centre = directions[task].mean(axis=0)
        skills[llm] += 1.8 * centre / np.linalg.norm(centre)
    price = 0.04 * size**0.65 * np.exp(0.1 * rng.standard_normal(count))
    digits = max(3, len(str(count)))  # so that the order of the names is that of the sizes
    specialities = [f", tuned for {name}" if name else "" for name in special]
    table = pl.DataFrame(
        {
            "llm": [
                f"sim-{i + 1:0{digits}d}-{s:g}b" + (f"-{n}" if n else "")
                for i, (s, n) in enumerate(zip(size, special, strict=True))
            ],
            "size_b": size,
            "input_price": np.round(price, 3),
            "output_price": np.round(3 * price, 3),
            "description": [f"Simulated LLM of {s:g}B parameters{n}" for s, n in zip(size, specialities, strict=True)],
        }
    )
    return _Pool(strength, skills, np.exp(0.25 * rng.standard_normal(count)), table)


def _make_queries(count: int, names: list[str], directions: Array, rng: np.random.Generator) -> _Items:
    task = np.arange(count) % len(names)
    topic = rng.integers(directions.shape[1], size=count)
    own = rng.standard_normal(count)
    level = np.clip(np.digitize(own, [-0.84, -0.25, 0.25, 0.84]), 0, len(LEVELS) - 1)  # fifths of a normal distribution
    base = np.linspace(-0.3, 0.5, len(TASKS))[rng.permutation(len(TASKS))]
    table = pl.DataFrame(
        {
            "query_id": [f"simulated-{number:08d}" for number in range(count)],
            "task": [names[t] for t in task],
            "query": _texts(names, task, topic, level, rng),
            "subtask": [list(TASKS[names[t]].topics)[s] for t, s in zip(task, topic, strict=True)],
            "domain": [TASKS[names[t]].domain for t in task],
            "metric": ["share of checks" if TASKS[names[t]].graded else "right or wrong" for t in task],
        }
    )
    return _Items(task, level, directions[task, topic], base[task] + 0.9 * own, table)


def _texts(names: list[str], task: Array, topic: Array, level: Array, rng: np.random.Generator) -> list[str]:
    """Write the queries: a harder one is longer."""
    words = [[pool.split() for pool in TASKS[name].topics.values()] for name in names]
    levels = [pool.split() for pool in LEVELS]
    length = 5 + 3 * level + rng.integers(3, size=len(task))
    picks = rng.integers(10**6, size=(len(task), 6 + length.max()))
    texts = []
    for t, s, v, n, pick in zip(task, topic, level, length, picks.tolist(), strict=True):
        hard, about = levels[v], words[t][s]
        tail = " ".join(about[p % len(about)] for p in pick[2 : 2 + n])
        texts.append(
            f"{TASKS[names[t]].opening} {hard[pick[0] % 3]} {hard[pick[1] % 3]} case {pick[-1] % 1000}: {tail}"
        )
    return texts


def _make_records(
    truth: Array, items: _Items, pool: _Pool, names: list[str], missing: float, draws: int, rng: np.random.Generator
) -> pl.DataFrame:
    row, column = np.nonzero(rng.random(truth.shape) >= missing)
    row, column, draw = np.repeat(row, draws), np.repeat(column, draws), np.tile(np.arange(draws), len(row))
    checks = np.array([GRADED_CHECKS if TASKS[name].graded else 1 for name in names])[items.task[row]]
    chars = items.table["query"].str.len_chars().to_numpy()
    typical = np.array([TASKS[name].output_tokens for name in names])[items.task] * (1 + 0.25 * items.level)
    input_tokens = np.ceil(chars[row] / 4)
    output_tokens = np.ceil(typical[row] * pool.verbosity[column] * np.exp(0.3 * rng.standard_normal(len(row))))
    price = pool.table.select("input_price", "output_price").to_numpy()
    return pl.DataFrame(
        {
            "query_id": items.table["query_id"].gather(row),
            "llm": pool.table["llm"].gather(column),
            "draw": draw,
            "performance": rng.binomial(checks, truth[row, column]) / checks,
            "input_tokens": input_tokens,
            "output_tokens": output_tokens,
            "cost": (input_tokens * price[column, 0] + output_tokens * price[column, 1]) / 1e6,
            "response_chars": 4 * output_tokens,
        }
    )
