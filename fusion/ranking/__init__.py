"""Log -> ranked responses per query, by what was observed of them or by what the graph holds of them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import polars as pl

from fusion.ranking.eligibility import REASONS, judge_eligibility
from fusion.ranking.observed import observed_keys
from graphrouter.encoders import Encoder
from graphrouter.errors import UserError, suggest
from graphrouter.log import LLMLog, LogLike, load_log
from graphrouter.settings import check

__all__ = ["DEFAULT_RANKING", "RANKINGS", "REASONS", "RankingSettings", "rank"]

RANKINGS = ("performance", "judge", "hybrid", "graph")
DEFAULT_RANKING = "graph"
DECIMALS = 9
"""Posteriors that agree to so many decimals are equal: the same sum in another order differs in the last bits."""


@dataclass
class RankingSettings:
    """Settings of a ranking.

    Attributes:
        seed: Breaks ties, and of the folds and GNNs of ``graph``.
        right: A response is wrong where its performance is below so much of the query's best, in (0, 1].
        max_tokens: Per task, the output tokens at which a response was cut, for a log without ``finish_reason``.
        folds: For ``graph``: parts that the queries are divided into; as many GNNs are fitted.
        gnn: For ``graph``: hyperparameters of the GNN that differ from its defaults.
        device: For ``graph``: ``cpu``, ``cuda`` or ``auto``.
        progress: Whether to show progress.
    """

    seed: int = 0
    right: float = 0.5
    max_tokens: dict[str, int] = field(default_factory=dict)
    folds: int = 10
    gnn: dict[str, Any] = field(default_factory=dict)
    device: str = "auto"
    progress: bool = False

    def __post_init__(self) -> None:
        if not 0 < self.right <= 1:
            raise UserError(f"right must be within (0, 1], but is {self.right}")
        if self.seed < 0:
            raise UserError(f"the seed must be 0 or more, but is {self.seed}")


def rank(
    log: LogLike, ranking: str = DEFAULT_RANKING, *, encoder: str | Encoder | None = None, **settings: Any
) -> pl.DataFrame:
    """Rank the responses of every query of a log.

    Ties are broken at random by the seed, the query, the LLM and the draw, never by length or by the order of LLMs.
    ``graph`` orders by the posterior of the edge, then (draws of one LLM share it) by the response's own performance,
    then the cheaper first, an unknown cost last, then at random.

    Args:
        log: Log, its name or folder, or a DataFrame; with judge scores for ``judge`` and ``hybrid``.
        ranking: One of `RANKINGS`.
        encoder: For ``graph``: see `graphrouter.encoders.find_encoder`; None for the log's default.
        settings: Fields of `RankingSettings`.

    Returns:
        One row per record: ``query_id, llm, draw`` (only where a combination of the log has several), ``rank`` (1 is
        best within the query), ``score`` (what it was ranked by), ``eligible`` and ``reason`` (see
        `fusion.ranking.eligibility.judge_eligibility`); in the log's order of queries, then by rank. Responses that are
        not eligible come last.

    Raises:
        UserError: If the ranking or a setting is unknown, or the log lacks what the ranking needs.
    """
    log = load_log(log)
    if ranking not in RANKINGS:
        raise UserError(f"there is no ranking {ranking!r}{suggest(ranking, RANKINGS)}")
    chosen = RankingSettings(**check(RankingSettings, settings, "settings of the ranking"))
    keys = _graph_keys(log, encoder, chosen) if ranking == "graph" else observed_keys(log, ranking)
    rows = judge_eligibility(log, chosen.right, chosen.max_tokens).hstack(keys)
    rows = rows.with_columns(chance=_chance(rows, chosen.seed))
    order = ["eligible", *(name for name in keys.columns if name != "score" or ranking != "hybrid")]
    rows = rows.sort(
        "query_id", *order, "chance", descending=[False, *(True for _ in order), False], nulls_last=True
    ).with_columns(rank=(pl.int_range(pl.len()).over("query_id") + 1).cast(pl.UInt32))
    draw = ["draw"] if rows["draw"].n_unique() > 1 else []
    return rows.select("query_id", "llm", *draw, "rank", pl.col("score").cast(pl.Float64), "eligible", "reason")


def _graph_keys(log: LLMLog, encoder: str | Encoder | None, settings: RankingSettings) -> pl.DataFrame:
    """Return ``score``, ``performance`` and ``negative_cost`` [R], in the order of ``log.records``."""
    from fusion.ranking.graph import domains_of, graph_posterior
    from graphrouter.prepared import prepare, undivided

    if len(log.llm_names) < 2:
        raise UserError(f"{log.name}: the ranking 'graph' needs two LLMs or more, but the log has one; add another")
    # An encoder that learns is fitted on all texts, which tell of no outcome.
    prepared = prepare(log, encoder, split=undivided, device=settings.device, progress=settings.progress)
    posterior = graph_posterior(
        prepared.data,
        domains_of(log),
        folds=settings.folds,
        seed=settings.seed,
        gnn=settings.gnn,
        device=settings.device,
        progress=settings.progress,
    )
    rows = log.queries.select("query_id").with_row_index("row")
    columns = log.llms.select("llm").with_row_index("column")
    at = log.records.join(rows, on="query_id", how="left", maintain_order="left")
    at = at.join(columns, on="llm", how="left", maintain_order="left")
    place = at["row"].to_numpy(), at["column"].to_numpy()
    cell_cost = pl.Series(log.cells("cost")[place]).fill_nan(None)
    return pl.DataFrame(
        {
            "score": np.round(posterior[place], DECIMALS),
            "performance": log.records["performance"],
            "negative_cost": -log.records["cost"].fill_nan(None).fill_null(cell_cost),
        }
    )


def _chance(rows: pl.DataFrame, seed: int) -> pl.Series:
    """Return a number for each record that looks random and follows from the seed and the record's key alone."""
    from graphrouter.routers.parts.arrays import hashed_uniform

    keys = rows.select(pl.concat_str("query_id", "llm", pl.col("draw").cast(pl.String), separator="\0")).to_series()
    return pl.Series(hashed_uniform(f"ranking/{seed}", keys, 1)[:, 0])
