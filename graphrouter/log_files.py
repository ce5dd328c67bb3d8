"""The files of a log's folder: read whole, or refused in one line."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import polars as pl

from graphrouter.errors import UserError, cut, first_line
from graphrouter.log_checks import check_name


@contextmanager
def whole_parquet(file: Path, remedy: str) -> Iterator[None]:
    """Turn what polars raises for a damaged file into a `UserError`, and keep its own reports off the screen.

    Polars panics on some damaged files: it writes a backtrace to standard error, and raises what is no `Exception`.

    Args:
        file: Is read in the body.
        remedy: Closes the error.
    """
    sys.stderr.flush()
    own, null = os.dup(2), os.open(os.devnull, os.O_WRONLY)
    os.dup2(null, 2)
    try:
        yield
    except (pl.exceptions.PolarsError, pl.exceptions.PanicException) as error:
        raise UserError(
            f"{file} must be a whole Parquet file, but cannot be read ({cut(first_line(error))}); {remedy}"
        ) from None
    except FileNotFoundError:
        raise
    except OSError as error:
        raise UserError(f"{file} must be a file that can be read, but {error.strerror or error}") from None
    finally:
        os.dup2(own, 2)
        os.close(own)
        os.close(null)


def read_parquet(file: Path) -> pl.DataFrame:
    """Read a table of a log.

    Raises:
        UserError: If the file is absent or no whole Parquet file.
    """
    try:
        with whole_parquet(file, "write it again"):
            return pl.read_parquet(file)
    except FileNotFoundError:
        raise UserError(f"a log must have {file.name}, but {file.parent} has none; put it there") from None


def read_types(file: Path) -> dict[str, pl.DataType]:
    """Read the columns and types of a Parquet file, without its rows.

    Raises:
        UserError: If it is no Parquet file.
    """
    with whole_parquet(file, "write it again"):
        return dict(pl.read_parquet_schema(file))


def read_about(file: Path) -> dict[str, object]:
    """Read ``log.json``; empty where there is none.

    Raises:
        UserError: If it is no JSON object with fields of the right types.
    """
    if not file.exists():
        return {}
    try:
        about = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise UserError(f"{file} must be JSON, but {cut(first_line(error))}; mend or remove it") from None
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
    for key in ("name", "encoder"):
        check_name(about.get(key, key), f"{file}: {key}")
    return {key: about[key] for key in known if key in about}
