"""Every response of the training and validation queries, as rows that the rules work on."""

from __future__ import annotations

from pathlib import Path

import polars as pl

from fusion.selection.inputs import SelectionInputs
from fusion.selection.texts import draw
from fusion.tasks.graders import gold_answers
from graphrouter.log import LLMLog

KEY = ["query_id", "llm", "draw"]
GOLD = "ground_truth"
"""Stands for the LLM in the rows of ``baseline``."""


def candidates(inputs: SelectionInputs, ranked: pl.DataFrame | None = None, cache: Path | None = None) -> pl.DataFrame:
    """Return one row per response.

    Args:
        inputs: The log must have responses, except for ``baseline``.
        ranked: From `fusion.ranking.rank`, of the training and validation queries; None to make it.
        cache: File that the ranking is read from, or written to where it is not there; None for no cache.

    Returns:
        ``query_id, llm, draw, part`` (train or validation), ``task`` (empty where unknown)``, query, style`` (of the
        prompt, null where unknown), ``response`` (without outer white space; null where the log has none)``, chars,
        performance, rank, score, reason`` (why the ranking does not hold it eligible, or null)``, solved`` (the query's
        solve rate), sorted by query and rank.
    """
    log, settings = inputs.prepared.known_log, inputs.settings
    if settings.ranking == "baseline":
        rows = _gold(log)
    else:
        rows = _ranked(inputs, cache) if ranked is None else ranked
        rows = _with_performance(rows, log).join(_responses(log), KEY, "left")
    if settings.ranking == "random":
        rows = _shuffled(rows, settings.seed)
    rows = rows.join(_solved(rows) if settings.by_graph else observed_solve_rate(log), on="query_id")
    rows = rows.join(_about_queries(inputs), on="query_id").join(_styles(log), on="llm", how="left")
    return rows.with_columns(
        pl.col("rank").cast(pl.Int64), pl.col("score").cast(pl.Float64), chars=pl.col("response").str.len_chars()
    ).sort("query_id", "rank", "llm", "draw")


def observed_solve_rate(log: LLMLog) -> pl.DataFrame:
    """Return ``query_id, solved``: the mean performance over the LLMs that answered, several draws counting as one."""
    cells = log.records.group_by("query_id", "llm").agg(pl.col("performance").mean())
    return (
        cells.sort("query_id", "llm").group_by("query_id", maintain_order=True).agg(solved=pl.col("performance").mean())
    )


def _ranked(inputs: SelectionInputs, cache: Path | None) -> pl.DataFrame:
    """Rank the training and validation queries, or read that ranking from its cache."""
    from fusion.ranking.cache import rank_once

    settings = inputs.settings
    name = "performance" if settings.ranking == "random" else settings.ranking
    encoder = inputs.prepared.encoder_name if name == "graph" else None
    return rank_once(
        inputs.prepared.known_log, name, cache, encoder=encoder, seed=settings.seed, progress=inputs.prepared.progress
    )


def _with_performance(rows: pl.DataFrame, log: LLMLog) -> pl.DataFrame:
    """Add the draw and the performance of every record; a ranking has no draw where no combination has several."""
    key = [name for name in KEY if name in rows.columns]
    return rows.select(*key, "rank", "score", "reason").join(log.records.select(*KEY, "performance"), on=key)


def _responses(log: LLMLog) -> pl.DataFrame:
    return log.responses().with_columns(pl.col("response").str.strip_chars())


def _shuffled(rows: pl.DataFrame, seed: int) -> pl.DataFrame:
    """Rank the responses of each query by chance; what they score is their performance."""
    chance = [draw(seed, *key) for key in rows.select(KEY).iter_rows()]
    rows = rows.with_columns(pl.Series("chance", chance), score=pl.col("performance"))
    return rows.with_columns(rank=pl.struct("chance", *KEY).rank("ordinal").over("query_id")).drop("chance")


def _solved(rows: pl.DataFrame) -> pl.DataFrame:
    """Return the mean of what the graph expects of the LLMs that answered, several draws counting as one."""
    cells = rows.group_by("query_id", "llm").agg(pl.col("score").mean())
    return cells.sort("query_id", "llm").group_by("query_id", maintain_order=True).agg(solved=pl.col("score").mean())


def _about_queries(inputs: SelectionInputs) -> pl.DataFrame:
    queries = inputs.prepared.log.queries.select("query_id", pl.col("task").fill_null(""), "query")
    parts = {"train": inputs.prepared.split.train, "validation": inputs.prepared.split.validation}
    return pl.concat([queries[rows].with_columns(part=pl.lit(part)) for part, rows in parts.items()])


def _styles(log: LLMLog) -> pl.DataFrame:
    style = pl.col("style").cast(pl.String) if "style" in log.llms.columns else pl.lit(None, pl.String).alias("style")
    return log.llms.select("llm", style)


def _gold(log: LLMLog) -> pl.DataFrame:
    """Return the ground truths as if an LLM had given them; one that is no answer, such as unit tests, has no text."""
    answers = (gold_answers(metric, gold) for metric, gold in log.queries.select("metric", "ground_truth").iter_rows())
    texts = [accepted[0].strip() if accepted else None for accepted in answers]
    return log.queries.select("query_id").with_columns(
        pl.lit(GOLD).alias("llm"),
        pl.lit(0, pl.Int64).alias("draw"),
        pl.lit(1).alias("rank"),
        pl.lit(1.0).alias("score"),
        pl.lit(None, pl.String).alias("reason"),
        pl.lit(1.0).alias("performance"),
        pl.Series("response", texts, dtype=pl.String),
    )
