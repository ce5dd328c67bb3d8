"""Values as several public layouts write them: scores, costs, and Python lists in text."""

from __future__ import annotations

import ast
import difflib
import math
import warnings
from collections.abc import Collection, Iterable
from pathlib import Path
from typing import Any

from graphrouter.formats.rows import BadRow, Row, shown

LONGEST_LIST = 5_000_000
"""Characters of the longest text that is tried as a Python list."""


def present(row: Row, column: str) -> Any:
    """Return a cell, or None where it is absent, null, empty or not a number, as pandas marks what is missing."""
    value = row.values.get(column)
    return None if value == "" or (isinstance(value, float) and math.isnan(value)) else value


def charged(row: Row, column: str) -> float | None:
    """Return a cost or a token count, or None where it is missing or 0: tools write 0 for what they do not know."""
    return row.optional_number(column) or None


def texts(row: Row, column: str) -> str | None:
    """Return the text of a cell that may be a Python list of texts, or such a list written as text.

    Nothing is evaluated: the text is parsed as a literal, and what is no list of texts stays as it is. Several texts,
    the messages of a chat, are joined by blank lines.

    Raises:
        BadRow: If the cell is neither text nor a list of texts.
    """
    value = present(row, column)
    if value is None:
        return None
    if isinstance(value, str):
        parts = _literal_list(value)
        return value if parts is None else "\n\n".join(parts)
    if isinstance(value, bytes):
        return row.whole_text(column)
    if isinstance(value, list | tuple) and all(isinstance(part, str) for part in value):
        return "\n\n".join(value)
    raise BadRow(f"{column} must be text or a list of texts, but is {shown(value)}")


def _literal_list(text: str) -> list[str] | None:
    if not (text.startswith("[") and text.endswith("]")) or len(text) > LONGEST_LIST:
        return None
    inside = text[2:-2]
    if len(text) > 3 and text[:2] == "['" and text[-2:] == "']" and not any(mark in inside for mark in "'\\\n\r\0"):
        return [inside]  # most cells; the parser would need a hundred times as long
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", SyntaxWarning)
            value = ast.literal_eval(text)
    except (ValueError, SyntaxError, MemoryError, RecursionError):
        return None
    return value if isinstance(value, list) and value and all(isinstance(part, str) for part in value) else None


def did_you_mean(file: Path, columns: Iterable[str], known: Collection[str]) -> None:
    """Warn of columns that are not known but nearly have the name of one that is absent."""
    there = set(columns)
    for column in sorted(there - set(known)):
        near = difflib.get_close_matches(column, sorted(set(known) - there), n=1, cutoff=0.85)
        if near:
            warnings.warn(
                f"{file}: {shown(column)} is no column of a log, so it is not read as one; rename it if it is meant to be "
                f"{near[0]!r}",
                stacklevel=2,
            )
