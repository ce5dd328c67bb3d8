"""Preference pairs: a selected response against a wrong one to the same query."""

from __future__ import annotations

import polars as pl

from fusion.selection.candidates import KEY
from fusion.selection.inputs import SelectionInputs
from fusion.selection.texts import draw
from graphrouter.splits import normalise_text

SCHEMA = {
    "query_id": pl.String,
    "task": pl.String,
    "query": pl.String,
    "chosen": pl.String,
    "rejected": pl.String,
    "margin": pl.Float64,
    "chosen_llm": pl.String,
    "rejected_llm": pl.String,
}


def preference_pairs(selected: pl.DataFrame, pool: pl.DataFrame, inputs: SelectionInputs) -> pl.DataFrame:
    """Pair selected responses with wrong ones; each response is used once.

    The margin is the difference of what the two were ranked by: with ``graph`` that of their expected quality. It must be
    above 0, so that what has no score is in no pair, and the texts must differ in more than case and white space. ``hardest`` takes the smallest margin, so that
    with ``graph`` a right response meets the most plausible wrong one; ``widest`` takes the largest, which is the safer
    where the scores of a log are noisy. Equal margins are ordered by chance.

    Args:
        selected: The rows of the selection.
        pool: All complete, unrefused responses of LLMs that may be used, the wrong ones among them.
        inputs: Inputs of the selection.

    Returns:
        Columns as in `SCHEMA`, sorted by query and by the rank of the chosen response.
    """
    if inputs.settings.pairs == "off":
        return pl.DataFrame(schema=SCHEMA)
    least = inputs.settings.right
    wrong = pool.filter(pl.col("performance") < least, pl.col("score").is_not_null()).join(
        selected.select("query_id").unique(), "query_id", "semi"
    )
    chance = [draw(inputs.settings.seed, *key) for key in wrong.select(KEY).iter_rows()]
    largest_first = inputs.settings.pairs == "hardest"  # the largest score of a wrong response is the smallest margin
    wrong = wrong.with_columns(pl.Series("chance", chance, dtype=pl.String))
    wrong = wrong.sort("query_id", "score", "chance", descending=[False, largest_first, False])
    by_query = wrong.partition_by("query_id", as_dict=True)
    pairs: list[dict[str, object]] = []
    for (query_id,), chosen in selected.partition_by("query_id", as_dict=True, maintain_order=True).items():
        if (query_id,) in by_query:
            pairs += _of_query(
                chosen.filter(pl.col("performance") >= least, pl.col("score").is_not_null()), by_query[(query_id,)]
            )
    return pl.DataFrame(pairs, schema=SCHEMA)


def _of_query(chosen: pl.DataFrame, wrong: pl.DataFrame) -> list[dict[str, object]]:
    pairs: list[dict[str, object]] = []
    left = wrong.to_dicts()
    for row in chosen.iter_rows(named=True):
        text = normalise_text(row["response"])
        for place, other in enumerate(left):
            margin = row["score"] - other["score"]
            if margin > 0 and normalise_text(other["response"]) != text:
                del left[place]
                pairs.append(
                    {**{name: row[name] for name in ("query_id", "task", "query")}, **_sides(row, other, margin)}
                )
                break
    return pairs


def _sides(row: dict[str, object], other: dict[str, object], margin: float) -> dict[str, object]:
    return {
        "chosen": row["response"],
        "rejected": other["response"],
        "margin": round(margin, 6),
        "chosen_llm": row["llm"],
        "rejected_llm": other["llm"],
    }
