"""Rows of Parquet files."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from graphrouter.formats.row import Row
from graphrouter.log_files import whole_parquet


def parquet_rows(file: Path) -> Iterator[Row]:
    """Read the rows of a Parquet file; bytes that are UTF-8 come back as text."""
    import polars as pl

    with whole_parquet(file, "fetch it again"):
        frame = pl.read_parquet(file)
    binary = [name for name, kind in frame.schema.items() if kind == pl.Binary]
    for number, values in enumerate(frame.iter_rows(named=True), start=1):
        for name in binary:
            values[name] = _decoded(values[name])
        yield Row(file, number, values)


def _decoded(value: bytes | None) -> str | bytes | None:
    """Return bytes as the UTF-8 text that they are, or as they are."""
    try:
        return None if value is None else value.decode()
    except UnicodeDecodeError:
        return value


def parquet_columns(file: Path) -> list[str]:
    """Return the columns of a Parquet file."""
    import polars as pl

    with whole_parquet(file, "fetch it again"):
        return list(pl.read_parquet_schema(file))
