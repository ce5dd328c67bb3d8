"""Rows of CSV files, with commas, semicolons or tabs between the cells."""

from __future__ import annotations

import csv
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any, TextIO

from graphrouter.errors import UserError
from graphrouter.formats.row import Reject, Row, shown
from graphrouter.formats.sources import ending, open_text

SEPARATORS = {".csv": ",;\t", ".tsv": "\t,;"}
"""Separators of cells, by ending: the one that makes the most columns is used, and of equals the first."""


def csv_rows(file: Path, reject: Reject) -> Iterator[Row]:
    """Read the rows of a CSV file; those with too few or too many cells are rejected.

    Raises:
        UserError: If the header names a column twice, or the file is no CSV.
    """
    limit = csv.field_size_limit(sys.maxsize)  # a vector or a passage in a cell is longer than the default
    try:
        with open_text(file, newline="") as stream:
            reader = csv.reader(stream, **_dialect(file, stream))
            line = 1
            try:
                columns = _header(file, reader)
                while True:
                    line = reader.line_num + 1
                    cells = next(reader, None)
                    if cells is None:
                        return
                    if cells and len(cells) != len(columns):
                        reject(file, line, f"must have {len(columns)} cells, as the header has")
                    elif cells:
                        yield Row(file, line, dict(zip(columns, cells, strict=True)))
            except csv.Error as error:
                raise UserError(f"{file}, line {line}: must be CSV, but {error}; mend it") from None
    finally:
        csv.field_size_limit(limit)


def _header(file: Path, reader: Iterator[list[str]]) -> list[str]:
    columns = next((cells for cells in reader if any(cell.strip() for cell in cells)), [])
    twice = next((name for name, count in Counter(columns).items() if name and count > 1), None)
    if twice is not None:
        raise UserError(
            f"{file}: a header must name a column once, but {shown(twice)} occurs twice; rename or drop one"
        )
    return columns


def _dialect(file: Path, stream: TextIO) -> dict[str, Any]:
    """Return the separator in the header, spaces after it included, and go back to the start."""
    line = next((line for line in stream if line.strip()), "")
    stream.seek(0)
    choices = SEPARATORS[ending(file)]
    cells = {mark: next(csv.reader([line], delimiter=mark), []) for mark in choices}
    best = max(choices, key=lambda mark: (len(cells[mark]), -choices.index(mark)))
    spaced = len(cells[best]) > 1 and all(name.startswith(" ") for name in cells[best][1:])
    return {"delimiter": best, "skipinitialspace": spaced}


def csv_header(file: Path) -> list[str]:
    """Return the columns of a CSV file; empty for an empty file."""
    with open_text(file, newline="") as stream:
        return _header(file, csv.reader(stream, **_dialect(file, stream)))
