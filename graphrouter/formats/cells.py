"""Values as several public layouts write them: scores, costs, texts of chats, and Python lists in text."""

from __future__ import annotations

import ast
import json
import math
import warnings
from typing import Any

from graphrouter.formats.rows import BadRow, Row, shown

TRUTH = {"true": 1.0, "false": 0.0}
LONGEST_LIST = 5_000_000
"""Characters of the longest text that is tried as a Python list."""
TEXT_KEYS = ("content", "text", "output_text", "message", "output")
"""Where the text stands in the objects of chat APIs."""


def present(row: Row, column: str) -> Any:
    """Return a cell, or None where it is absent, null, empty or not a number, as pandas marks what is missing."""
    value = row.values.get(column)
    return None if value == "" or (isinstance(value, float) and math.isnan(value)) else value


def score(row: Row, column: str) -> float | None:
    """Return a score in [0, 1], given as a number or as true or false; None where it is missing.

    Raises:
        BadRow: If it is something else.
    """
    value = present(row, column)
    if value is None:
        return None
    if isinstance(value, str) and value.strip().lower() in TRUTH:
        return TRUTH[value.strip().lower()]
    return row.optional_number(column, high=1.0)


def amount(row: Row, column: str) -> float | None:
    """Return a number that is not negative, or None where it is missing."""
    return None if present(row, column) is None else row.optional_number(column)


def charged(row: Row, column: str) -> float | None:
    """Return a cost or a token count, or None where it is missing or 0: tools write 0 for what they do not know."""
    return amount(row, column) or None


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


def text_of(value: Any) -> str | None:
    """Return the text of a message's content, a chat completion or a list of these; None where it has none.

    Args:
        value: Text, a list of texts or content parts (joined by line breaks; parts without text, such as images, are
            left out), or an object of a chat API. Other objects come back as JSON.
    """
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, list):
        found = [text_of(part) for part in value if not _is_media(part)]
        return "\n".join(part for part in found if part) or None
    if isinstance(value, dict):
        choices = value.get("choices")
        if isinstance(choices, list):
            return text_of(choices[0]) if choices else None
        for key in TEXT_KEYS:
            if key in value:
                return text_of(value[key])
    return json.dumps(value, ensure_ascii=False)


def _is_media(part: Any) -> bool:
    return isinstance(part, dict) and "type" in part and not any(key in part for key in TEXT_KEYS)
