"""Which responses may be learnt from: not empty, not truncated, not refused, not wrong where a right one exists."""

from __future__ import annotations

import re
from collections.abc import Mapping

import polars as pl

from graphrouter.log import LLMLog

REASONS = ("empty", "truncated", "refused", "wrong")
"""Why a response is not eligible; where several hold, the first of them is given."""

CUT_SHORT = ("length", "max_tokens", "max_output_tokens", "model_length")
"""What servers call a response that ended at its limit (``finish_reason``), in lower case."""

OPENING = 200
"""Characters at the start of a response that are searched for a refusal."""

_NOT = (
    r"(?:cannot|can not|can't|could not|couldn't|will not|won't|(?:am|'m) (?:unable|not able) to|do not feel able to)"
)
_VERBS = (
    r"(?:assist|help|comply|fulfil|fulfill|provide|answer|respond|discuss|engage|participate|generate|create|write|"
    r"produce|support|continue|complete|share|offer|give|do (?:that|this)|process|accommodate)\b"
)
_SORRY = r"(?:(?:i(?:'m| am) (?:very |truly |really |so )?sorry|sorry|my apologies|i apologi[sz]e|unfortunately)[,.:;!]?\s+(?:but\s+)?)"
_AS_AI = (
    r"(?:as an? (?:ai|artificial intelligence|language model|large language model|assistant|chatbot)\b[^.,]{0,60},\s+)"
)
REFUSAL = re.compile(
    rf"^{_SORRY}?(?:but\s+)?{_AS_AI}?i(?:\s+(?:really|simply|just))?\s*{_NOT}\s+{_VERBS}", re.IGNORECASE
)
"""How a refusal opens: perhaps an apology, perhaps "as an AI", then "I cannot" and what is refused.

"I cannot find a smaller divisor" and "I'm sorry to hear that" are none: the first names no service, the second
refuses nothing. A refusal further down, after an attempt, is none either.
"""


def is_refusal(response: str) -> bool:
    """Return whether a response opens with a refusal; see `REFUSAL`."""
    opening = " ".join(response[:OPENING].replace("\u2019", "'").split())
    return REFUSAL.match(opening.lstrip("\"'*_# ")) is not None


def judge_eligibility(log: LLMLog, right: float, max_tokens: Mapping[str, int]) -> pl.DataFrame:
    """Say of each record whether its response is eligible, by what the log knows of it.

    - ``empty``: a text without a letter or sign, or ``response_chars`` or ``output_tokens`` of 0;
    - ``truncated``: a ``finish_reason`` of `CUT_SHORT`, ``output_tokens`` at the task's limit, or a text that the log
      keeps only in part (``response_chars`` is larger);
    - ``refused``: see `REFUSAL`;
    - ``wrong``: a performance below ``right`` times the best performance of the query. For responses that are right or
      wrong these are the wrong ones where a right one exists; a graded response is wrong below that share of the best.

    Nothing is guessed from the length of a text. A log without texts is judged by its other columns.

    Args:
        log: R records.
        right: In (0, 1].
        max_tokens: Per task, the most output tokens that a response could have; tasks that are not named have no limit.

    Returns:
        ``query_id, llm, draw, eligible, reason`` [R], in the order of ``log.records``; ``reason`` is null where eligible.
    """
    key = ["query_id", "llm", "draw"]
    rows = log.records.join(log.queries.select("query_id", "task"), on="query_id", how="left", maintain_order="left")
    rows = _with_texts(rows, log)
    limit = pl.col("task").replace_strict(dict(max_tokens), default=None, return_dtype=pl.Float64)
    finish = pl.col("finish_reason").str.to_lowercase() if "finish_reason" in rows.columns else pl.lit(None, pl.String)
    best = pl.col("performance").max().over("query_id")
    tests = {
        "empty": (pl.col("text_chars") == 0) | (pl.col("response_chars") == 0) | (pl.col("output_tokens") == 0),
        "truncated": finish.is_in(CUT_SHORT)
        | (pl.col("output_tokens") >= limit).fill_null(False)
        | (pl.col("whole_chars") < pl.col("response_chars")).fill_null(False),
        "refused": pl.col("refusal"),
        "wrong": pl.col("performance") < right * best,
    }
    reason = pl.coalesce(*(pl.when(tests[name].fill_null(False)).then(pl.lit(name)) for name in REASONS))
    return rows.select(*key, reason.is_null().alias("eligible"), reason.alias("reason"))


def _with_texts(rows: pl.DataFrame, log: LLMLog) -> pl.DataFrame:
    """Add what the texts tell: ``text_chars`` (white space at the ends left out), ``whole_chars`` and ``refusal``."""
    if not log.has_responses:
        return rows.with_columns(
            text_chars=pl.lit(None, pl.UInt32), whole_chars=pl.lit(None, pl.UInt32), refusal=pl.lit(False)
        )
    texts = log.responses().with_columns(
        text_chars=pl.col("response").str.strip_chars().str.len_chars(),
        whole_chars=pl.col("response").str.len_chars(),
        refusal=pl.col("response").map_elements(is_refusal, return_dtype=pl.Boolean),
    )
    return rows.join(texts.drop("response"), on=["query_id", "llm", "draw"], how="left", maintain_order="left")
