"""Rules on a single response: it is there, comes from an LLM that may be used, is whole, is no refusal, and is right."""

from __future__ import annotations

from fnmatch import fnmatchcase

import polars as pl

from fusion.selection.candidates import GOLD
from fusion.selection.inputs import SelectionInputs
from graphrouter.errors import UserError, suggest

LICENCE_COLUMNS = ("licence", "license")

NEW_QUESTION = r"(?i)\n\W{0,4}(?:question|q|user|human|instruction|problem|exercise)\s*\d{0,3}\s*:"
"""A base model that does not stop after its answer writes the next question of the prompt."""

TAIL = 240
"""Characters at the end of a response that are looked at for a loop."""

PERIOD = 60
"""Longest part, in characters, that a loop repeats."""

PROBE = 20
"""Characters at the end that are looked for before, to find the period of a loop. Not tuned."""


def answered(rows: pl.DataFrame, inputs: SelectionInputs) -> pl.DataFrame:
    """Drop records without the text of a response."""
    return rows.filter(pl.col("chars") > 0)


def from_llms(rows: pl.DataFrame, inputs: SelectionInputs) -> pl.DataFrame:
    """Drop responses of LLMs that may not be used: by name, size, licence or prompting style.

    Raises:
        UserError: If a pattern names no LLM, or the log does not say what is asked for.
    """
    settings = inputs.settings
    llms = inputs.prepared.log.llms
    if settings.llms:
        llms = llms.filter(pl.col("llm").is_in(_matching(settings.llms, inputs.prepared.log.llm_names, "llms")))
    if settings.without_llms:
        unwanted = _matching(settings.without_llms, inputs.prepared.log.llm_names, "without_llms")
        llms = llms.filter(~pl.col("llm").is_in(unwanted))
    if settings.max_size is not None:
        llms = llms.filter(pl.col("size_b") <= settings.max_size)
    if settings.licences:
        llms = _among(llms, LICENCE_COLUMNS, settings.licences, "licences")
    if settings.styles:
        llms = _among(llms, ("style",), settings.styles, "styles")
    return rows.filter(pl.col("llm").is_in(llms["llm"].implode()) | (pl.col("llm") == GOLD))


def unrefused(rows: pl.DataFrame, inputs: SelectionInputs) -> pl.DataFrame:
    """Drop refusals, as the ranking sees them."""
    return rows.filter(pl.col("reason").ne_missing("refused"))


def complete(rows: pl.DataFrame, inputs: SelectionInputs) -> pl.DataFrame:
    """Drop what is cut off, goes on to a question of its own, or ends in a loop."""
    cut = pl.col("reason").eq_missing("truncated") | pl.col("response").str.contains(NEW_QUESTION)
    rows = rows.filter(~cut)
    return rows.filter(~pl.Series([loops(text) for text in rows["response"]], dtype=pl.Boolean))


def right(rows: pl.DataFrame, inputs: SelectionInputs) -> pl.DataFrame:
    """Drop wrong responses. Unlike the ranking, also where no LLM has a right one."""
    return rows.filter(pl.col("performance") >= inputs.settings.right)


def loops(text: str) -> bool:
    """Say whether a text ends in a part of at most `PERIOD` characters over and over."""
    tail = text[-TAIL:]
    if len(tail) < TAIL:
        return False
    period = TAIL - PROBE - tail.rfind(tail[-PROBE:], 0, TAIL - 1)
    return period <= PERIOD and tail[period:] == tail[:-period]


def _matching(patterns: list[str], names: tuple[str, ...], setting: str) -> list[str]:
    for pattern in patterns:
        if not any(fnmatchcase(name, pattern) for name in names):
            raise UserError(f"{setting} must name LLMs of the log, but {pattern!r} names none{suggest(pattern, names)}")
    return [name for name in names if any(fnmatchcase(name, pattern) for pattern in patterns)]


def _among(llms: pl.DataFrame, columns: tuple[str, ...], wanted: list[str], setting: str) -> pl.DataFrame:
    column = next((name for name in columns if name in llms.columns), None)
    if column is None:
        raise UserError(
            f"{setting} needs the column {columns[0]!r} in the log's llms, but it has {', '.join(llms.columns)}; add it"
        )
    known = pl.col(column).cast(pl.String).str.to_lowercase()
    return llms.filter(known.is_in([value.lower() for value in wanted]))
