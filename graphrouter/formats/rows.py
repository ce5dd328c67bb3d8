"""Rows of public files, read with checks: every complaint names the file, the row and what came."""

from __future__ import annotations

import csv
import json
import math
import sys
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TextIO

from graphrouter.errors import UserError, first_line

Reject = Callable[[Path, int, str], None]
"""Takes the file, the number and the reason of a row that cannot be used; raises, or notes it and returns."""

TABLES = (".csv", ".json", ".jsonl", ".parquet")
SHOWN = 60
"""Characters of a bad value that an error shows."""
NO_NUMBER = ("", "nan", "none", "null")
"""Texts of a number that is missing, as pandas and Python write them."""
LOOKED_AT = 64
"""Most tables of a folder whose columns are looked at to guess its layout."""
CHUNK = 1 << 20


class BadRow(ValueError):
    """A row that cannot be used; its text is the reason."""


@dataclass(frozen=True)
class Row:
    """One row of a file.

    Attributes:
        file: Where it stands.
        number: The line it begins on in CSV and JSONL, else its place in the list, from 1.
        values: By column.
    """

    file: Path
    number: int
    values: dict[str, Any]

    def text(self, column: str) -> str:
        """Return a text that must be there."""
        value = self.optional_text(column)
        if value is None:
            raise BadRow(f"{column} must be text, but is {'empty' if column in self.values else 'absent'}")
        return value

    def optional_text(self, column: str) -> str | None:
        """Return a text, or None where it is absent, null or empty. Numbers come back as they are written."""
        value = self.values.get(column)
        if value is None or value == "":
            return None
        if isinstance(value, dict | list):
            raise BadRow(f"{column} must be text, but is {shown(value)}")
        return str(value)

    def number_of(self, column: str, *, low: float = 0.0, high: float = math.inf) -> float:
        """Return a number that must be there."""
        value = self.optional_number(column, low=low, high=high)
        if value is None:
            came = shown(self.values[column]) if column in self.values else "absent"
            raise BadRow(f"{column} must be a number, but is {came}")
        return value

    def optional_number(self, column: str, *, low: float = 0.0, high: float = math.inf) -> float | None:
        """Return a finite number within [low, high], or None where it is absent, null, empty or not a number (NaN)."""
        value = self.values.get(column)
        if value is None or (isinstance(value, str) and value.strip().lower() in NO_NUMBER):
            return None
        try:
            number = float(value)
        except (TypeError, ValueError, OverflowError):
            raise BadRow(f"{column} must be a number, but is {shown(value)}") from None
        if math.isnan(number):
            return None
        if not math.isfinite(number) or not low <= number <= high:
            limits = f"within [{low:g}, {high:g}]" if math.isfinite(high) else f"finite and at least {low:g}"
            raise BadRow(f"{column} must be {limits}, but is {shown(value)}")
        return number


def shown(value: object) -> str:
    """Return a value as an error shows it: its beginning, and of an object only its type, for a key may be inside."""
    if isinstance(value, dict) or (isinstance(value, list) and any(isinstance(part, dict) for part in value)):
        return "a JSON object" if isinstance(value, dict) else "a list of JSON objects"
    text = repr(value)
    return text if len(text) <= SHOWN else f"{text[:SHOWN]}..."


def read_rows(file: Path, reject: Reject) -> Iterator[Row]:
    """Read a table of any of the types in `TABLES`, told by its ending.

    Args:
        file: CSV with a header, a JSON list of objects, JSONL, or Parquet.
        reject: Is told of each line that is no row.

    Yields:
        Rows, in the file's order; cells of CSV are text.

    Raises:
        UserError: If the file is absent, of another type, or not readable as a whole.
    """
    readers = {".csv": _csv, ".json": _json, ".jsonl": _jsonl, ".parquet": _parquet}
    if file.suffix.lower() not in readers:
        raise UserError(f"{file} must be one of {', '.join(TABLES)}, by its ending; convert or rename it")
    try:
        yield from readers[file.suffix.lower()](file, reject)
    except UnicodeDecodeError as error:
        raise UserError(
            f"{file} must be UTF-8, but is not ({error.reason} at byte {error.start}); convert it"
        ) from None
    except OSError as error:
        raise UserError(f"{file} must be a file that can be read, but {error.strerror or error}") from None


def tables(path: Path) -> list[Path]:
    """Return the tables at a path, by ending: the file itself, or those in the folder and below, sorted; none hidden."""
    if not path.is_dir():
        return [path] if path.is_file() and path.suffix.lower() in TABLES else []
    files = (file for file in path.rglob("*") if file.suffix.lower() in TABLES and file.is_file())
    return sorted(file for file in files if not any(part.startswith(".") for part in file.relative_to(path).parts))


