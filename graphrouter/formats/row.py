"""One row of a public file. Every complaint names the column, what must hold and what came."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from graphrouter.errors import shown as shown_as_text

Reject = Callable[[Path, int, str], None]
"""Takes the file, the number and the reason of a row that cannot be used; raises, or notes it and returns."""

NO_NUMBER = ("", "nan", "none", "null")
"""Texts of a number that is missing, as pandas and Python write them."""
TRUTH = {"true": 1.0, "false": 0.0}
RESCALE = (
    "map its scale so that 0 is the worst and 1 the best (-1 and 1: -1 becomes 0; 0 to 100: divide by 100; 1 to 10: "
    "subtract 1, divide by 9); --skip-bad would keep only the rows that happen to lie within"
)
WRITTEN = (
    (",", "write a point before the decimals, and nothing between thousands"),
    ("%", "write the share, so divide by 100"),
    ("$", "write the number alone"),
    ("€", "write the number alone, in US dollars"),
    ("_", "write the digits alone"),
)
"""Marks inside texts that should be numbers, and what to write instead."""


class BadRow(ValueError):
    """A row that cannot be used; its text is the reason."""


class OffScale(BadRow):
    """A row whose score is on another scale than [0, 1]. To leave it out would keep the rest of a wrong scale."""

    def __init__(self, column: str, value: object) -> None:
        super().__init__(f"{column} must be within [0, 1], but is {shown(value)}; {RESCALE}")


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
        """Return a text that must be there. A whole number is written without decimals, as in ids."""
        value = self.values.get(column)
        if isinstance(value, bool):
            raise BadRow(f"{column} must be text, but is {value}")
        text = self.optional_text(column)
        if text is None:
            raise BadRow(f"{column} must be text, but is {'empty' if column in self.values else 'absent'}")
        return str(int(value)) if isinstance(value, float) and value.is_integer() else text

    def optional_text(self, column: str) -> str | None:
        """Return a text, or None where it is absent, null, NaN or empty. Numbers come back as they are written."""
        value = self.values.get(column)
        return None if value == "" or (isinstance(value, float) and math.isnan(value)) else self.whole_text(column)

    def whole_text(self, column: str) -> str | None:
        """Return a text, which may be empty, or None where it is absent or null.

        Raises:
            BadRow: If it is a list, an object, or bytes that are no UTF-8.
        """
        value = self.values.get(column)
        if isinstance(value, bytes):
            raise BadRow(f"{column} must be text in UTF-8, but is other bytes ({shown(value)}); decode it")
        if isinstance(value, dict | list | tuple):
            raise BadRow(f"{column} must be text, but is {shown(value)}")
        return None if value is None else str(value)

    def number_of(self, column: str, *, low: float = 0.0, high: float = math.inf) -> float:
        """Return a number that must be there."""
        return self._present(column, self.optional_number(column, low=low, high=high))

    def optional_number(self, column: str, *, low: float = 0.0, high: float = math.inf) -> float | None:
        """Return a finite number within [low, high], or None where it is absent, null, empty or not a number (NaN)."""
        number = self._number(column)
        if number is None or (math.isfinite(number) and low <= number <= high):
            return number
        limits = f"within [{low:g}, {high:g}]" if math.isfinite(high) else f"finite and at least {low:g}"
        raise BadRow(f"{column} must be {limits}, but is {shown(self.values[column])}")

    def share_of(self, column: str) -> float:
        """Return a score that must be there."""
        return self._present(column, self.share(column))

    def share(self, column: str) -> float | None:
        """Return a score in [0, 1], given as a number or as true or false; None where it is missing.

        Raises:
            BadRow: If it is something else.
        """
        value = self.values.get(column)
        if isinstance(value, bool):
            return float(value)
        if isinstance(value, str) and value.strip().lower() in TRUTH:
            return TRUTH[value.strip().lower()]
        number = self._number(column)
        if number is not None and not 0 <= number <= 1:
            raise OffScale(column, value)
        return number

    def _present(self, column: str, number: float | None) -> float:
        if number is None:
            came = shown(self.values[column]) if column in self.values else "absent"
            raise BadRow(f"{column} must be a number, but is {came}")
        return number

    def _number(self, column: str) -> float | None:
        value = self.values.get(column)
        if value is None or (isinstance(value, str) and value.strip().lower() in NO_NUMBER):
            return None
        text = value if isinstance(value, str) else ""
        try:
            if isinstance(value, bool) or "_" in text:  # Python would take both
                raise ValueError
            number = float(value)
        except (TypeError, ValueError, OverflowError):
            remedy = next((f"; {how}" for mark, how in WRITTEN if mark in text), "")
            raise BadRow(f"{column} must be a number, but is {shown(value)}{remedy}") from None
        return None if math.isnan(number) else number


def shown(value: object) -> str:
    """Return a value as an error shows it; of an object only its type, for a key may be inside."""
    if isinstance(value, dict) or (isinstance(value, list) and any(isinstance(part, dict) for part in value)):
        return "a JSON object" if isinstance(value, dict) else "a list of JSON objects"
    return shown_as_text(value)
