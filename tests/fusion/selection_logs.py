"""Small logs with responses, and rows as the rules of a selection see them."""

from typing import Any

import polars as pl

from fusion.selection.inputs import SelectionInputs
from fusion.selection.settings import SelectionSettings
from graphrouter.log import LLMLog
from graphrouter.prepared import prepare

LLMS = {"ada": 1.0, "bob": 0.7, "cyd": 0.4}
"""Share of the queries that each solves."""

WORDS = [
    "river",
    "stone",
    "cloud",
    "market",
    "garden",
    "engine",
    "window",
    "letter",
    "bridge",
    "candle",
    "forest",
    "silver",
]


def make_log(queries: int = 60, without_response: tuple[int, ...] = (), order: Any = None) -> LLMLog:
    """Make a log of two tasks; every response differs, and what is right follows from the number of the query."""
    ids = [f"q{n:03d}" for n in range(queries)]
    texts = [f"{WORDS[n % 12]} {WORDS[n // 12 % 12]} number {n}: add {n} to {n * 7}" for n in range(queries)]
    records, responses = [], []
    for n, query_id in enumerate(ids):
        for m, (llm, share) in enumerate(LLMS.items()):
            good = (n * 7 + m * 3) % 10 < share * 10 if n % 6 else True
            said = " ".join(WORDS[(n * (m + 2) + step) % 12] for step in range(10))
            text = f"{llm} says {said} so it is {n * 8 if good else n}"
            records.append({"query_id": query_id, "llm": llm, "performance": float(good), "response_chars": len(text)})
            if n not in without_response:
                responses.append({"query_id": query_id, "llm": llm, "draw": 0, "response": text})
    tables = [
        pl.DataFrame({"query_id": ids, "task": ["sums", "totals"] * (queries // 2), "query": texts}).with_columns(
            ground_truth=pl.Series([str(n * 8) for n in range(queries)])
        ),
        pl.DataFrame({"llm": list(LLMS), "size_b": [70.0, 7.0, None], "style": ["direct", "direct", "reasoning"]}),
        pl.DataFrame(records),
        pl.DataFrame(responses),
    ]
    if order is not None:
        tables = [table.sample(fraction=1, shuffle=True, seed=order + place) for place, table in enumerate(tables)]
    return LLMLog("tiny", *tables[:3], texts=tables[3])


def rank_by_hand(log: LLMLog) -> pl.DataFrame:
    """Rank by performance, then by name: what `fusion.ranking` would say of a log without draws."""
    rows = log.records.sort("query_id", "performance", "llm", descending=[False, True, False])
    return rows.select(
        "query_id",
        "llm",
        pl.int_range(1, pl.len() + 1).over("query_id").cast(pl.UInt32).alias("rank"),
        score=pl.col("performance"),
        eligible=pl.col("performance") > 0,
        reason=pl.when(pl.col("performance") > 0).then(None).otherwise(pl.lit("wrong")),
    )


def inputs(log: LLMLog | None = None, **settings: Any) -> SelectionInputs:
    """Return the inputs of a selection by TF-IDF vectors."""
    chosen = SelectionSettings(**{"encoder": "tfidf:8", **settings})
    return SelectionInputs(prepare(log or make_log(), chosen.encoder, seed=chosen.seed), chosen)


def rows(*given: dict[str, Any]) -> pl.DataFrame:
    """Return rows as the rules see them; what is not given is that of a right response of an LLM to a query."""
    full = []
    for place, values in enumerate(given):
        row = {
            "query_id": f"q{place:03d}",
            "llm": "ada",
            "draw": 0,
            "rank": 1,
            "score": 1.0,
            "reason": None,
            "performance": 1.0,
            "response": f"response {place}",
            "task": "sums",
            "query": f"query {place}",
            "part": "train",
            "solved": 0.5,
            "style": None,
        } | values
        full.append(row | {"chars": None if row["response"] is None else len(row["response"])})
    kinds = {"reason": pl.String, "style": pl.String, "response": pl.String, "chars": pl.UInt32}
    return pl.DataFrame(full, schema_overrides=kinds)
