"""Small logs of which it is known what LLM is best for what query."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np
import polars as pl
from numpy.typing import ArrayLike

from graphrouter.dataset import LLMs, Queries, RoutingData
from graphrouter.log import LLMLog
from graphrouter.splits import by_query, query_groups

TOPICS = ("algebra", "history")
SKILL = {"alpha": (0.95, 0.15), "beta": (0.1, 0.9), "gamma": (0.5, 0.5), "rare": (1.0, 1.0), "unseen": (0.5, 0.5)}
"""Chance of each LLM to be right on each topic."""
BEST = {"algebra": "alpha", "history": "beta"}
SIZE = {"alpha": 70.0, "beta": 13.0, "gamma": 7.0, "rare": 30.0, "unseen": 3.0}
"""Billions of parameters; also 100 times the price of a million tokens in dollars."""


def make_log(
    queries: int = 150,
    *,
    seed: int = 0,
    draws: int = 1,
    missing: float = 0.0,
    without_task: float = 0.0,
    cost: bool = True,
    rare: bool = False,
    unseen: bool = False,
) -> LLMLog:
    """Make a small log of which it is known what LLM is best for what query.

    Queries alternate between two topics, which are also the tasks; the first word of a text is its topic, and every
    fifth wording occurs twice. A record is right with the chance of `SKILL`, so a cell of several draws is graded.

    Args:
        queries: How many.
        seed: Seed of the outcomes.
        draws: Records per cell.
        missing: Share of cells without a record, at random.
        without_task: Share of queries whose task is null.
        cost: Whether tokens and prices are there.
        rare: Whether to add an LLM that is always right, with four of five cells missing.
        unseen: Whether to add an LLM without any record.
    """
    random = np.random.default_rng(seed)
    llms = ["alpha", "beta", "gamma", *["rare"] * rare, *["unseen"] * unseen]
    ids = [f"q{number:04d}" for number in range(queries)]
    topics = [TOPICS[number % 2] for number in range(queries)]
    # The last two of each ten repeat the wording of the two before, but for the case of the letters.
    texts = [f"{topic} Question {n - 2}" if n % 10 >= 8 else f"{topic} question {n}" for n, topic in enumerate(topics)]
    gone = random.random((queries, len(llms))) < [{"rare": 0.8, "unseen": 1.0}.get(llm, missing) for llm in llms]
    chance = np.array([[SKILL[llm][TOPICS.index(topic)] for llm in llms] for topic in topics])
    right = random.random((draws, *chance.shape)) < chance
    tokens = random.integers(50, 150, right.shape)
    draw, row, column = np.nonzero(np.broadcast_to(~gone, right.shape))
    records = {
        "query_id": [ids[index] for index in row],
        "llm": [llms[index] for index in column],
        "draw": draw,
        "performance": right[draw, row, column].astype(float),
    }
    if cost:
        records |= {"input_tokens": np.full(len(row), 40.0), "output_tokens": tokens[draw, row, column].astype(float)}
    tasks = [None if random.random() < without_task else topic for topic in topics]
    about: dict[str, Any] = {"llm": llms, "size_b": [SIZE[llm] for llm in llms]}
    if cost:
        about |= {price: [SIZE[llm] / 100 for llm in llms] for price in ("input_price", "output_price")}
    texts_table = pl.DataFrame({"query_id": ids, "task": tasks, "query": texts}, schema_overrides={"task": pl.String})
    return LLMLog("planted", texts_table, pl.DataFrame(about), pl.DataFrame(records), simulated=True)


def make_data(log: LLMLog, dimensions: int = 12) -> RoutingData:
    """Join a log of `make_log` with vectors that carry the topic, and noise that follows from the wording."""
    groups = query_groups(log.queries["query"])
    noise = np.array([np.random.default_rng(group).normal(0, 0.15, dimensions) for group in groups])
    noise[:, : len(TOPICS)] += [[text.startswith(topic) for topic in TOPICS] for text in log.queries["query"]]
    vectors = noise / np.linalg.norm(noise, axis=1, keepdims=True)
    return RoutingData.from_log(log, vectors, np.eye(dimensions)[: len(log.llm_names)], groups)


def data_of(
    performance: ArrayLike,
    *,
    cost: ArrayLike | None = None,
    vectors: ArrayLike | None = None,
    tasks: Sequence[str | None] | None = None,
    groups: ArrayLike | None = None,
    size_b: ArrayLike | None = None,
    price: ArrayLike | None = None,
) -> RoutingData:
    """Make data from a few numbers, for results that are computed by hand.

    Args:
        performance: [Q, M], NaN where missing.
        cost: [Q, M] in US dollars; none by default.
        vectors: [Q, D]; one direction for each query by default.
        tasks: Q names or None; one task by default.
        groups: [Q] integers; all different by default.
        size_b: [M]; not known by default.
        price: [M], of input and of output; not known by default.
    """
    performance = np.array(performance, dtype=np.float32)
    rows, llms = performance.shape
    nowhere, unknown = np.full((rows, llms), np.nan, dtype=np.float32), np.full(llms, np.nan)
    price = unknown if price is None else np.array(price, dtype=float)
    queries = Queries(
        ids=np.array([f"q{row:04d}" for row in range(rows)], dtype=object),
        tasks=np.array(["task"] * rows if tasks is None else list(tasks), dtype=object),
        chars=np.full(rows, 100, dtype=np.float32),
        vectors=np.array(np.eye(rows) if vectors is None else vectors, dtype=np.float32),
        groups=np.array(range(rows) if groups is None else groups, dtype=np.int64),
    )
    sizes = unknown if size_b is None else np.array(size_b, dtype=float)
    about = LLMs(tuple(f"llm{m}" for m in range(llms)), sizes, price, price, np.eye(llms, dtype=np.float32))
    dollars = np.full((rows, llms), np.nan) if cost is None else np.array(cost, dtype=np.float64)
    return RoutingData(
        queries, about, performance, (~np.isnan(performance)).astype(np.float32), dollars, nowhere, nowhere
    )


def keep_outcomes(data: RoutingData, llm: str, rows: ArrayLike) -> RoutingData:
    """Return the data with the outcomes of one LLM on these rows only."""
    hidden = np.zeros(data.performance.shape, dtype=bool)
    hidden[:, data.llms.names.index(llm)] = True
    hidden[np.array(rows, dtype=np.int64), :] = False
    cells = ("performance", "cost", "input_tokens", "output_tokens")
    masked: dict[str, Any] = {
        name: np.where(hidden, np.nan, getattr(data, name)).astype(getattr(data, name).dtype) for name in cells
    }
    return replace(data, draws=np.where(hidden, 0, data.draws).astype(np.float32), **masked)


class Parts(NamedTuple):
    """The three parts of a log, split by query."""

    train: RoutingData
    validation: RoutingData
    test: RoutingData


def make_parts(log: LLMLog, seed: int = 0) -> Parts:
    """Split the data of a log 60/20/20 by query group."""
    data, split = make_data(log), by_query(log, seed)
    return Parts(data.take(split.train), data.take(split.validation), data.take(split.test))
