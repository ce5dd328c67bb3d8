"""How many tokens a completion has."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import polars as pl

from fusion.selection.texts import CHARS_PER_TOKEN
from graphrouter.errors import UserError, first_line

BATCH = 1000
"""Texts that are tokenized at once, to bound the memory."""


def with_tokens(rows: pl.DataFrame, tokenizer: str | None) -> pl.DataFrame:
    """Add the column ``tokens``, of the response alone: those that a loss on completions sees.

    Args:
        rows: With ``response`` and ``chars``.
        tokenizer: Folder or hub name; None to estimate a token for four characters.

    Raises:
        UserError: If the tokenizer cannot be loaded.
    """
    if "tokens" in rows.columns:
        return rows
    if tokenizer is None:
        return rows.with_columns(tokens=(pl.col("chars") / CHARS_PER_TOKEN).ceil().cast(pl.Int64))
    texts = rows["response"].to_list()
    loaded = _load(tokenizer)
    counts: list[int] = []
    for start in range(0, len(texts), BATCH):
        encoded = loaded(texts[start : start + BATCH], add_special_tokens=False)["input_ids"]
        counts += [len(ids) for ids in encoded]
    return rows.with_columns(tokens=pl.Series(counts, dtype=pl.Int64))


@lru_cache(maxsize=1)
def _load(tokenizer: str) -> Any:
    from transformers import AutoTokenizer

    try:
        return AutoTokenizer.from_pretrained(tokenizer)
    except (OSError, ValueError, KeyError, ImportError) as error:
        raise UserError(
            f"tokenizer must be the folder or hub name of a tokenizer, but {tokenizer}: {first_line(error)}"
        ) from None
