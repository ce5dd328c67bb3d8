"""LLMLog: the one in-memory form of a multi-LLM log, and its files on disk."""

from __future__ import annotations

import json
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import cast

import numpy as np
import polars as pl

from graphrouter.display import Displayed, listed
from graphrouter.errors import UserError, shown
from graphrouter.files import atomic_folder
from graphrouter.log_checks import (
    COLUMNS,
    REQUIRED,
    ColumnRule,
    check_frame,
    check_ids,
    check_name,
    check_rows,
    check_types,
    check_values,
    checked_responses,
    kind_of,
    sorted_by_key,
    typed,
)
from graphrouter.log_files import read_about, read_parquet, read_types
from graphrouter.log_frames import is_frame, tables_of
from graphrouter.typing import Array

__all__ = ["CELL_COLUMNS", "COLUMNS", "FILES", "REQUIRED", "LLMLog", "check_log_folder", "load_log"]


FILES = (*(f"{table}.parquet" for table in (*COLUMNS, "responses")), "log.json")
"""Names of the files that make a log; others may lie beside them."""
RARE_TASKS = ("refuse", "pool", "drop")
"""Treatments of a task that has too few queries to be learnt and tested; see `graphrouter.splits.by_query`."""
CELL_COLUMNS = ("performance", "judge_score", "input_tokens", "output_tokens", "cost", "response_chars")


