"""LLMRouter: queries and routing data in JSONL, candidates in JSON.

The layout is described in ``llmrouter/data/README.md`` of https://github.com/ulab-uiuc/LLMRouter and written by its
``data_generation.py`` and ``api_calling_evaluation.py``. What is odd:

- ``query`` lacks the options of a multiple choice question, which are in ``choices``: in the query file as text, in JSON or
  as Python prints it, in the routing data as an object, or null where the text was Python's. So rows join by split, task,
  text, ground truth, metric and task id, and by their choices only where the same question comes with several.
- A failed call is a row with a response that starts with ``ERROR`` or ``API Error``, no tokens and the performance 0. Its
  cell stays missing, and the response, which may quote a key, is not kept.
- ``api_key_used`` is never read.
- Vectors are in a ``.pt`` file, which is not read; ``embedding_id`` is its index.
"""

from __future__ import annotations

import ast
import json
import re
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from graphrouter.errors import UserError
from graphrouter.formats.builder import LogBuilder
from graphrouter.formats.candidates import add_candidates, candidates
from graphrouter.formats.flat import flatten, warn_of_losses, write_json, write_jsonl
from graphrouter.formats.rows import Row, columns_of, holds, read_rows, tables
from graphrouter.log_frames import content_id

if TYPE_CHECKING:
    from graphrouter.log import LLMLog

NAME = "llmrouter"
LAYOUT = (
    "routing data in JSONL with task_name, query, model_name, performance; query JSONL and candidates JSON beside it"
)
COST_UNIT = "tokens times the LLMs' prices"
ROUTING = ("query", "model_name", "performance")
MARKS = (
    "embedding_id",
    "token_num",
    "response_time",
    "choices",
    "metric",
    "ground_truth",
    "task_id",
    "fig_id",
    "user_id",
)
"""Columns that mark it. The three that are needed alone are anyone's, and a cost there would not be read."""
QUERIES = ("task_name", "query", "ground_truth", "metric")
SPLITS = ("train", "test", "validation")
SPLIT = re.compile(r"(?<![a-z])(train|test|validation)(?![a-z])")
FAILED = ("ERROR", "API Error")
IDENTITY = ("task", "query", "ground_truth", "metric", "choices", "source_id")
"""Columns that identify a query, beside the split."""
HELD = (
    *IDENTITY,
    "source_split",
    "description",
    "input_price",
    "output_price",
    "size_b",
    "source_name",
    "service",
    "input_tokens",
    "output_tokens",
    "latency_s",
    "response",
)

Identity = tuple[str | None, ...]


def recognises(path: Path) -> bool:
    """Whether a table has the columns of routing data, and one that marks it."""
    return holds(path, ROUTING, MARKS)


def read(path: Path, builder: LogBuilder) -> None:
    """Read a folder, or one file of routing data with the candidates beside it. The files' names give the splits.

    Raises:
        UserError: If there is no routing data, or a row is bad.
    """
    files = [(file, set(columns_of(file))) for file in tables(path)]
    routing = [file for file, columns in files if set(ROUTING) <= columns]
    queries = [file for file, columns in files if set(QUERIES) <= columns and "model_name" not in columns]
    if not routing:
        raise UserError(f"{path} must be {LAYOUT}, but no table there has the columns {', '.join(ROUTING)}")
    add_candidates(path, builder)
    several = _several_choices(queries + routing)
    for file in queries + routing:
        for row in builder.rows(file):
            with builder.checking(row):
                query_id = _add_query(row, builder, several)
                if file in routing:
                    _add_record(row, query_id, builder)


def write(log: LLMLog, path: Path) -> None:
    """Write queries, routing data and candidates into a folder; the former two per split where the log has such splits.

    Raises:
        UserError: If the folder cannot be written.
    """
    splits = log.queries["source_split"]
    parted = set(splits.unique()) <= set(SPLITS)
    cells: dict[str, list[dict[str, Any]]] = {}
    for cell in flatten(log, responses=True).iter_rows(named=True):
        cells.setdefault(cell["query_id"], []).append(cell)
    for split in sorted(set(splits)) if parted else [None]:
        part = log.queries if split is None else log.queries.filter(splits == split)
        ending = f"_{split}" if split else ""
        rows = list(part.iter_rows(named=True))
        write_jsonl(path / f"query_data{ending}.jsonl", (_query(row) for row in rows))
        write_jsonl(path / f"routing_data{ending}.jsonl", _routing(rows, cells, log))
    write_json(path / "llm_candidates.json", candidates(log))
    others = [] if parted or splits.null_count() == len(splits) else ["queries.source_split (only train and test)"]
    warn_of_losses(log, NAME, HELD, others, (*IDENTITY, "source_split") if parted else IDENTITY)


