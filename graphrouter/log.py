"""LLMLog: the one in-memory form of a multi-LLM log, and its files on disk."""

from __future__ import annotations

import json
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import cast

import numpy as np
import polars as pl

from graphrouter.errors import UserError, first_line
from graphrouter.files import drafted_folder

Matrix = np.ndarray

COLUMNS: dict[str, dict[str, pl.DataType | type[pl.DataType]]] = {
    "queries": {
        "query_id": pl.String,
        "task": pl.String,
        "query": pl.String,
        "subtask": pl.String,
        "domain": pl.String,
        "ground_truth": pl.String,
        "metric": pl.String,
        "source_split": pl.String,
    },
    "llms": {
        "llm": pl.String,
        "size_b": pl.Float64,
        "input_price": pl.Float64,
        "output_price": pl.Float64,
        "description": pl.String,
    },
    "records": {
        "query_id": pl.String,
        "llm": pl.String,
        "draw": pl.Int64,
        "performance": pl.Float64,
        "judge_score": pl.Float64,
        "input_tokens": pl.Float64,
        "output_tokens": pl.Float64,
        "cost": pl.Float64,
        "response_chars": pl.Float64,
    },
}
"""Known columns and their types. The source's further columns are kept as they are."""

REQUIRED = {
    "queries": ("query_id", "task", "query"),
    "llms": ("llm",),
    "records": ("query_id", "llm", "performance"),
}
KEYS = {"queries": ["query_id"], "llms": ["llm"], "records": ["query_id", "llm", "draw"]}
NEVER_NEGATIVE = {
    "llms": ("size_b", "input_price", "output_price"),
    "records": ("input_tokens", "output_tokens", "cost", "response_chars"),
}
FILES = (*(f"{table}.parquet" for table in (*COLUMNS, "responses")), "log.json")
"""Names of the files that make a log; others may lie beside them."""
CELL_COLUMNS = ("performance", "judge_score", "input_tokens", "output_tokens", "cost", "response_chars")