def tables_with(path: Path, columns: Iterable[str]) -> list[Path]:
    """Return the tables at a path that have all of these columns."""
    wanted = set(columns)
    return [file for file in tables(path) if wanted <= set(columns_of(file))]


def holds(path: Path, columns: Iterable[str]) -> bool:
    """Whether one of the first tables at a path has all of these columns; never raises."""
    wanted = set(columns)
    try:
        return any(wanted <= set(columns_of(file)) for file in tables(path)[:LOOKED_AT])
    except OSError:
        return False


def columns_of(file: Path) -> list[str]:
    """Return the columns of the first row; empty where the file is no table. Reads no more than it needs."""
    try:
        if file.suffix.lower() == ".parquet":
            import polars as pl

            return list(pl.read_parquet_schema(file))
        return list(next(read_rows(file, lambda *_: None)).values)
    except (UserError, OSError, StopIteration):
        return []
    except Exception as error:  # polars raises many kinds for a file that is no Parquet
        if type(error).__module__.startswith("polars"):
            return []
        raise


def _csv(file: Path, reject: Reject) -> Iterator[Row]:
    limit = csv.field_size_limit(sys.maxsize)  # a vector or a passage in a cell is longer than the default
    try:
        with file.open(encoding="utf-8-sig", newline="") as stream:
            reader = csv.DictReader(stream)
            while True:
                line = reader.line_num + 1 if reader.line_num else 2
                try:
                    values = next(reader)
                except StopIteration:
                    return
                except csv.Error as error:
                    raise UserError(f"{file}, line {line}: must be CSV, but {error}; mend it") from None
                if None in values or None in values.values():
                    reject(file, line, f"must have {len(reader.fieldnames or ())} cells, as the header has")
                else:
                    yield Row(file, line, values)
    finally:
        csv.field_size_limit(limit)


def _jsonl(file: Path, reject: Reject) -> Iterator[Row]:
    with file.open(encoding="utf-8-sig") as stream:
        for number, line in enumerate(stream, start=1):
            if not line.strip():
                continue
            try:
                values = json.loads(line)
            except (ValueError, RecursionError) as error:
                reject(file, number, f"must be JSON, but {error}")
                continue
            yield from _object(file, number, values, reject)


def _json(file: Path, reject: Reject) -> Iterator[Row]:
    """Read a list of objects, or objects one after the other, as ``datasets`` writes to files that end in ``.json`` too."""
    with file.open(encoding="utf-8-sig") as stream:
        for number, value in enumerate(_values(file, stream), start=1):
            yield from _object(file, number, value, reject)


def _values(file: Path, stream: TextIO) -> Iterator[object]:
    """Read the values of a long JSON list one by one, so that never all of them are in memory."""
    decoder, text, place, between = json.JSONDecoder(), stream.read(CHUNK), 0, " \t\r\n,"
    inside = text.lstrip(" \t\r\n").startswith("[")
    text = text.lstrip(" \t\r\n")[inside:]
    while True:
        while place < len(text) and text[place] in between:
            place += 1
        if inside and text[place : place + 1] == "]":
            return
        try:
            value, place = decoder.raw_decode(text, place)
        except (ValueError, RecursionError) as error:
            more = stream.read(max(CHUNK, len(text) - place))
            if not more and (inside or place < len(text)):
                raise UserError(f"{file} must be a JSON list of objects, but {_reason(error)}; mend it") from None
            if not more:
                return
            text, place = text[place:] + more, 0
            continue
        yield value


def _reason(error: Exception) -> str:
    return error.msg if isinstance(error, json.JSONDecodeError) else str(error)


def _object(file: Path, number: int, value: object, reject: Reject) -> Iterator[Row]:
    if isinstance(value, dict):
        yield Row(file, number, value)
    else:
        reject(file, number, f"must be a JSON object, but is {type(value).__name__}")


def _parquet(file: Path, reject: Reject) -> Iterator[Row]:
    import polars as pl

    try:
        frame = pl.read_parquet(file)
    except pl.exceptions.PolarsError as error:
        raise UserError(
            f"{file} must be a whole Parquet file, but cannot be read ({first_line(error)}); fetch it again"
        ) from None
    for number, values in enumerate(frame.iter_rows(named=True), start=1):
        yield Row(file, number, values)


def read_json(file: Path) -> Any:
    """Read a whole JSON file.

    Raises:
        UserError: If it is absent or no JSON.
    """
    try:
        return json.loads(file.read_text(encoding="utf-8-sig"))
    except OSError as error:
        raise UserError(f"{file} must be a file that can be read, but {error.strerror or error}") from None
    except (ValueError, RecursionError) as error:
        raise UserError(f"{file} must be JSON, but {error}; mend it") from None
