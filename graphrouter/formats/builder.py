"""Collects what an importer reads, and makes the log of it."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import polars as pl

from graphrouter.errors import UserError, cut
from graphrouter.formats.flat import write_csv
from graphrouter.formats.frames import numbered, table, with_vectors
from graphrouter.formats.rows import BadRow, OffScale, Row, read_rows, shown
from graphrouter.log import LLMLog
from graphrouter.log_frames import content_id
from graphrouter.typing import Array

UNSCORED = "have no performance, so their cells stay missing"
FAILED = (
    "have no performance, for the request or generation failed: their cells stay missing; --failed wrong counts them as "
    "wrong answers"
)
WRONG = "are failed requests or generations, and count as wrong answers"
OFF_SCALE = "have a score outside [0, 1] and are left out; where that is its scale, map it and import again"
COPIES = "are exact copies of others, and are left out"

Item = TypeVar("Item")


@dataclass(frozen=True)
class Rejected:
    """A row that was left out: its file, its number there, and why."""

    file: Path
    row: int
    reason: str


class LogBuilder:
    """Collects queries, LLMs and records in any order; the same rows in another order make the same log.

    A query is known by its id, which by default follows from its task and text, so that two rows of the same question
    join. A later row may fill in what was missing, and must not contradict: of two rows that do, the second is bad.
    A second record of the same query and LLM is a further draw, but for an exact copy, which says nothing new: it is
    counted in ``copies`` and left out. Draws that the source does not number are numbered by their content.

    Args:
        name: Name of the log.
        skip_bad: Whether a bad row is noted in ``rejected`` and left out; otherwise the first one ends the import.
        progress: Whether to show how far each table is read.
        failed_as_wrong: Whether calls that failed count as wrong answers; otherwise their cells stay missing.
        columns: For a layout whose columns the user names: theirs, by ours.

    Attributes:
        rejected: The bad rows.
        unscored: How many rows were left out without being bad: see `leave_missing`.
        remarks: Notes for the user that are no fault of a row, each with how many rows it is about.
        simulated: Whether the records come from a simulator; set by a format that knows.
        cost_estimated: Whether costs are estimates; likewise.
        encoder: Spec of the encoder that suits the log's queries, or None; likewise.
    """

    def __init__(
        self,
        name: str,
        skip_bad: bool = False,
        progress: bool = False,
        failed_as_wrong: bool = False,
        columns: dict[str, str] | None = None,
    ) -> None:
        self.name = name
        self.skip_bad = skip_bad
        self.progress = progress
        self.failed_as_wrong = failed_as_wrong
        self.columns = columns or {}
        self.rejected: list[Rejected] = []
        self.unscored = 0
        self.remarks: Counter[str] = Counter()
        self.simulated = False
        self.cost_estimated = False
        self.encoder: str | None = None
        self._queries: dict[str, dict[str, Any]] = {}
        self._llms: dict[str, dict[str, Any]] = {}
        self._records: dict[tuple[str, str], list[dict[str, Any]]] = {}
        self._vectors: dict[str, Array] = {}
        self._bars: list[Any] = []

    @property
    def copies(self) -> int:
        """How many records were exact copies."""
        return self.remarks[COPIES]

    def reject(
        self, file: Path, row: int, reason: str, remedy: str = "mend it, or leave bad rows out with --skip-bad"
    ) -> None:
        """Note a bad row.

        Raises:
            UserError: If bad rows are not to be skipped.
        """
        if not self.skip_bad:
            raise UserError(f"{file}, row {row}: {cut(reason, 500)}" + (f"; {remedy}" if remedy else ""))
        self.rejected.append(Rejected(file, row, reason))

    @contextmanager
    def checking(self, row: Row) -> Iterator[None]:
        """Turn a `BadRow` that is raised inside into a rejected row."""
        try:
            yield
        except OffScale as bad:
            self.reject(row.file, row.number, str(bad), remedy="")
            self.remarks[OFF_SCALE] += 1
        except BadRow as bad:
            self.reject(row.file, row.number, str(bad))

    @property
    def found_nothing(self) -> bool:
        """Whether no row was scored or bad: all that were read were `unscored`."""
        return not self._records and not self.rejected

    def add_rows(self, files: Iterable[Path], add: Callable[[Row, LogBuilder], None]) -> None:
        """Add the rows of tables, one by one; a `BadRow` that ``add`` raises makes a rejected row."""
        for file in files:
            for row in self.rows(file):
                with self.checking(row):
                    add(row, self)

    def rows(self, file: Path) -> Iterator[Row]:
        """Read the rows of a table; lines that are no rows are rejected."""
        return self.watched(read_rows(file, self.reject), file.name)

    def watched(self, items: Iterable[Item], what: str, unit: str = "rows") -> Iterator[Item]:
        """Pass items on, and show how far it is where that is wanted: a bar on a terminal, else a line at the end."""
        if not self.progress:
            yield from items
            return
        if not sys.stderr.isatty():
            count = 0
            for count, item in enumerate(items, start=1):  # noqa: B007 - told below
                yield item
            print(f"{what}: {count:,} {unit}", file=sys.stderr)
            return
        from tqdm import tqdm

        bar = tqdm(items, desc=what, unit=f" {unit}", leave=False)
        self._bars.append(bar)
        yield from bar

    def close_bars(self) -> None:
        """Take the progress bars off the screen, also that of a table whose reading has ended in an error."""
        while self._bars:
            self._bars.pop().close()

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

    def reword(self, query_id: str, query: str) -> None:
        """Give a query that was added another text: a format that knows several for one query chooses in the end."""
        self._queries[query_id]["query"] = query

    def add_vector(self, query_id: str, vector: Array) -> None:
        """Add the vector [D] of a query; of two that differ, as float noise makes them, the smaller stays.

        The log gets a column ``vector`` only if in the end every query has one, all of one length.
        """
        known = self._vectors.get(query_id)
        if known is None or vector.tolist() < known.tolist():
            self._vectors[query_id] = vector

    def add_llm(self, llm: str, **columns: Any) -> str:
        """Add an LLM (columns of ``llms``), or fill in what is known of it. Returns its name."""
        _merge(self._llms, llm, columns, "LLM")
        return llm

    def knows(self, query_id: str, llm: str) -> bool:
        """Whether both have been added."""
        return query_id in self._queries and llm in self._llms

    def leave_missing(self, why: str = UNSCORED) -> None:
        """Count a record without performance. Its cell stays missing, which is no fault of the row."""
        self.unscored += 1
        self.remarks[why] += 1

    def failure(self) -> float | None:
        """Count a call that failed, and return its performance: 0 where failures are wrong answers, else None."""
        if not self.failed_as_wrong:
            self.leave_missing(FAILED)
            return None
        self.remarks[WRONG] += 1
        return 0.0

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
            query_id: ID of a query that was added.
            llm: Name of an LLM that was added.
            performance: In [0, 1].
            response: Its text; None where the source has none. ``response_chars`` follows from it.
            draw: Its number where the source counts draws; None for a further one of this query and LLM.
            columns: Further columns of ``records``.

        Raises:
            BadRow: If performance is outside [0, 1], or the draw is there already.
        """
        if not 0 <= performance <= 1:
            raise OffScale("performance", performance)
        record = {"draw": draw, "performance": performance, **columns}
        if response is not None:
            record["response"] = response
            if record.get("response_chars") is None:
                record["response_chars"] = float(len(response))
        cell = self._records.setdefault((query_id, llm), [])
        if draw is None and record in cell:
            self.remarks[COPIES] += 1
            return
        if draw is not None and any(other["draw"] == draw for other in cell):
            raise BadRow(
                f"a record must occur once, but query {shown(query_id)}, LLM {shown(llm)}, draw {draw} was there before"
            )
        cell.append(record)

    def build(self) -> LLMLog:
        """Return the log. Queries without any record and LLMs without any stay in it.

        Raises:
            UserError: If there is no record.
        """
        if not self._records:
            raise UserError(f"{self.name} must hold at least one scored response, but holds none{self._left_out()}")
        records = [row for key, cell in self._records.items() for row in numbered(key, cell)]
        keys = ("query_id", "llm", "draw")
        texts = [{key: row[key] for key in (*keys, "response")} for row in records if "response" in row]
        for row in records:
            row.pop("response", None)
        queries = [{"query_id": key} | row for key, row in self._queries.items()]
        return LLMLog(
            self.name,
            with_vectors(table("queries", queries), self._vectors, self.name),
            table("llms", [{"llm": key} | row for key, row in self._llms.items()]),
            table("records", records),
            simulated=self.simulated,
            cost_estimated=self.cost_estimated,
            encoder=self.encoder,
            texts=pl.DataFrame(texts) if texts else None,
        )

    def _left_out(self) -> str:
        bad = f"; {len(self.rejected)} rows were bad, the first: {self.rejected[0].reason}" if self.rejected else ""
        return bad + "".join(f"; {count:,} rows {remark}" for remark, count in self.remarks.items())


def write_rejected(rejected: list[Rejected], file: Path) -> None:
    """Write ``file, row, reason`` of the rows that were left out."""
    write_csv(file, ("file", "row", "reason"), [(str(row.file), row.row, row.reason) for row in rejected])


def _merge(known: dict[str, dict[str, Any]], key: str, columns: dict[str, Any], what: str) -> None:
    """Fill in what is missing; what contradicts makes the row bad, and nothing of it is taken."""
    row = known.setdefault(key, {})
    for column, value in columns.items():
        if value is not None and row.get(column) is not None and row[column] != value:
            raise BadRow(
                f"{column} of {what} {shown(key)} must be the same in all rows, but is {shown(value)} after "
                f"{shown(row[column])}"
            )
    for column, value in columns.items():
        if value is not None or column not in row:
            row[column] = value
