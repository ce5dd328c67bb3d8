"""Values of JSON, with what Python passes over in silence: keys that occur twice, and halves of surrogate pairs."""

from __future__ import annotations

import json
import warnings
from collections import Counter
from pathlib import Path
from typing import Any

from graphrouter.formats.row import shown


class Twice(ValueError):
    """A key that an object has twice."""


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    values = dict(pairs)
    if len(values) < len(pairs):
        twice = next(key for key, count in Counter(key for key, _ in pairs).items() if count > 1)
        raise Twice(f"an object must have a key once, but has {shown(twice)} twice")
    return values


DECODER = json.JSONDecoder(object_pairs_hook=_unique)
"""Raises `Twice` for an object that has a key twice."""


def may_hold_half(text: str) -> bool:
    """Whether the text of a JSON value may hold half of a surrogate pair."""
    return "\\ud" in text or "\\uD" in text


def mended(value: Any) -> tuple[Any, bool]:
    """Return a value with U+FFFD for each half of a surrogate pair, and whether there was one."""
    if isinstance(value, str):
        text = value.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
        return text, text != value
    if isinstance(value, list):
        parts = [mended(part) for part in value]
        return [part for part, _ in parts], any(broken for _, broken in parts)
    if isinstance(value, dict):
        keys, values = mended(list(value)), mended(list(value.values()))
        return dict(zip(keys[0], values[0], strict=True)), keys[1] or values[1]
    return value, False


def tell_of_halves(file: Path, count: int) -> None:
    """Warn of the rows of a file that were mended."""
    if count:
        warnings.warn(
            f"{file}: {count:,} rows hold half of a surrogate pair, as a cut emoji leaves; U+FFFD stands in its place",
            stacklevel=3,
        )
