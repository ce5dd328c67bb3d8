"""A table in long form, one row per query and LLM, as the tables of a log."""

from __future__ import annotations

import hashlib
import json
from typing import Any

import polars as pl

from graphrouter.errors import UserError, cut, shown, suggest
from graphrouter.log_checks import COLUMNS, kind_of

NEEDED = ("query", "llm", "performance")
"""Columns that such a table must have, under these names or others that are named."""
USUAL = {
    "query": ("prompt", "question", "input", "instruction", "messages", "text"),
    "llm": ("model", "model_name", "llm_name", "model_id", "llm_id"),
    "performance": ("score", "label", "correct", "is_correct", "accuracy", "acc", "effect", "reward", "rating"),
    "task": ("task_name", "task_id", "dataset", "eval_name", "category", "benchmark"),
    "response": ("answer", "output", "completion", "generation", "model_response"),
    "cost": ("total_cost", "costs", "spend", "response_cost", "price"),
}
"""Names that such tables often have: what an error proposes, and never what is read."""
KNOWN = tuple(
    dict.fromkeys([*NEEDED, "response", "latency_s", *(name for table in COLUMNS.values() for name in table)])
)


def content_id(task: str | None, *parts: str | None) -> str:
    """Return an id that follows from a query's task and the texts that tell it from others."""
    digest = hashlib.sha256(json.dumps([task, *parts]).encode()).hexdigest()
    return f"{task or 'query'}-{digest[:16]}"


def is_frame(value: object) -> bool:
    """Return whether a value is a DataFrame of Polars or pandas."""
    return isinstance(value, pl.DataFrame) or kind_of(value) == "a pandas.DataFrame"


def tables_of(frame: Any, columns: dict[str, str], scale: tuple[float, float] | None) -> dict[str, pl.DataFrame]:
    """Return ``queries``, ``llms``, ``records`` and, where there are any, ``texts``.

    Args:
        frame: DataFrame of Polars or pandas, in any row order.
        columns: Its columns by the log's, where the names differ.
        scale: Scores that become 0 and 1; None where they are so already.

    Raises:
        UserError: If it is no frame, a column is absent or of the wrong type, or the scale is none.
    """
    long = _scored(_named(frame, columns), scale)
    if "query_id" not in long.columns:
        pairs = zip(long["task"], long["query"], strict=True)
        long = long.with_columns(pl.Series("query_id", [content_id(*pair) for pair in pairs], pl.String))
    long = _numbered(long.with_columns(pl.col("query_id", "llm").cast(pl.String)).unique())
    if "response" in long.columns and "response_chars" not in long.columns:
        long = long.with_columns(response_chars=pl.col("response").str.len_chars().cast(pl.Float64))
    records = [*COLUMNS["records"], "latency_s"]
    tables = {
        "queries": _part(long, list(COLUMNS["queries"])).unique(),
        "llms": _part(long, list(COLUMNS["llms"])).unique(),
        "records": _part(long, records),
    }
    if "response" in long.columns:
        tables["texts"] = _part(long, ["query_id", "llm", "draw", "response"]).drop_nulls("response")
    return tables


def _part(long: pl.DataFrame, columns: list[str]) -> pl.DataFrame:
    return long.select(column for column in columns if column in long.columns)


def _named(frame: Any, columns: dict[str, str]) -> pl.DataFrame:
    """Return the known columns of a frame under the log's names."""
    if not is_frame(frame):
        raise UserError(f"a log is made of a DataFrame of polars or pandas, but what came is {kind_of(frame)}")
    long = frame if isinstance(frame, pl.DataFrame) else pl.from_pandas(frame)
    for name, column in columns.items():
        if name not in KNOWN:
            raise UserError(f"{shown(name)} is no column of a log{suggest(name, KNOWN)}")
        if column not in long.columns:
            raise UserError(
                f"{name}={column!r} must be a column, but the frame has {cut(', '.join(long.columns), 300)}"
            )
    long = long.select(
        pl.col(columns.get(name, name)).alias(name) for name in KNOWN if columns.get(name, name) in long.columns
    )
    for name in NEEDED:
        if name not in long.columns:
            near = next((one for one in USUAL[name] if one in frame.columns), "COLUMN")
            has = cut(", ".join(map(str, frame.columns)), 300)
            raise UserError(
                f"a log needs the column {name!r}, but the frame has {has}; name it: from_frame(frame, {name}={near!r})"
            )
        if name != "performance" and long.schema[name] not in (pl.String, pl.Categorical, pl.Enum):
            raise UserError(f"the column of {name} must be text, but is {long.schema[name]}; convert it")
    return long if "task" in long.columns else long.with_columns(task=pl.lit(None, pl.String))


def _scored(long: pl.DataFrame, scale: tuple[float, float] | None) -> pl.DataFrame:
    """Return the rows with a score, in [0, 1]."""
    if not (long.schema["performance"].is_numeric() or long.schema["performance"] == pl.Boolean):
        raise UserError(f"the column of performance must hold numbers, but is {long.schema['performance']}; convert it")
    long = long.with_columns(pl.col("performance").cast(pl.Float64).fill_nan(None)).drop_nulls("performance")
    low, high = scale or (0.0, 1.0)
    if not low < high:
        raise UserError(f"scale must be the scores that become 0 and 1, such as (1, 5), but is {scale}")
    off = long.filter(~pl.col("performance").is_between(low, high))
    if off.height:
        raise UserError(
            f"performance must be within {low:g} and {high:g}, but is {off['performance'][0]:g} for {shown(off['query'][0])}; "
            "give scale=(LOW, HIGH), the scores that become 0 and 1"
        )
    return long.with_columns((pl.col("performance") - low) / (high - low)) if scale else long


def _numbered(long: pl.DataFrame) -> pl.DataFrame:
    """Number the draws of each query and LLM by their content, so that row order does not matter."""
    if "draw" in long.columns:
        return long
    order = [name for name in long.columns if name not in ("query_id", "llm")]
    return long.sort("query_id", "llm", *order).with_columns(draw=pl.int_range(pl.len()).over("query_id", "llm"))
