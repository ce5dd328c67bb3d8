"""This project's own layout, from elsewhere: the folder of `graphrouter.log`, as Parquet, CSV, JSON or JSONL."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any

from graphrouter.errors import UserError
from graphrouter.formats.builder import LogBuilder
from graphrouter.formats.cells import did_you_mean
from graphrouter.formats.rows import TABLES, BadRow, Row, columns_of, header, read_json, shown
from graphrouter.formats.sources import PACKED
from graphrouter.log import COLUMNS, REQUIRED

if TYPE_CHECKING:
    from graphrouter.log import LLMLog

NAME = "canonical"
COST_UNIT = "US dollars"
LAYOUT = "a folder with the tables queries, llms, records and, optionally, responses"


def recognises(path: Path) -> bool:
    """Whether the folder has the three tables with their required columns."""
    found = {table: _find(path, table) for table in REQUIRED}
    return all(file and set(REQUIRED[table]) <= set(columns_of(file)) for table, file in found.items())


def read(path: Path, builder: LogBuilder) -> None:
    """Read the folder row by row, so that each bad row can be named.

    Raises:
        UserError: If a table is absent, or a row is bad.
    """
    files = {table: _find(path, table) for table in (*REQUIRED, "responses")}
    for table in REQUIRED:
        if files[table] is None:
            raise UserError(f"{path} must be {LAYOUT}, but has no {table} ({', '.join(TABLES)}); put it there")
        did_you_mean(files[table], header(files[table]), COLUMNS[table])  # type: ignore[arg-type]
    _read_about(path / "log.json", builder)
    responses = _read_responses(files["responses"], builder) if files["responses"] else {}
    for row in builder.rows(files["llms"]):  # type: ignore[arg-type]
        with builder.checking(row):
            builder.add_llm(row.text("llm"), **_columns(row, "llms", "llm"))
    ids = set()
    for row in builder.rows(files["queries"]):  # type: ignore[arg-type]
        with builder.checking(row):
            query_id = row.text("query_id")
            if query_id in ids:
                raise BadRow(f"a query_id must occur once, but {shown(query_id)} was there before")
            columns = _columns(row, "queries", "query_id", "task", "query")
            builder.add_query(row.optional_text("task"), row.text("query"), query_id=query_id, **columns)
            ids.add(query_id)
    _read_records(files["records"], builder, responses)  # type: ignore[arg-type]
    if responses:
        warnings.warn(f"{path}: {len(responses):,} responses are left out, for they have no record", stacklevel=2)


def write(log: LLMLog, path: Path) -> None:
    """Write the folder; nothing is lost."""
    log.save(path)


def _read_records(file: Path, builder: LogBuilder, responses: dict[tuple[str, str, int], str]) -> None:
    for row in builder.rows(file):
        with builder.checking(row):
            query_id, llm, draw = _key(row)
            if not builder.knows(query_id, llm):
                raise BadRow(
                    f"query {shown(query_id)} and LLM {shown(llm)} must occur in queries and llms, but one does not"
                )
            performance = row.share_of("performance")
            columns = _columns(row, "records", "query_id", "llm", "draw", "performance")
            response = responses.pop((query_id, llm, draw), None)
            builder.add_record(query_id, llm, performance, draw=draw, response=response, **columns)


def _read_responses(file: Path, builder: LogBuilder) -> dict[tuple[str, str, int], str]:
    responses = {}
    for row in builder.rows(file):
        with builder.checking(row):
            text = row.whole_text("response")
            if text is not None:
                responses[_key(row)] = text
    return responses


def _key(row: Row) -> tuple[str, str, int]:
    draw = row.optional_number("draw") or 0.0
    if draw != int(draw):
        raise BadRow(f"draw must be a whole number, but is {draw:g}")
    return row.text("query_id"), row.text("llm"), int(draw)


def _columns(row: Row, table: str, *others: str) -> dict[str, Any]:
    """Return the columns but these others: the known ones checked, further ones as they are."""
    columns: dict[str, Any] = {}
    for column, value in row.values.items():
        if column in others:
            continue
        kind = COLUMNS[table].get(column)
        if kind is None:
            columns[column] = None if value == "" else value
        elif kind.is_numeric():
            columns[column] = row.optional_number(column, low=-float("inf") if column == "judge_score" else 0)
        else:
            columns[column] = row.optional_text(column)
    return columns


def _read_about(file: Path, builder: LogBuilder) -> None:
    about = read_json(file) if file.exists() else {}
    if not isinstance(about, dict):
        raise UserError(f"{file} must be a JSON object, but is {type(about).__name__}; mend or remove it")
    builder.name = str(about.get("name") or builder.name)
    builder.simulated = about.get("simulated") is True
    builder.cost_estimated = about.get("cost_estimated") is True
    builder.encoder = str(about["encoder"]) if about.get("encoder") else None


def _find(path: Path, table: str) -> Path | None:
    return next((file for name in _names(table) if (file := path / name).is_file()), None)


def _names(table: str) -> list[str]:
    return [f"{table}{ending}{packed}" for ending in TABLES for packed in ("", *PACKED)]