@dataclass(frozen=True, eq=False, repr=False)
class LLMLog(Displayed):
    """Queries, LLMs and records of one multi-LLM log, checked, in canonical row order.

    Attributes:
        name: The log's name, as it stands in results.
        queries: One row per query, sorted by ``query_id``.
        llms: One row per LLM, sorted by ``llm``.
        records: One row per (query, LLM, draw), sorted by that key. A cell without a record is missing, never zero.
        simulated: Whether the records come from a simulator. Every report says so.
        cost_estimated: Whether ``cost`` is an estimate. Every report says so.
        folder: Where the log was loaded from; responses are read from it when asked for.
        texts: The responses of a log that is not on disk yet (``query_id``, ``llm``, ``draw``, ``response``).
        encoder: Spec of the encoder that suits its queries, used where none is named; None for the package's default.
        rare_tasks: One of `RARE_TASKS`: what a split of the log does with a task that is too small to be divided.

    Raises:
        UserError: If the tables break a rule of the log; it names the table, the column and the first offending row.
    """

    name: str
    queries: pl.DataFrame
    llms: pl.DataFrame
    records: pl.DataFrame
    simulated: bool = False
    cost_estimated: bool = False
    folder: Path | None = field(default=None, repr=False)
    texts: pl.DataFrame | None = field(default=None, repr=False)
    encoder: str | None = None
    rare_tasks: str = "refuse"

    def __post_init__(self) -> None:
        check_name(self.name, "a log's name")
        if self.rare_tasks not in RARE_TASKS:
            raise UserError(f"rare_tasks must be {', '.join(RARE_TASKS)}, but is {shown(self.rare_tasks)}")
        if self.texts is not None:
            check_frame(self.texts, self._where("responses"))
        for table in COLUMNS:
            frame = typed(table, getattr(self, table), self._where(table))
            check_values(table, frame, self._where(table))
            if table == "records":  # first, for an unknown LLM is why keys repeat where names were mistyped
                check_ids(self.queries, self.llms, frame, self._where(table))
            object.__setattr__(self, table, sorted_by_key(table, frame, self._where(table)))

    def facts(self) -> tuple[str, dict[str, object]]:
        """See `graphrouter.display.Displayed`."""
        scored, cells = self.records["query_id"].n_unique(), self.queries.height * self.llms.height
        mean = cast("float | None", self.records["performance"].mean())
        cost = "estimated" if self.cost_estimated else "yes" if self.has_cost else "not for every record"
        return f"LLMLog {self.name}{' (simulated)' if self.simulated else ''}", {
            "queries": f"{self.queries.height:,}, {scored:,} of them scored, {len(self.tasks):,} tasks",
            "LLMs": listed(self.llm_names),
            "records": f"{self.records.height:,} for {cells:,} cells",
            "performance": "none" if mean is None else f"{mean:.3f} on average",
            "cost": cost,
            "responses": "yes" if self.has_responses else "no",
        }

    def _where(self, table: str) -> str:
        return str(self.folder / f"{table}.parquet") if self.folder else f"{self.name}/{table}"

    @classmethod
    def load(cls, folder: str | Path) -> LLMLog:
        """Read a log from a canonical folder of Parquet files.

        Args:
            folder: Holds ``queries``, ``llms`` and ``records`` as ``.parquet``, and optionally ``responses.parquet``
                and ``log.json`` (``name``, ``simulated``, ``cost_estimated``, ``encoder``).

        Raises:
            UserError: If a file is absent, empty or unreadable, or its rows break a rule of the log.
        """
        folder = Path(folder)
        if not folder.is_dir():
            remedy = "; import it first: graphrouter import" if folder.is_file() else ""
            raise UserError(
                f"a log must be a folder with queries, llms and records as Parquet, but {folder} is none{remedy}"
            )
        about = read_about(folder / "log.json")
        queries, llms, records = (read_parquet(folder / f"{table}.parquet") for table in COLUMNS)
        if (responses := folder / "responses.parquet").exists():
            check_types("responses", read_types(responses), str(responses))
        return cls(
            name=str(about.get("name", folder.resolve().name)),
            queries=queries,
            llms=llms,
            records=records,
            simulated=bool(about.get("simulated")),
            cost_estimated=bool(about.get("cost_estimated")),
            encoder=cast("str | None", about.get("encoder")),
            folder=folder,
        )

    @classmethod
    def from_frame(
        cls,
        frame: object,
        name: str = "frame",
        *,
        scale: tuple[float, float] | None = None,
        encoder: str | None = None,
        **columns: str,
    ) -> LLMLog:
        """Make a log of a table in long form: one row per query, LLM and draw. Rows without a score are left out.

        Args:
            frame: DataFrame of Polars or pandas with the columns ``query``, ``llm`` and ``performance``; ``task``,
                ``cost`` (US dollars), ``response`` and the other columns of a log are read where they are there.
            name: Name of the log.
            scale: Scores that become 0 and 1, such as ``(1, 5)``; None where they are within [0, 1].
            encoder: See `LLMLog`.
            columns: The frame's columns by the log's, as in ``query="prompt", llm="model", performance="score"``.

        Raises:
            UserError: If a column is absent or of the wrong type, or a row breaks a rule of the log.
        """
        tables = tables_of(frame, columns, scale)
        queries, llms, records = (tables[table] for table in COLUMNS)
        return cls(name, queries, llms, records, texts=tables.get("texts"), encoder=encoder)

    def save(self, folder: str | Path, keep: tuple[str, ...] = ()) -> Path:
        """Write the canonical folder, whole or not at all; an existing log there is replaced. Responses go along.

        Args:
            folder: A new folder, or one that holds a log or nothing but files to keep.
            keep: Further files and folders in it that stay, such as the journal that the log is made from.
        """
        folder = Path(folder)
        check_log_folder(folder, keep)
        with atomic_folder(folder, "the log", keep) as draft:
            for table in COLUMNS:
                frame: pl.DataFrame = getattr(self, table)
                frame.write_parquet(draft / f"{table}.parquet", compression="zstd")
            if self.has_responses:
                self.responses().write_parquet(draft / "responses.parquet", compression="zstd")
            about = {"name": self.name, "simulated": self.simulated, "cost_estimated": self.cost_estimated}
            about |= {"encoder": self.encoder} if self.encoder else {}
            (draft / "log.json").write_text(json.dumps(about, indent=2) + "\n")
        return folder

    @property
    def responses_file(self) -> Path | None:
        """The Parquet file with the text of the responses, or None where the log has none on disk."""
        file = self.folder / "responses.parquet" if self.folder else None
        return file if file and file.exists() else None

    @property
    def has_responses(self) -> bool:
        """Whether the log has the text of responses."""
        return self.texts is not None or self.responses_file is not None

    def responses(self) -> pl.DataFrame:
        """Read the responses of the log's queries and LLMs: ``query_id``, ``llm``, ``draw``, ``response``.

        Raises:
            UserError: If the log has none, or two of one draw.
        """
        if not self.has_responses:
            raise UserError(f"{self.name} has no responses; a log with responses.parquet is needed here")
        frame = self.texts if self.texts is not None else read_parquet(cast(Path, self.responses_file))
        frame = checked_responses(frame, self._where("responses"))
        for key, table in (("query_id", self.queries), ("llm", self.llms)):
            frame = frame.join(table.select(key), on=key, how="semi", maintain_order="left")
        return frame

    @cached_property
    def llm_names(self) -> tuple[str, ...]:
        """Names of the LLMs, in the order of the columns of every [Q, M] matrix."""
        return tuple(self.llms["llm"])

    @cached_property
    def tasks(self) -> tuple[str, ...]:
        """Names of the tasks, sorted. A query may have none."""
        return tuple(self.queries["task"].drop_nulls().unique().sort())

    @cached_property
    def _cells(self) -> dict[str, Array]:
        shape = (self.queries.height, self.llms.height)
        means = self.records.group_by("query_id", "llm", maintain_order=True).agg(
            pl.len().alias("draws"), *(pl.col(column).mean() for column in CELL_COLUMNS)
        )
        row = (
            means["query_id"]
            .to_frame()
            .join(
                self.queries["query_id"].to_frame().with_row_index(), on="query_id", how="left", maintain_order="left"
            )["index"]
        )
        column = (
            means["llm"]
            .to_frame()
            .join(self.llms["llm"].to_frame().with_row_index(), on="llm", how="left", maintain_order="left")["index"]
        )
        cells = {}
        for name in ("draws", *CELL_COLUMNS):
            matrix = np.full(
                shape, 0 if name == "draws" else np.nan, dtype=np.float32 if name != "cost" else np.float64
            )
            matrix[row.to_numpy(), column.to_numpy()] = means[name].fill_null(float("nan")).to_numpy()
            cells[name] = matrix
        return cells

    def cells(self, column: str) -> Array:
        """Return a column of ``records`` as a dense matrix.

        Args:
            column: One of ``performance, judge_score, input_tokens, output_tokens, cost, response_chars`` (the mean
                over the draws of a cell, NaN where missing) or ``draws`` (their number, 0 where missing).

        Returns:
            Matrix [Q, M]; cost in US dollars, and where a record has none, from its tokens and its LLM's prices.
        """
        return self._cost if column == "cost" else self._cells[column]

    @cached_property
    def _cost(self) -> Array:
        tokens_in, tokens_out = self._cells["input_tokens"], self._cells["output_tokens"]
        price_in, price_out = (
            self.llms[c].cast(pl.Float64).fill_null(float("nan")).to_numpy() for c in ("input_price", "output_price")
        )
        return np.where(
            np.isnan(self._cells["cost"]), (tokens_in * price_in + tokens_out * price_out) / 1e6, self._cells["cost"]
        )

    @cached_property
    def has_cost(self) -> bool:
        """Whether every scored cell has a cost, so that scenarios that weigh it can be run."""
        return bool(self.records.height) and not bool(np.isnan(self.cells("cost")[self.cells("draws") > 0]).any())

    def take(self, rows: Array) -> LLMLog:
        """Return the log of these queries only.

        Args:
            rows: Integer or boolean index [n] into ``queries``.
        """
        queries = self.queries[np.flatnonzero(rows) if rows.dtype == bool else rows]
        return replace(
            self, queries=queries, records=self.records.join(queries.select("query_id"), on="query_id", how="semi")
        )

    def take_llms(self, names: list[str]) -> LLMLog:
        """Return the log of these LLMs only."""
        unknown = set(names) - set(self.llm_names)
        if unknown:
            raise UserError(
                f"{self.name} must hold the LLMs asked for, but not {sorted(unknown)}; it has {', '.join(self.llm_names)}"
            )
        keep = pl.col("llm").is_in(names)
        return replace(self, llms=self.llms.filter(keep), records=self.records.filter(keep))

    def hide(self, cells: Array) -> LLMLog:
        """Return the log without the records of some cells.

        Args:
            cells: Boolean [Q, M], true where the records go.
        """
        row, column = np.nonzero(cells)
        hidden = pl.DataFrame({"query_id": self.queries["query_id"][row], "llm": self.llms["llm"][column]})
        return replace(self, records=self.records.join(hidden, on=["query_id", "llm"], how="anti"))

    def with_target(self, column: str) -> LLMLog:
        """Return the log with another score, such as ``judge_score``, in the place of performance."""
        if column == "performance":
            return self
        scored = self.records.filter(pl.col(column).is_not_null())
        if not scored.height:
            raise UserError(
                f"{self.name} must have a {column} for this scenario, but no record has one; choose another scenario"
            )
        within = ColumnRule(
            column,
            ~pl.col(column).is_between(0, 1),
            f"{column} must be within [0, 1] to stand for performance",
            "divide all of them by the top of their scale, or choose another scenario",
        )
        check_rows("records", scored, f"{self._where('records')} (with a {column})", [within])
        return replace(self, records=scored.with_columns(performance=pl.col(column)))


