"""Source of a template: a query and the best of its responses."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import polars as pl

from fusion.tasks.graders import gold_answers
from fusion.templates.truths import Truth
from graphrouter.errors import UserError
from graphrouter.log import LLMLog

RIGHT = 0.5
"""Least performance of a response that is mined: from a wrong one there is nothing to be learnt."""

Rank = Callable[[LLMLog], pl.DataFrame]
"""A log to its ranked responses, as `fusion.ranking.rank` returns them."""


@dataclass(frozen=True)
class Best:
    """A response of a query.

    Attributes:
        llm: Whose.
        text: The response.
        score: By the ranking.
    """

    llm: str
    text: str
    score: float


@dataclass(frozen=True)
class RankedQuery:
    """A query with its best responses.

    Attributes:
        query_id: Its id.
        query: Its text.
        task: Its task, or None.
        domain: Domain of the task, or None.
        truth: Its answer.
        responses: The best first; at least one.
    """

    query_id: str
    query: str
    task: str | None
    domain: str | None
    truth: Truth
    responses: tuple[Best, ...]


def sources_of(log: LLMLog, ranked: pl.DataFrame, query_ids: list[str], top_k: int) -> list[RankedQuery]:
    """Return these queries with their ``top_k`` best responses; one without a right response is left out.

    Args:
        log: With responses.
        ranked: ``query_id, llm, rank, score, eligible`` and perhaps ``draw``; see `fusion.ranking`.
        query_ids: Which, and in which order.
        top_k: Most responses per query.
    """
    if top_k < 1:
        raise UserError(f"top-k must be 1 or more, but is {top_k}")
    wanted = pl.DataFrame({"query_id": query_ids}, schema={"query_id": pl.String}).with_row_index("place")
    keys = ["query_id", "llm", *(["draw"] if "draw" in ranked.columns else [])]
    best = ranked.filter("eligible").join(wanted, on="query_id")
    best = best.join(log.records.select(*keys, "performance"), on=keys).filter(pl.col("performance") >= RIGHT)
    best = best.sort("place", "rank").group_by("query_id", maintain_order=True).head(top_k)
    texts = log.responses().join(best.select("query_id").unique(), on="query_id", how="semi")
    rows = best.join(texts, on=keys, how="left", maintain_order="left").join(
        log.queries.select("query_id", "query", "task", "domain", "metric", "ground_truth"),
        on="query_id",
        maintain_order="left",
    )
    found = []
    for _, part in rows.group_by("query_id", maintain_order=True):
        about = part.row(0, named=True)
        responses = tuple(
            Best(row["llm"], row["response"] or "", float(row["score"])) for row in part.iter_rows(named=True)
        )
        gold = about["ground_truth"] if gold_answers(about["metric"], about["ground_truth"]) else None
        truth = Truth.of(about["query"], gold)
        found.append(RankedQuery(about["query_id"], about["query"], about["task"], about["domain"], truth, responses))
    return found
