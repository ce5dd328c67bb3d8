"""Log + vectors -> the arrays that routers see."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from typing import Any

import numpy as np

from graphrouter.log import LLMLog
from graphrouter.typing import Array

CELLS = ("performance", "draws", "cost", "input_tokens", "output_tokens")
"""The matrices [Q, M] of `RoutingData`."""


@dataclass(frozen=True, eq=False)
class Queries:
    """Queries as a router sees them, before any LLM answers.

    Attributes:
        ids: [Q] text, unique; nothing is predicted from it.
        tasks: [Q] object, the name of the task, or None where it is not known.
        chars: [Q] float32, length of the text in characters.
        vectors: [Q, D] float32, from an encoder.
        groups: [Q] int64; queries of equal normalised text share a group (they are never each other's neighbours).
    """

    ids: Array
    tasks: Array
    chars: Array
    vectors: Array
    groups: Array

    def __len__(self) -> int:
        return len(self.ids)

    def take(self, rows: Array | slice) -> Queries:
        """Return these rows only."""
        return Queries(*(getattr(self, field.name)[rows] for field in fields(self)))


@dataclass(frozen=True, eq=False)
class LLMs:
    """LLMs as a router sees them, before they answer.

    Attributes:
        names: M names, sorted.
        size_b: [M] billions of parameters, NaN where not disclosed.
        input_price: [M] US dollars per million tokens, NaN where not known.
        output_price: [M] likewise.
        vectors: [M, D] float32, of the description, or of the name and size where a log has none.
    """

    names: tuple[str, ...]
    size_b: Array
    input_price: Array
    output_price: Array
    vectors: Array

    def __len__(self) -> int:
        return len(self.names)


@dataclass(frozen=True, eq=False)
class RoutingData:
    """Queries, LLMs and the outcomes between them: what a router is fitted on.

    Attributes:
        queries: Q queries.
        llms: M LLMs.
        performance: [Q, M] float32 in [0, 1], the mean over draws, NaN where the cell is missing.
        draws: [Q, M] float32, how many draws that mean is of; 0 where missing.
        cost: [Q, M] float64 in US dollars, NaN where not known.
        input_tokens: [Q, M] float32, NaN where not known.
        output_tokens: [Q, M] float32, NaN where not known.
    """

    queries: Queries
    llms: LLMs
    performance: Array
    draws: Array
    cost: Array
    input_tokens: Array
    output_tokens: Array

    @property
    def observed(self) -> Array:
        """[Q, M] bool: which cells have an outcome."""
        return self.draws > 0

    def take(self, rows: Array) -> RoutingData:
        """Return the data of these queries only."""
        return replace(self, queries=self.queries.take(rows), **{name: getattr(self, name)[rows] for name in CELLS})

    def take_llms(self, names: Sequence[str]) -> RoutingData:
        """Return the data of these LLMs only, in this order, with all queries."""
        columns = [self.llms.names.index(name) for name in names]
        about = {
            name: getattr(self.llms, name)[columns] for name in ("size_b", "input_price", "output_price", "vectors")
        }
        cells: dict[str, Any] = {name: np.ascontiguousarray(getattr(self, name)[:, columns]) for name in CELLS}
        return replace(self, llms=LLMs(tuple(names), **about), **cells)

    def sorted(self) -> RoutingData:
        """Return the data with its queries in the order of their ids, so that what is learnt does not depend on row order."""
        return self.take(np.argsort(self.queries.ids, kind="stable"))

    @classmethod
    def from_log(cls, log: LLMLog, query_vectors: Array, llm_vectors: Array, groups: Array) -> RoutingData:
        """Join a log with the vectors of its queries and LLMs.

        Args:
            log: Q queries and M LLMs.
            query_vectors: [Q, D] in the order of ``log.queries``.
            llm_vectors: [M, D] in the order of ``log.llms``.
            groups: [Q] group of equal normalised text; see `graphrouter.splits.query_groups`.
        """
        queries = Queries(
            ids=log.queries["query_id"].to_numpy().astype(object),
            tasks=np.array(log.queries["task"].to_list(), dtype=object),
            chars=log.queries["query"].str.len_chars().to_numpy().astype(np.float32),
            vectors=np.ascontiguousarray(query_vectors, dtype=np.float32),
            groups=groups,
        )
        prices = {
            name: log.llms[name].fill_null(float("nan")).to_numpy()
            for name in ("size_b", "input_price", "output_price")
        }
        llms = LLMs(names=log.llm_names, vectors=np.ascontiguousarray(llm_vectors, dtype=np.float32), **prices)
        return cls(queries=queries, llms=llms, **{name: log.cells(name) for name in CELLS})


def llm_texts(log: LLMLog) -> list[str]:
    """Return the text that stands for each LLM: its description, or its name and size where the log has none."""
    texts = []
    for llm, size, description in log.llms.select("llm", "size_b", "description").iter_rows():
        size_text = f", {size:g}B parameters" if size is not None else ""
        texts.append(description or f"{llm}{size_text}")
    return texts
