"""Which responses may be learnt from: not empty, not truncated, not refused, not wrong where a right one exists."""

from __future__ import annotations

import re
from collections.abc import Mapping

import polars as pl

from fusion.tasks.graders.answers import announced, boxed
from graphrouter.log import LLMLog

REASONS = ("empty", "truncated", "refused", "wrong")
"""Why a response is not eligible; where several hold, the first of them is given."""

CUT_SHORT = ("length", "max_tokens", "max_output_tokens", "model_length")
"""Names that servers give to a response that ended at its limit (``finish_reason``), in lower case."""

OPENING = 200
"""Characters at the start of a response that are searched for a refusal: later ones belong to an answer. Not tuned."""

_NOT = (
    r"(?:cannot|can not|can't|could not|couldn't|will not|won't|would not|am not going to|'m not going to"
    r"|(?:will not|won't|would not|wouldn't) be able to|(?:am|'m) (?:\w+ly )?(?:unable|not (?:able|allowed|permitted|authori[sz]ed|programmed|designed|willing)) to"
    r"|(?:am|'m) not capable of|(?:do not|don't) feel (?:able to|comfortable)|(?:am|'m) not comfortable(?: with)?|(?:do not|don't) have the ability to)"
)
_VERBS = (
    r"(?:(?:assist|help|compl[yi]|fulfil|provid|answer|respond|reply|discuss|engag|participat|generat|creat|writ|produc|support|continu|complet|shar|offer"
    r"|giv|accommodat|recommend|suggest|condon|endors|encourag|promot|advis|facilitat|role-?play|process|perform)(?:e|l|ing|ying)?"
    r"|(?:do|doing) (?:that|this|so))\b"
)
_IDIOMS = (
    r"(?:help (?:but|\w+ing)|give up|recommend\b[^.]{1,60}\benough|(?:complete|completing) the square|write \S+ as)\b"
)
_DECLINE = (
    r"(?:(?:must|have to|need to|(?:'ll|will|am going to|'m going to) have to|would (?:like|prefer) to|'d (?:like|prefer) to)\s+)?"
    r"(?:(?:respectfully|politely|kindly)\s+)?(?:decline|refuse)\b(?! in\b)"
)
_SORRY = (
    r"(?:(?:i(?:'m| am) (?:very |truly |really |so |deeply )?sorry|sorry|my apologies|i (?:sincerely )?apologi[sz]e|unfortunately|i(?:'m| am) afraid|regrettably"
    r"|no|i(?:'m| am) sorry to say(?: that)?)[,.:;!]*\s+(?:\w+[.,!]\s+)?(?:but\s+|that\s+)?)"
)
_AS_AI = r"(?:(?:as|i am|i'm) an? (?:ai|artificial intelligence|language model|large language model|assistant|chatbot)\b[^.,]{0,60}?(?:,\s+(?:and\s+)?|\s+and\s+))"
REFUSAL = re.compile(
    rf"^{_SORRY}{{0,2}}{_AS_AI}?i(?:\s+(?:really|simply|just))?(?:\s+(?={_DECLINE})|(?='))?\s*(?:{_NOT}(?: and (?:will not|won't))?\s+(?!{_IDIOMS}){_VERBS}|{_DECLINE})",
    re.IGNORECASE,
)
"""How a refusal opens: perhaps an apology, perhaps "as an AI", then "I cannot" and what is refused, or "I must decline".

"I cannot find a smaller divisor" and "I'm sorry to hear that" are none: the first names no service, the second
refuses nothing. "I can't help but think" is an idiom. A refusal further down, after an attempt, is none either. English only.
"""

_AFTER_ALL = re.compile(
    r"\b(?:but|however|that said|still|nevertheless|nonetheless|if i (?:had|have) to|though)\b[^.!?\n]{0,80}?"
    r"(?:\blikel[yi]|\bprobabl|\bguess|\bi(?:'d| would)(?: \w+ly)? (?:say|choose|pick|go with|select)\b|\bi(?: would|'d)? (?:think|believe|suspect)\b"
    r"|\bmy (?:best |final )?(?:answer|choice|guess)\b|\bit(?:'s| is| must be| should be)\b.{0,10}\b[A-J]\b|\bhere(?:'s| is)\b)",
    re.IGNORECASE,
)
_HEDGED = re.compile(
    r"\b(?:certainty|confidence|definitive(?:ly)?|for (?:sure|certain)|(?:exact|precise)(?:ly)?|personal (?:opinion|experience|view)s?|opinions?)\b",
    re.IGNORECASE,
)
_YET = re.compile(r"\b(?:but|however|that said|nevertheless|nonetheless)\b", re.IGNORECASE)
AFTER = 400
"""Characters after a refusal that are searched for an answer that is given nevertheless."""


def is_refusal(response: str) -> bool:
    """Return whether a response opens with a refusal, see `REFUSAL`, and does not answer after all.

    It does where an answer is announced or boxed, where a guess follows ("I cannot say, but most likely B"), and where only
    certainty, exactness or an opinion is refused, and more follows.
    """
    opening = " ".join(response[: OPENING + AFTER].replace("\u2019", "'").split()).lstrip("\"'*_# ")
    match = REFUSAL.match(opening[:OPENING])
    if match is None:
        return False
    rest = opening[match.end() :]
    hedged = (
        _HEDGED.search(rest, 0, 60) is not None
        and (yet := _YET.search(rest)) is not None
        and len(rest[yet.end() :]) > 20
    )
    later = re.split(r"[.!?:]\s", response[: OPENING + AFTER], maxsplit=1)[
        1:
    ]  # the refusal may speak of "the answer to this"
    concluded = any(map(_says, announced(later[0] + response[OPENING + AFTER :]))) if later else False
    return not (hedged or concluded or _AFTER_ALL.search(rest) or boxed(response) is not None)


def _says(answer: str) -> bool:
    """Return whether what is announced as an answer is short enough for one, and does not refuse itself."""
    return 0 < len(answer) < 80 and not re.search(
        r"\b(?:not|cannot|can't|unable|unknown|unclear|impossible)\b", answer, re.IGNORECASE
    )


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
