"""Common parts of the exports: a log with one row per query and LLM, a note on what is lost, and atomic writes."""

from __future__ import annotations

import csv
import json
import warnings
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

import polars as pl

from graphrouter.files import atomic_write
from graphrouter.log import CELL_COLUMNS, LLMLog

DERIVED = ("query_id", "llm", "draw", "performance", "response_chars")
"""Columns of ``records`` that every export holds, or that follow from what it holds."""


def flatten(log: LLMLog, *, responses: bool = False) -> pl.DataFrame:
    """Join the draws of each cell.

    Args:
        log: Any.
        responses: Whether to add the text of the first draw's response, where the log has one.

    Returns:
        One row per scored cell: ``query_id``, ``llm``, the means over its draws of the numeric columns of ``records`` and,
        where asked for, ``response``. A cost that is not given follows from tokens and prices.
    """
    key = ["query_id", "llm"]
    numbers = [column for column in CELL_COLUMNS if column in log.records.columns]
    cells = log.records.group_by(key, maintain_order=True).agg(pl.col(numbers).mean())
    prices = log.llms.select("llm", "input_price", "output_price")
    spent = pl.col("input_tokens") * pl.col("input_price") + pl.col("output_tokens") * pl.col("output_price")
    cells = cells.join(prices, on="llm", how="left", maintain_order="left")
    cells = cells.with_columns(cost=pl.coalesce("cost", spent / 1e6)).drop("input_price", "output_price")
    if not responses:
        return cells
    if not log.has_responses:
        return cells.with_columns(response=pl.lit(None, pl.String))
    first = log.responses().group_by(key, maintain_order=True).first().select(*key, "response")
    return cells.join(first, on=key, how="left", maintain_order="left")


def warn_of_losses(
    log: LLMLog, layout: str, holds: Sequence[str], others: Sequence[str] = (), identity: Sequence[str] = ()
) -> None:
    """Warn once of all that a layout cannot hold.

    Args:
        log: That is exported.
        layout: Its name.
        holds: Columns that the layout holds, of any table; ``response`` for the responses.
        others: Further losses, in words.
        identity: Columns of ``queries`` by which the layout tells queries apart, where it has no ids.
    """
    lost = list(others)
    known = [column for column in identity if column in log.queries.columns]
    alike = log.queries.height - log.queries.select(known).n_unique() if known else 0
    if alike:
        lost.append(f"{alike:,} queries that differ from another in nothing that it tells queries by (they are joined)")
    cells = log.records.select("query_id", "llm").n_unique()
    if cells < log.records.height:
        first = ", with the first one's response" if "response" in holds and log.has_responses else ""
        lost.append(f"{log.records.height - cells:,} further draws (the mean of the draws is written{first})")
    if log.has_responses and "response" not in holds:
        lost.append("responses")
    for table in ("queries", "llms", "records"):
        frame: pl.DataFrame = getattr(log, table)
        given = [name for name in frame.columns if frame[name].null_count() < frame.height]
        lost += [f"{table}.{name}" for name in given if name not in holds and name not in DERIVED]
    if "query_id" not in holds:
        lost.append("query ids")
    lost += [f"that the log is {mark}" for mark in ("simulated",) if log.simulated]
    if log.cost_estimated and "cost" in holds:
        lost.append("that costs are estimated")
    if lost:
        warnings.warn(f"{layout} cannot hold {', '.join(lost)}", stacklevel=3)


@contextmanager
def whole(file: Path) -> Iterator[IO[str]]:
    """Open a text file for writing; it takes its name only when all of it is there.

    Raises:
        UserError: If it cannot be written.
    """
    with atomic_write(file) as draft, draft.open("w", encoding="utf-8", newline="") as stream:
        yield stream


def write_csv(file: Path, header: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
    """Write a CSV file whole; None is an empty cell, and a number reads back as it was."""
    with whole(file) as stream:
        writer = csv.writer(stream)
        writer.writerow(header)
        writer.writerows(rows)


def write_json(file: Path, value: object) -> None:
    """Write a JSON file whole."""
    with whole(file) as stream:
        stream.write(json.dumps(value, ensure_ascii=False, indent=2) + "\n")


def write_jsonl(file: Path, rows: Iterable[dict[str, Any]]) -> None:
    """Write a JSONL file whole."""
    with whole(file) as stream:
        stream.writelines(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
