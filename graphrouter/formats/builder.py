"""Collects what an importer reads, and makes the log of it."""

from __future__ import annotations

import csv
import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl

from graphrouter.errors import UserError
from graphrouter.formats.rows import BadRow, Row, read_rows, shown
from graphrouter.log import COLUMNS, LLMLog


@dataclass(frozen=True)
class Rejected:
    """A row that was left out: its file, its number there, and why."""

    file: Path
    row: int
    reason: str


class LogBuilder:
    """Collects queries, LLMs and records in any order.

    A query is known by its task and text, so two rows of the same question join. A second record of the same query and
    LLM is a further draw. What is given first stays; a later row may fill what was missing, and must not contradict.

    Args:
        name: Of the log.
        skip_bad: Whether a bad row is noted in ``rejected`` and left out; otherwise the first one ends the import.
    """

    def __init__(self, name: str, skip_bad: bool = False) -> None:
        self.name = name
        self.skip_bad = skip_bad
        self.rejected: list[Rejected] = []
        self._queries: dict[str, dict[str, Any]] = {}
        self._llms: dict[str, dict[str, Any]] = {}
        self._records: dict[tuple[str, str, int], dict[str, Any]] = {}
        self._draws: dict[tuple[str, str], int] = {}
        self._responses: dict[tuple[str, str, int], str] = {}

    def reject(self, file: Path, row: int, reason: str) -> None:
        """Note a bad row.

        Raises:
            UserError: If bad rows are not to be skipped.
        """
        if not self.skip_bad:
            raise UserError(f"{file}, row {row}: {reason}; mend it, or leave bad rows out with --skip-bad")
        self.rejected.append(Rejected(file, row, reason))

    @contextmanager
    def checking(self, row: Row) -> Iterator[None]:
        """Turn a `BadRow` that is raised inside into a rejected row."""
        try:
            yield
        except BadRow as bad:
            self.reject(row.file, row.number, str(bad))

    def rows(self, file: Path) -> Iterator[Row]:
        """Read the rows of a table; lines that are no rows are rejected."""
        return read_rows(file, self.reject)

    def add_query(self, task: str | None, query: str, *, query_id: str | None = None, **columns: Any) -> str:
        """Add a query, or find it where it is known.

        Args:
            task: Its task, or None.
            query: Its text.
            query_id: The source's own id; None for one made of task and text, which does not depend on row order.
            columns: Further columns of ``queries``.

        Returns:
            Its id.
        """
        query_id = query_id or content_id(task, query)
        _merge(self._queries, query_id, {"task": task, "query": query, **columns}, "query")
        return query_id

    def add_llm(self, llm: str, **columns: Any) -> str:
        """Add an LLM (columns of ``llms``), or fill in what is known of it. Returns its name."""
        _merge(self._llms, llm, columns, "LLM")
        return llm

    def add_record(
        self,
        query_id: str,
        llm: str,
        performance: float,
        *,
        response: str | None = None,
        draw: int | None = None,
        **columns: Any,
    ) -> None:
        """Add a record, and its response where there is one.

        Args:
            query_id: Of a query that was added.
            llm: Of an LLM that was added.
            performance: In [0, 1].
            response: Its text; None where the source has none. ``response_chars`` follows from it.
            draw: Its number where the source counts draws; None for the next of this query and LLM.
            columns: Further columns of ``records``.

        Raises:
            BadRow: If performance is outside [0, 1], or the draw is there already.
        """
        if not 0 <= performance <= 1:
            raise BadRow(f"performance must be within [0, 1], but is {shown(performance)}")
        draw = self._draws.get((query_id, llm), 0) if draw is None else draw
        key = (query_id, llm, draw)
        if key in self._records:
            raise BadRow(f"a record must occur once, but query {query_id}, LLM {llm}, draw {draw} was there before")
        self._draws[query_id, llm] = max(self._draws.get((query_id, llm), 0), draw + 1)
        self._records[key] = {"performance": performance, **columns}
        if response is not None:
            self._records[key].setdefault("response_chars", float(len(response)))
            self._responses[key] = response

    def build(self, *, cost_estimated: bool = False) -> LLMLog:
        """Return the log. Queries without any record and LLMs without any stay in it.

        Raises:
            UserError: If there is no record.
        """
        if not self._records:
            left = (
                f"; all {len(self.rejected)} rows were bad, the first: {self.rejected[0].reason}"
                if self.rejected
                else ""
            )
            raise UserError(f"{self.name} must hold at least one scored response, but holds none{left}")
        keys = ("query_id", "llm", "draw")
        records = [dict(zip(keys, key, strict=True)) | row for key, row in self._records.items()]
        texts = [dict(zip(keys, key, strict=True)) | {"response": text} for key, text in self._responses.items()]
        return LLMLog(
            self.name,
            _table("queries", [{"query_id": key} | row for key, row in self._queries.items()]),
            _table("llms", [{"llm": key} | row for key, row in self._llms.items()]),
            _table("records", records),
            cost_estimated=cost_estimated,
            texts=pl.DataFrame(texts) if texts else None,
        )


def content_id(task: str | None, query: str) -> str:
    """Return an id that follows from a query's task and text alone."""
    digest = hashlib.sha256(f"{task}\n{query}".encode(errors="surrogatepass")).hexdigest()
    return f"{task or 'query'}-{digest[:12]}"


def write_rejected(rejected: list[Rejected], file: Path) -> None:
    """Write ``file, row, reason`` of the rows that were left out."""
    draft = file.with_name(f".{file.name}.part")
    with draft.open("w", encoding="utf-8", newline="") as stream:
        writer = csv.writer(stream)
        writer.writerow(("file", "row", "reason"))
        writer.writerows((str(row.file), row.row, row.reason) for row in rejected)
    draft.replace(file)


def _merge(known: dict[str, dict[str, Any]], key: str, columns: dict[str, Any], what: str) -> None:
    """Fill in what is missing; what contradicts makes the row bad."""
    row = known.setdefault(key, {})
    for column, value in columns.items():
        if value is None:
            row.setdefault(column, None)
        elif row.get(column) is None:
            row[column] = value
        elif row[column] != value:
            raise BadRow(
                f"{column} of {what} {key!r} must be the same in all rows, but is {shown(value)} after {shown(row[column])}"
            )


def _table(table: str, rows: list[dict[str, Any]]) -> pl.DataFrame:
    known = {column: kind for column, kind in COLUMNS[table].items() if any(column in row for row in rows)}
    return pl.DataFrame(rows, schema_overrides=known, infer_schema_length=None)
