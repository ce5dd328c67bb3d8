"""A plain table with one row per query and LLM, whose columns the user names: ``--column query=prompt``.

Columns that are not named have our own names: ``query, llm, performance`` must be there, and any of `OPTIONAL` may. A
query is text, or a list of chat messages. Nothing is rescaled and nothing is guessed: ``performance`` is in [0, 1] (or true
and false), ``cost`` in US dollars, where 0 is no cost at all, prices in US dollars per million tokens. Other columns are
left out, and named.
"""

from __future__ import annotations

import json
import warnings
from pathlib import Path
from typing import Any

from graphrouter.errors import UserError, cut, suggest
from graphrouter.formats.builder import LogBuilder
from graphrouter.formats.cells import did_you_mean
from graphrouter.formats.chats import parsed, query_of, text_of, turns_of
from graphrouter.formats.rows import BadRow, Row, header, tables
from graphrouter.log_frames import NEEDED, USUAL, content_id

NAME = "table"
LAYOUT = (
    "a table with one row per query and LLM, with the columns query, llm, performance, or others named with --column"
)
COST_UNIT = "US dollars"
OF_QUERIES = ("subtask", "domain", "ground_truth", "metric", "source_split")
OF_RECORDS = ("judge_score", "input_tokens", "output_tokens", "cost", "latency_s")
PRICES = ("size_b", "input_price", "output_price")
OPTIONAL = ("query_id", "task", *OF_QUERIES, "response", "draw", *OF_RECORDS, *PRICES, "description")
COLUMNS = (*NEEDED, *OPTIONAL)


def recognises(path: Path) -> bool:
    """Never: common names tell nothing of what is in a column, so the user must ask for this layout."""
    return False


def read(path: Path, builder: LogBuilder) -> None:
    """Read a table, or all tables in a folder.

    Raises:
        UserError: If there is none, a column is not there, or a row is bad.
    """
    unknown = next((name for name in builder.columns if name not in COLUMNS), None)
    if unknown is not None:
        raise UserError(
            f"--column must name one of a log's columns, but has {cut(unknown)!r}{suggest(unknown, COLUMNS)}"
        )
    files = tables(path)
    if not files:
        raise UserError(f"{path} must be {LAYOUT}, but is no table; see graphrouter import --help")
    reader = _TableReader(builder)
    for file in files:
        reader.check(file)
        builder.add_rows([file], reader.add)
    reader.finish(path)


def proposal(columns: list[str]) -> str:
    """Return the options that would read a table with these columns, as far as their names tell."""
    words = []
    for name, usual in USUAL.items():
        found = next((column for column in usual if column in columns), None)
        if name not in columns and (found or name in NEEDED):
            words.append(f"--column {name}={found or 'COLUMN'}")
    return " ".join(("--format table", *words))


class _TableReader:
    """Adds rows, and keeps which columns there were."""

    def __init__(self, builder: LogBuilder) -> None:
        self.builder = builder
        self.names = {name: builder.columns.get(name, name) for name in COLUMNS}
        self.seen: set[str] = set()

    def check(self, file: Path) -> None:
        """Refuse a table without the columns that must be there."""
        columns = header(file)
        absent = [self.names[name] for name in NEEDED if self.names[name] not in columns]
        if columns and absent:
            has = cut(", ".join(columns), 300)
            raise UserError(
                f"{file} must have the columns {', '.join(absent)}, but has {has}; say which they are, such as "
                f"{proposal(columns)}"
            )
        did_you_mean(file, set(columns) - set(self.builder.columns.values()), set(COLUMNS) - set(self.builder.columns))

    def add(self, row: Row, builder: LogBuilder) -> None:
        """Add a row."""
        self.seen.update(row.values)
        task, (query, asked) = self._text(row, "task"), self._query(row)
        query_id = self._text(row, "query_id") and row.text(self.names["query_id"])
        llm = row.text(self.names["llm"])
        performance = row.share(self.names["performance"])
        if performance is None:
            builder.leave_missing()
            return
        spent = {name: row.optional_number(self.names[name]) for name in OF_RECORDS[1:]}
        mark = row.optional_number(self.names["judge_score"], low=-float("inf"))
        draw, response = self._draw(row), self._response(row)
        prices = {name: row.optional_number(self.names[name]) for name in PRICES}
        said = {name: self._text(row, name) for name in OF_QUERIES}
        key = builder.add_query(task, query, query_id=query_id or content_id(task, asked), **said)
        builder.add_llm(llm, description=self._text(row, "description"), **prices)
        builder.add_record(key, llm, performance, response=response, draw=draw, judge_score=mark, **spent)

    def finish(self, path: Path) -> None:
        """Refuse columns that were named but are nowhere, and name those that were left out."""
        absent = [column for column in self.builder.columns.values() if column not in self.seen]
        if absent and self.seen:
            raise UserError(f"{path} must have the columns that --column names, but has no {cut(', '.join(absent))!r}")
        others = sorted(self.seen - set(self.names.values()) - {""})
        if others:
            warnings.warn(
                f"{path}: columns that are left out: {cut(', '.join(others), 300)}; --column NAME=COLUMN reads one",
                stacklevel=2,
            )

    def _text(self, row: Row, name: str) -> str | None:
        return row.optional_text(self.names[name])

    def _query(self, row: Row) -> tuple[str, str]:
        """Return the text of the query, and what tells it from others: the system message of a chat does so too."""
        column = self.names["query"]
        value = row.values.get(column)
        messages = value if isinstance(value, list) else parsed(value) if isinstance(value, str) else None
        if isinstance(messages, list) and (
            isinstance(value, list) or len(messages) > 1 or messages[0]["content"] != value
        ):
            turns = turns_of(messages)
            return query_of(turns), json.dumps(turns)
        text = row.text(column)
        if not text.strip():
            raise BadRow(f"{column} must be text, but is blank")
        return text, text

    def _response(self, row: Row) -> str | None:
        value: Any = row.values.get(self.names["response"])
        return text_of(value) if isinstance(value, dict | list) else row.whole_text(self.names["response"])

    def _draw(self, row: Row) -> int | None:
        draw = row.optional_number(self.names["draw"])
        if draw is not None and draw != int(draw):
            raise BadRow(f"{self.names['draw']} must be a whole number, but is {draw:g}")
        return None if draw is None else int(draw)
