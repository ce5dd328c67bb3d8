"""Look for what is odd in the columns of a log: counts that were filled in, gaps, mistyped names."""

from __future__ import annotations

import difflib
from collections.abc import Iterator

import numpy as np
import polars as pl

from graphrouter.log import COLUMNS, LLMLog
from graphrouter.text_groups import fold_width

ENOUGH = 10
"""Records below which a constant is put down to chance."""
FEW = 0.5
"""A query with outcomes of this share of the LLMs or less tells little about which LLM to choose."""
MANY = 0.1
"""From this share of such queries on, it is said."""
CLOSE = 0.8
"""Likeness (difflib's ratio) from which on a name is taken for a mistyped one: 'costs' and 'cost' have 0.89."""


def constant_tokens(log: LLMLog) -> Iterator[str]:
    """Yield the counts of tokens that are the same in all records although the texts differ in length."""
    asked = log.records.select("query_id").join(log.queries, on="query_id", how="left", maintain_order="left")
    lengths = {"input_tokens": asked["query"].str.len_chars(), "output_tokens": log.records["response_chars"]}
    for column, length in lengths.items():
        counted = pl.DataFrame({"llm": log.records["llm"], "tokens": log.records[column], "length": length})
        counted = counted.drop_nulls("tokens")
        whose = "queries" if column == "input_tokens" else "responses"
        if _is_filled_in(counted):
            yield (
                f"{column} is {counted['tokens'][0]:g} in all its {counted.height} records although {whose} differ in "
                "length; costs that follow from it are wrong"
            )
            continue
        for (llm,), own in sorted(counted.group_by("llm")):
            if _is_filled_in(own):
                yield f"{llm} has {column} {own['tokens'][0]:g} in all its {own.height} records although {whose} differ in length"


def _is_filled_in(counted: pl.DataFrame) -> bool:
    return (
        counted.height >= ENOUGH and counted["tokens"].n_unique() == 1 and counted["length"].drop_nulls().n_unique() > 1
    )


def missing_outcomes(log: LLMLog) -> Iterator[str]:
    """Yield how many queries have outcomes of few LLMs, where these are many."""
    outcomes = (log.cells("draws") > 0).sum(axis=1)
    scored, llms = outcomes[outcomes > 0], len(log.llm_names)
    few = int((scored <= FEW * llms).sum())
    if llms > 1 and few >= MANY * len(scored):
        yield (
            f"{few} of {len(scored)} scored queries have outcomes of half of the {llms} LLMs or fewer (the median query "
            f"has {np.median(scored):g}); what the other LLMs would have scored there is not known"
        )


def near_names(log: LLMLog) -> Iterator[str]:
    """Yield the names of LLMs and tasks that differ in case, width or white space only."""
    for what, names in (("LLMs", log.llm_names), ("tasks", log.tasks)):
        alike: dict[str, list[str]] = {}
        for name in names:
            seen = "".join(fold_width(name).casefold().replace("\u200b", "").replace("\ufeff", "").split())
            alike.setdefault(seen, []).append(name)
        for same in alike.values():
            if len(same) > 1:
                yield f"{what} {', '.join(map(repr, same))} differ in case, width or white space only; one that is meant?"


def null_columns(log: LLMLog) -> Iterator[str]:
    """Yield the columns without values, and the columns that were probably meant."""
    for table, known in COLUMNS.items():
        frame: pl.DataFrame = getattr(log, table)
        empty = [name for name in frame.columns if frame[name].null_count() == frame.height]
        if empty:
            yield f"{table}: no value in {', '.join(empty)}"
        for name in frame.columns:
            meant = None if name in known or name in empty else _meant(name, [one for one in empty if one in known])
            if meant:
                yield f"{table}: a column {name} is not read; did you mean {meant}?"


def _meant(name: str, empty: list[str]) -> str | None:
    """Return the known column that a name is a misspelling or a variant of, such as ``costs`` or ``cost_usd``."""
    plain = "_".join(name.casefold().replace("-", " ").replace(".", " ").replace("_", " ").split())
    close = difflib.get_close_matches(plain, empty, n=1, cutoff=CLOSE)
    return next((one for one in empty if f"_{one}_" in f"_{plain}_"), close[0] if close else None)