LogLike = LLMLog | str | Path | pl.DataFrame
"""Sources that `load_log` makes a log of; a DataFrame of pandas too."""

SHIPPED = Path(__file__).parent / "datasets"
"""Folder of the logs that come with the package."""


def load_log(source: LogLike, rare_tasks: str | None = None) -> LLMLog:
    """Return a log of whatever stands for one.

    Args:
        source: Name of one that comes with the package (``micropool``), a canonical folder, a DataFrame for
            `LLMLog.from_frame`, or a log as it is.
        rare_tasks: See `LLMLog`; None for the default.

    Raises:
        UserError: If it is none of these.
    """
    if isinstance(source, LLMLog):
        log = source
    elif is_frame(source):
        log = LLMLog.from_frame(source)
    elif isinstance(source, str | Path):
        log = LLMLog.load(SHIPPED / str(source) if str(source) == "micropool" else source)
    else:
        raise UserError(
            f"a log must be a name, a folder, a DataFrame or an LLMLog, but is {kind_of(source)}; of a file make one with "
            "'graphrouter import'"
        )
    return log if rare_tasks in (None, log.rare_tasks) else replace(log, rare_tasks=rare_tasks)


def check_log_folder(folder: Path, keep: tuple[str, ...] = ()) -> None:
    """Refuse a folder that a log would take the place of although it is none.

    Args:
        folder: Need not exist.
        keep: Names that may be in it; see `LLMLog.save`.

    Raises:
        UserError: If it holds other files and no log.
    """
    others = [file for file in folder.iterdir() if file.name not in keep] if folder.is_dir() else []
    if others and not (folder / "records.parquet").exists():
        raise UserError(f"{folder} holds other files; name a new folder, or one that holds a log")
