"""Rows of public files, read with checks: every complaint names the file, the row and what came."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any, TextIO

from graphrouter.errors import UserError, cut, first_line
from graphrouter.formats.csv_rows import SEPARATORS, csv_header, csv_rows
from graphrouter.formats.json_values import DECODER, Twice, may_hold_half, mended, tell_of_halves
from graphrouter.formats.parquet_rows import parquet_columns, parquet_rows
from graphrouter.formats.row import BadRow, OffScale, Reject, Row, shown
from graphrouter.formats.sources import BROKEN, TABLES, ending, not_utf8, open_text, what_else

__all__ = [
    "TABLES",
    "BadRow",
    "OffScale",
    "Row",
    "columns_of",
    "cut",
    "header",
    "holds",
    "read_json",
    "read_rows",
    "shown",
    "tables",
    "tables_with",
]

LOOKED_AT = 64
"""Most tables of a folder whose columns are looked at to guess its layout."""
CHUNK = 1 << 20


def read_rows(file: Path, reject: Reject) -> Iterator[Row]:
    """Read a table of any of the types in `TABLES`, by its ending; text may be compressed, see `open_text`.

    Args:
        file: CSV with a header (between cells a comma, semicolon or tab), a JSON list of objects, JSONL, or Parquet.
        reject: Called with each line that is no row.

    Yields:
        Rows, in the file's order; cells of CSV are text.

    Raises:
        UserError: If the file is absent, of another type, or not readable as a whole.
    """
    if ending(file) not in READERS:
        other = f"; it is {what_else(file)}" if what_else(file) else ""
        raise UserError(f"{file} must be one of {', '.join(TABLES)}, by its ending{other}; convert or rename it")
    try:
        yield from READERS[ending(file)](file, reject)
    except (UnicodeDecodeError, *BROKEN, OSError) as error:
        raise _unreadable(file, error) from None


def _unreadable(file: Path, error: Exception) -> UserError:
    if isinstance(error, UnicodeDecodeError):
        return not_utf8(file)
    if isinstance(error, BROKEN):
        return UserError(f"{file} must be a whole compressed file, but {first_line(error)}; fetch it again")
    return UserError(f"{file} must be a file that can be read, but {getattr(error, 'strerror', None) or error}")


def tables(path: Path) -> list[Path]:
    """Return the tables at a path, by ending: the file itself, or those in the folder and below, sorted; none hidden."""
    if not path.is_dir():
        return [path] if path.is_file() and ending(path) in TABLES else []
    files = (file for file in path.rglob("*") if ending(file) in TABLES and file.is_file())
    return sorted(file for file in files if not any(part.startswith(".") for part in file.relative_to(path).parts))


def tables_with(path: Path, columns: Iterable[str]) -> list[Path]:
    """Return the tables at a path that have all of these columns.

    Raises:
        UserError: If there is none, and one of them cannot be read.
    """
    wanted, broken = set(columns), None
    found = []
    for file in tables(path):
        try:
            if wanted <= set(header(file)):
                found.append(file)
        except UserError as error:
            broken = broken or error
    if broken and not found:
        raise broken
    return found


def holds(path: Path, columns: Iterable[str], marks: Iterable[str] = ()) -> bool:
    """Whether one of the first tables at a path has all of these columns, and one of the marks; never raises."""
    wanted, telling = set(columns), set(marks)
    try:
        found = (set(columns_of(file)) for file in tables(path)[:LOOKED_AT])
        return any(wanted <= names and (not telling or bool(telling & names)) for names in found)
    except OSError:
        return False


def columns_of(file: Path) -> list[str]:
    """Return the columns of the first row; empty where the file is no table. Reads no more than it needs."""
    try:
        return header(file)
    except (UserError, OSError):
        return []


def header(file: Path) -> list[str]:
    """Return the columns of the first row, or of a CSV file that has none; empty for an empty file.

    Raises:
        UserError: If the file is no table, or names a column twice.
    """
    if ending(file) == ".parquet":
        return parquet_columns(file)
    bad: list[str] = []
    first = next(read_rows(file, lambda _, number, reason: bad.append(f"row {number}: {reason}")), None)
    if first is not None:
        return list(first.values)
    if ending(file) in SEPARATORS:
        return csv_header(file)
    if bad:
        raise UserError(f"{file} must hold JSON objects, but has none; {cut(bad[0], 200)}")
    return []


def _jsonl(file: Path, reject: Reject) -> Iterator[Row]:
    halves = 0
    with open_text(file) as stream:
        for number, line in enumerate(stream, start=1):
            if not line.strip():
                continue
            if number == 1 and line.lstrip().startswith("["):
                yield from _json(file, reject)
                return
            try:
                values = DECODER.decode(line)
            except Twice as error:
                reject(file, number, str(error))
                continue
            except (ValueError, RecursionError) as error:
                reject(file, number, f"must be JSON, but {error}")
                continue
            if may_hold_half(line):
                values, broken = mended(values)
                halves += broken
            yield from _object(file, number, values, reject)
    tell_of_halves(file, halves)


def _json(file: Path, reject: Reject) -> Iterator[Row]:
    """Read a list of objects, or objects one after the other, as ``datasets`` writes to files that end in ``.json`` too."""
    halves = 0
    with open_text(file) as stream:
        for number, (value, text) in enumerate(_values(file, stream), start=1):
            if may_hold_half(text):
                value, broken = mended(value)
                halves += broken
            yield from _object(file, number, value, reject)
    tell_of_halves(file, halves)


def _values(file: Path, stream: TextIO) -> Iterator[tuple[object, str]]:
    """Read the values of a long JSON list one by one, with their text, so that never all of them are in memory."""
    text, place, between = stream.read(CHUNK), 0, " \t\r\n,"
    inside = text.lstrip(" \t\r\n").startswith("[")
    text = text.lstrip(" \t\r\n")[inside:]
    while True:
        while place < len(text) and text[place] in between:
            place += 1
        if inside and text[place : place + 1] == "]":
            return
        start = place
        try:
            value, place = DECODER.raw_decode(text, place)
        except Twice as error:
            raise UserError(f"{file}: {error}; mend it") from None
        except (ValueError, RecursionError) as error:
            more = stream.read(max(CHUNK, len(text) - place))
            if not more and (inside or place < len(text)):
                raise UserError(f"{file} must be a JSON list of objects, but {_reason(error)}; mend it") from None
            if not more:
                return
            text, place = text[place:] + more, 0
            continue
        yield value, text[start:place]


def _reason(error: Exception) -> str:
    return error.msg if isinstance(error, json.JSONDecodeError) else str(error)


def _object(file: Path, number: int, value: object, reject: Reject) -> Iterator[Row]:
    if isinstance(value, dict):
        yield Row(file, number, value)
    else:
        reject(file, number, f"must be a JSON object, but is {type(value).__name__}")


READERS: dict[str, Callable[[Path, Reject], Iterator[Row]]] = {
    ".csv": csv_rows,
    ".tsv": csv_rows,
    ".json": _json,
    ".jsonl": _jsonl,
    ".ndjson": _jsonl,
    ".parquet": lambda file, _: parquet_rows(file),
}


def read_json(file: Path) -> Any:
    """Read a whole JSON file.

    Raises:
        UserError: If it is absent or no JSON.
    """
    try:
        with open_text(file) as stream:
            return DECODER.decode(stream.read())
    except (UnicodeDecodeError, *BROKEN, OSError) as error:
        raise _unreadable(file, error) from None
    except UserError:
        raise
    except (ValueError, RecursionError) as error:
        raise UserError(f"{file} must be JSON, but {error}; mend it") from None