@dataclass(frozen=True, eq=False)
class LLMLog:
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

    def __post_init__(self) -> None:
        for table in COLUMNS:
            frame = _typed(table, getattr(self, table), self._where(table))
            _check_values(table, frame, self._where(table))
            object.__setattr__(self, table, frame)
        self._check_ids()
        for table in COLUMNS:
            object.__setattr__(self, table, getattr(self, table).sort(KEYS[table]))

    def _check_ids(self) -> None:
        for key, table in (("query_id", "queries"), ("llm", "llms")):
            known = getattr(self, table)[key].implode()
            unknown = self.records.with_row_index("row").filter(~pl.col(key).is_in(known))
            if unknown.height:
                raise UserError(
                    f"{self._where('records')}, row {unknown['row'][0]}: every {key} must occur in {table}, but "
                    f"{unknown[key][0]!r} does not ({unknown.height} records); add it there or drop its records"
                )

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
            raise UserError(f"a log must be a folder with queries, llms and records as Parquet, but {folder} is none")
        about = _read_about(folder / "log.json")
        queries, llms, records = (_read_parquet(folder / f"{table}.parquet") for table in COLUMNS)
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

    def save(self, folder: str | Path, keep: tuple[str, ...] = ()) -> Path:
        """Write the canonical folder, whole or not at all; an existing log there is replaced. Responses go along.

        Args:
            folder: A new folder, or one that holds a log or nothing but files to keep.
            keep: Further files and folders in it that stay, such as the journal that the log is made from.
        """
        folder = Path(folder)
        check_log_folder(folder, keep)
        with drafted_folder(folder, "the log", keep) as draft:
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
            UserError: If the log has none.
        """
        if not self.has_responses:
            raise UserError(f"{self.name} has no responses; a log with responses.parquet is needed here")
        frame = self.texts if self.texts is not None else _read_parquet(cast(Path, self.responses_file))
        if "draw" not in frame.columns:
            frame = frame.with_columns(draw=pl.lit(0, pl.Int64))
        for key, table in (("query_id", self.queries), ("llm", self.llms)):
            frame = frame.join(table.select(key), on=key, how="semi")
        return frame.select("query_id", "llm", "draw", "response").sort("query_id", "llm", "draw")

    @cached_property
    def llm_names(self) -> tuple[str, ...]:
        """Names of the LLMs, in the order of the columns of every [Q, M] matrix."""
        return tuple(self.llms["llm"])

    @cached_property
    def tasks(self) -> tuple[str, ...]:
        """Names of the tasks, sorted. A query may have none."""
        return tuple(self.queries["task"].drop_nulls().unique().sort())

    @cached_property
    def _cells(self) -> dict[str, Matrix]:
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

    def cells(self, column: str) -> Matrix:
        """Return a column of ``records`` as a dense matrix.

        Args:
            column: One of ``performance, judge_score, input_tokens, output_tokens, cost, response_chars`` (the mean
                over the draws of a cell, NaN where missing) or ``draws`` (their number, 0 where missing).

        Returns:
            Matrix [Q, M]; cost in US dollars, and where a record has none, from its tokens and its LLM's prices.
        """
        return self._cost if column == "cost" else self._cells[column]

    @cached_property
    def _cost(self) -> Matrix:
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

    def take(self, rows: Matrix) -> LLMLog:
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

    def hide(self, cells: Matrix) -> LLMLog:
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
        scored = self.records.filter(pl.col(column).is_not_null()).with_columns(performance=pl.col(column))
        if not scored.height:
            raise UserError(
                f"{self.name} must have a {column} for this scenario, but no record has one; choose another scenario"
            )
        return replace(self, records=scored)


SHIPPED = Path(__file__).parent / "datasets"
"""Folder of the logs that come with the package."""


def load_log(source: str | Path) -> LLMLog:
    """Load a log by the name of one that comes with the package (``micropool``) or from a canonical folder."""
    if str(source) == "micropool":
        return LLMLog.load(SHIPPED / str(source))
    return LLMLog.load(source)


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


def _read_about(file: Path) -> dict[str, object]:
    if not file.exists():
        return {}
    try:
        about = json.loads(file.read_text())
    except (OSError, ValueError) as error:
        raise UserError(f"{file} must be JSON, but {error}; mend or remove it") from error
    known = {"name": str, "simulated": bool, "cost_estimated": bool, "encoder": str}
    wrong = [
        key
        for key, kind in known.items()
        if not isinstance(about, dict) or not isinstance(about.get(key, kind()), kind)
    ]
    if wrong:
        raise UserError(
            f"{file}: name and encoder must be text, simulated and cost_estimated true or false; mend {wrong[0]!r}"
        )
    return {key: about[key] for key in known if key in about}


def _read_parquet(file: Path) -> pl.DataFrame:
    try:
        return pl.read_parquet(file)
    except FileNotFoundError:
        raise UserError(f"a log must have {file.name}, but {file.parent} has none; put it there") from None
    except (OSError, pl.exceptions.PolarsError) as error:
        raise UserError(
            f"{file} must be a whole Parquet file, but cannot be read ({first_line(error)}); write it again"
        ) from None


def _typed(table: str, frame: pl.DataFrame, where: str) -> pl.DataFrame:
    """Check and cast the known columns; columns that the source lacks come back as nulls."""
    for column in REQUIRED[table]:
        if column not in frame.columns:
            raise UserError(
                f"{where} must have the column {column!r}, but has {', '.join(frame.columns) or 'none'}; add it"
            )
    if not frame.height:
        raise UserError(f"{where} must have rows, but is empty")
    casts = []
    for column, kind in COLUMNS[table].items():
        if column not in frame.columns:
            casts.append(pl.lit(0 if column == "draw" else None, dtype=kind).alias(column))
            continue
        text = kind == pl.String
        if text != (frame[column].dtype == pl.String) and frame[column].dtype != pl.Null:
            raise UserError(
                f"{where}: {column!r} must be {'text' if text else 'a number'}, but is {frame[column].dtype}; convert it"
            )
        casts.append(pl.col(column).cast(kind))
    return frame.with_columns(casts)


def _check_values(table: str, frame: pl.DataFrame, where: str) -> None:
    def refuse(bad: pl.Expr, rule: str, column: str, remedy: str) -> None:
        rows = frame.with_row_index("row").filter(bad)
        if rows.height:
            key = ", ".join(str(rows[name][0]) for name in KEYS[table])
            raise UserError(
                f"{where}, row {rows['row'][0]} ({key}): {rule}, but {column} is {rows[column][0]}; {remedy}"
            )

    for column in REQUIRED[table]:
        if column != "task":
            refuse(pl.col(column).is_null(), f"{column} must not be null", column, "fill it or drop the row")
    key = KEYS[table]
    refuse(
        pl.struct(key).is_duplicated(), f"a key ({', '.join(key)}) must occur once", key[-1], "drop the repeated row"
    )
    if table == "records":
        outside = ~pl.col("performance").is_between(0, 1) | pl.col("performance").is_nan()
        refuse(outside, "performance must be within [0, 1]", "performance", "scale it")
    for column in NEVER_NEGATIVE.get(table, ()):
        bad = (pl.col(column) < 0) | pl.col(column).is_nan() | pl.col(column).is_infinite()
        refuse(bad, f"{column} must be finite and not negative, or null", column, "mend it or set it to null")