def _several_choices(files: list[Path]) -> dict[Identity, set[str]]:
    """Return the questions that come with more than one set of options, with these."""
    found: dict[Identity, set[str]] = {}
    for file in files:
        for row in read_rows(file, lambda *_: None):
            choices = _choices(row.values.get("choices"))
            if choices is not None:
                found.setdefault(_identity(row), set()).add(choices)
    return {identity: choices for identity, choices in found.items() if len(choices) > 1}


def _identity(row: Row) -> Identity:
    found = SPLIT.findall(row.file.stem.lower())
    columns = ("task_name", "query", "ground_truth", "metric", "task_id")
    return (found[-1] if found else None, *(_text(row.values.get(column)) for column in columns))


def _add_query(row: Row, builder: LogBuilder, several: dict[Identity, set[str]]) -> str:
    identity, choices = _identity(row), _choices(row.values.get("choices"))
    split, task, _, truth, metric, source_id = identity
    query = row.text("query")
    parts = (split, query, truth, metric, source_id, choices if identity in several else None)
    return builder.add_query(
        task,
        query,
        query_id=content_id(task, *parts),
        ground_truth=truth,
        metric=metric,
        source_split=split,
        source_id=source_id,
        choices=choices,
    )


def _add_record(row: Row, query_id: str, builder: LogBuilder) -> None:
    llm = builder.add_llm(row.text("model_name"))
    performance, response = row.share("performance"), row.whole_text("response")
    tokens: dict[str, Any] = {column: row.optional_number(column) for column in ("input_tokens", "output_tokens")}
    if response is not None and response.startswith(FAILED) and set(tokens.values()) == {0.0}:
        performance, response = builder.failure(), None
    elif performance is None:
        builder.leave_missing()
    if performance is None:
        return
    latency = row.optional_number("response_time")
    builder.add_record(query_id, llm, performance, response=response, latency_s=latency, **tokens)


def _text(value: object) -> str | None:
    if value is None or value == "":
        return None
    if isinstance(value, float) and value.is_integer():
        return str(int(value))  # a number beside missing ones, which pandas made a float
    return _json(value) if isinstance(value, list | dict) else str(value)


def _choices(value: object) -> str | None:
    """Return the options as JSON, whichever way they are written. Text is parsed as a literal, never run."""
    text = _text(value)
    if not isinstance(value, str) or text is None:
        return text
    for parse in (json.loads, ast.literal_eval):
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", SyntaxWarning)
                parsed = parse(text)
            if isinstance(parsed, list | dict):
                return _json(parsed)
        except (ValueError, SyntaxError, MemoryError, RecursionError, TypeError):
            continue
    return text


def _json(value: list[Any] | dict[Any, Any]) -> str:
    return json.dumps(value, ensure_ascii=False, default=str)


def _query(row: dict[str, Any]) -> dict[str, Any]:
    return {
        "task_name": row["task"],
        "query": row["query"],
        "ground_truth": row["ground_truth"],
        "metric": row["metric"],
        "choices": row.get("choices"),
        "task_id": row.get("source_id"),
    }


def _routing(
    queries: list[dict[str, Any]], cells: dict[str, list[dict[str, Any]]], log: LLMLog
) -> Iterator[dict[str, Any]]:
    numbers = {query_id: number for number, query_id in enumerate(log.queries["query_id"])}
    for query in queries:
        for cell in cells.get(query["query_id"], ()):
            counts = [cell["input_tokens"], cell["output_tokens"]]
            yield {
                **_query(query),
                "model_name": cell["llm"],
                "response": cell["response"],
                "token_num": None if None in counts else sum(counts),
                "input_tokens": counts[0],
                "output_tokens": counts[1],
                "response_time": cell.get("latency_s"),
                "performance": cell["performance"],
                "embedding_id": numbers[query["query_id"]],
                "user_id": None,
                "fig_id": None,
            }
