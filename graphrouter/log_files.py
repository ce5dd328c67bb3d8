"""The files of a log's folder: read whole, or refused in one line."""

from __future__ import annotations

import json
from pathlib import Path

import polars as pl

from graphrouter.errors import UserError, cut, first_line
from graphrouter.log_checks import check_name


def read_parquet(file: Path) -> pl.DataFrame:
    """Read a table of a log.

    Raises:
        UserError: If the file is absent or no whole Parquet file.
    """
    try:
        return pl.read_parquet(file)
    except FileNotFoundError:
        raise UserError(f"a log must have {file.name}, but {file.parent} has none; put it there") from None
    except (OSError, pl.exceptions.PolarsError, pl.exceptions.PanicException) as error:
        raise _unreadable(file, error) from None


def read_types(file: Path) -> dict[str, pl.DataType]:
    """Read the columns and types of a Parquet file, without its rows.

    Raises:
        UserError: If it is no Parquet file.
    """
    try:
        return dict(pl.read_parquet_schema(file))
    except (OSError, pl.exceptions.PolarsError, pl.exceptions.PanicException) as error:
        raise _unreadable(file, error) from None


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


def _unreadable(file: Path, error: BaseException) -> UserError:
    return UserError(
        f"{file} must be a whole Parquet file, but cannot be read ({cut(first_line(error))}); write it again"
    )
