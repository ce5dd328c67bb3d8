"""Few-shot: the nearest training queries of the same task, each with its best response."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, ClassVar

import numpy as np
import polars as pl

from fusion.guidance.guide import Guide
from fusion.guidance.pieces import Piece
from fusion.guidance.questions import GuidedQuestion, TextGroups
from fusion.ranking import RANKINGS, rank
from fusion.templates.ranked_query import RIGHT
from graphrouter.encoders import Encoder
from graphrouter.errors import UserError, suggest
from graphrouter.identity import log_digest
from graphrouter.nearest import first, similarities
from graphrouter.prepared import PreparedLog
from graphrouter.splits import query_groups
from graphrouter.typing import Array

RANDOM = "random"
"""Takes any response that is not empty, right or wrong: the control that shows what a ranking is worth."""

SHOT_RANKINGS = (*RANKINGS, RANDOM)

BLOCK = 256
"""Questions that are compared with all examples of a task at once."""

DECIMALS = 6
"""Cosines that agree to so many decimals are equal: vectors are single precision."""

Prompts = Mapping[str, Mapping[str, str]]
"""By style and query id, how a query of the source is asked in that style."""


@dataclass(eq=False)
class Shots(Guide):
    """Solved examples.

    An example is a turn as it happened: where the log knows the styles of its candidates, the response is of one of the
    style that is asked, and the prompt is that of the style. A query whose best response is wrong is no example, and of
    queries of one text group the nearest is shown, once.

    Attributes:
        source: Log that they come from; only its training queries. Its encoder's vectors say what is near.
        rank_by: One of `SHOT_RANKINGS`; only training queries are ranked.
        prompts: Prompts of queries, for styles in which that is not the log's ``query``.
    """

    kind: ClassVar[str] = "few_shot"
    source: PreparedLog = field(kw_only=True)
    rank_by: str = field(kw_only=True)
    prompts: Prompts = field(default_factory=dict)

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.rank_by not in SHOT_RANKINGS:
            raise UserError(f"unknown ranking {self.rank_by!r}{suggest(self.rank_by, SHOT_RANKINGS)}")
        self._pools: dict[str | None, pl.DataFrame] = {}

    @property
    def ranking(self) -> str:
        """Ranking that chose the responses."""
        return self.rank_by

    def about(self) -> dict[str, Any]:
        """Return all that the examples depend on."""
        return {
            "kind": self.kind,
            "ranking": self.rank_by,
            "shown": self.shown,
            "encoder": self._encoder.id,
            "log": log_digest(self.source.log),
            "seed": self.source.seed,
        }

    def find(self, asked: Sequence[GuidedQuestion], style: str | None = None) -> list[tuple[Piece, ...]]:
        """Return the nearest examples of each question; see `Guide.find`. A task that is not known is that of the nearest."""
        pool = self._pool(style)
        near = _Nearest(pool, self.source.training_vectors[pool["row"].to_numpy()])
        texts = self.source.fitted.encode([one.text for one in asked])
        rows = near.search(texts, [one.task for one in asked], self._text_groups.own(asked), self.shown)
        return [tuple(Piece(*pool.row(row)[:3]) for row in of_one) for of_one in rows]

    @property
    def _encoder(self) -> Encoder:
        """Encoder before it is fitted: what it learns follows from the log and the seed."""
        assert isinstance(self.source.encoder, Encoder)
        return self.source.encoder

    @cached_property
    def _text_groups(self) -> TextGroups:
        return TextGroups(self.source.log.queries["query_id"], self.source.log.queries["query"])

    @cached_property
    def _ranked(self) -> pl.DataFrame:
        """Every training response that may be shown, the best of a query first."""
        log = self.source.training_log
        texts = log.responses().filter(pl.col("response").str.strip_chars() != "")
        if self.rank_by == RANDOM:
            ranked = texts.with_columns(rank=_chances(texts, self.source.seed))
        else:
            ranked = rank(log, self.rank_by, encoder=self._encoder).filter("eligible")
            right = log.records.filter(pl.col("performance") >= RIGHT)
            keys = ["query_id", "llm", *(["draw"] if "draw" in ranked.columns else [])]
            ranked = ranked.join(right, on=keys, how="semi").join(texts, on=keys)
        styles = log.llms.select("llm", *(["style"] if "style" in log.llms.columns else []))
        return ranked.join(styles, on="llm").sort("query_id", "rank")

    def _pool(self, style: str | None) -> pl.DataFrame:
        """Return the examples of a style: ``query_id, response, prompt, task, row, group``, sorted by id."""
        if style not in self._pools:
            ranked = self._ranked
            if style is not None and "style" in ranked.columns:
                ranked = ranked.filter(pl.col("style") == style)
            best = ranked.unique("query_id", keep="first", maintain_order=True)
            queries = self.source.training_log.queries.select("query_id", "query", "task").with_row_index("row")
            queries = queries.with_columns(group=pl.Series(query_groups(queries["query"])))
            pool = best.join(queries, on="query_id")
            if style is not None and style in self.prompts:
                known = self.prompts[style]
                pool = pool.filter(pl.col("query_id").is_in(list(known))).with_columns(
                    query=pl.col("query_id").replace_strict(known, return_dtype=pl.String)
                )
            if not pool.height:
                raise UserError(
                    f"{self.source.log.name} must have a right response to a training query"
                    f"{f' in the style {style}' if style else ''}, but has none; guide another style, or by another log"
                )
            self._pools[style] = pool.select("query_id", "response", "query", "task", "row", "group").sort("query_id")
        return self._pools[style]


class _Nearest:
    """Exact search within a task.

    Args:
        pool: ``query_id``, ``task`` and ``group`` of wording of N examples.
        vectors: [N, D] of length 1.
    """

    def __init__(self, pool: pl.DataFrame, vectors: Array) -> None:
        self._ids = pool["query_id"].to_list()
        self._tasks = np.array(pool["task"].to_list(), dtype=object)
        self._groups = pool["group"].to_list()
        self._vectors = vectors.astype(np.float64)

    def search(
        self, vectors: Array, tasks: Sequence[str | None], without: Sequence[Set[str]], count: int
    ) -> list[list[int]]:
        """Return, for each of Q queries, the rows of the nearest examples of its task, the nearest first.

        Args:
            vectors: [Q, D].
            tasks: Task of each; None for that of the nearest example.
            without: Ids that are left out, for each.
            count: Most rows for each.
        """
        found: list[list[int]] = [[] for _ in tasks]
        for task in dict.fromkeys(tasks):
            rows = np.arange(len(self._ids)) if task is None else np.flatnonzero(self._tasks == task)
            asked = [place for place, name in enumerate(tasks) if name == task]
            blocks = similarities(
                vectors[asked].astype(np.float64), self._vectors[rows], block=BLOCK, decimals=DECIMALS
            )
            for part, cosines in blocks:
                for place, line in zip(asked[part], cosines, strict=True):
                    found[place] = self._first(rows[first(line, len(line))], without[place], task, count)
        return found

    def _first(self, order: Array, without: Set[str], task: str | None, count: int) -> list[int]:
        kept: list[int] = []
        shown: set[int] = set()
        for row in order:
            elsewhere = task is not None and self._tasks[row] != task
            if self._ids[row] in without or elsewhere or self._groups[row] in shown:
                continue
            task = self._tasks[row] if task is None else task
            shown.add(self._groups[row])
            kept.append(int(row))
            if len(kept) == count:
                break
        return kept


def _chances(texts: pl.DataFrame, seed: int) -> pl.Series:
    """Return a number for each response that follows from nothing but its key and the seed."""
    keys = texts.select("query_id", "llm", "draw").iter_rows()
    return pl.Series([hashlib.sha256(f"{seed}/{key}".encode()).hexdigest() for key in keys], dtype=pl.String)
