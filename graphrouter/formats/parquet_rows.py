"""Rows of Parquet files."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from graphrouter.errors import UserError, first_line
from graphrouter.formats.row import Row, cut


def parquet_rows(file: Path) -> Iterator[Row]:
    """Read the rows of a Parquet file; bytes that are UTF-8 come back as text."""
    import polars as pl

    with _whole_parquet(file):
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


@contextmanager
def _whole_parquet(file: Path) -> Iterator[None]:
    """Turn what polars raises for a damaged file into a `UserError`, and keep its own reports off the screen.

    Polars panics on some damaged files: it writes a backtrace to standard error, and raises what is no `Exception`.
    """
    import polars as pl

    sys.stderr.flush()
    own, null = os.dup(2), os.open(os.devnull, os.O_WRONLY)
    os.dup2(null, 2)
    try:
        yield
    except (pl.exceptions.PolarsError, pl.exceptions.PanicException) as error:
        raise UserError(
            f"{file} must be a whole Parquet file, but cannot be read ({cut(first_line(error), 200)}); fetch it again"
        ) from None
    except OSError as error:
        raise UserError(f"{file} must be a file that can be read, but {error.strerror or error}") from None
    finally:
        os.dup2(own, 2)
        os.close(own)
        os.close(null)


def parquet_columns(file: Path) -> list[str]:
    """Return the columns of a Parquet file."""
    import polars as pl

    with _whole_parquet(file):
        return list(pl.read_parquet_schema(file))
