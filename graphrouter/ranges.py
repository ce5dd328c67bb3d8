"""Ranges that numbers of a config must be in, and names that its texts must be among."""

from __future__ import annotations

import sys
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from math import inf
from numbers import Real
from operator import attrgetter
from typing import Any, cast

from graphrouter.errors import UserError, shown, suggest

MOST = sys.float_info.max


@dataclass(frozen=True)
class Range:
    """Numbers that a setting may be.

    Attributes:
        low: The least.
        high: The most.
        above: Whether it must be above ``low``, not ``low`` itself.
        below: Whether it must be below ``high``, not ``high`` itself.
    """

    low: float
    high: float = inf
    above: bool = False
    below: bool = False

    def __contains__(self, value: float) -> bool:
        if not -MOST <= value <= MOST:  # false for NaN, and right for integers that no float can hold
            return False
        lowest = value > self.low if self.above else value >= self.low
        return lowest and (value < self.high if self.below else value <= self.high)

    def __str__(self) -> str:
        low = f"above {self.low:g}" if self.above else f"{self.low:g} or more"
        if self.high == inf:
            return low
        if not self.above and not self.below:
            return f"within {self.low:g} to {self.high:g}"
        return f"{low} and {'below' if self.below else 'at most'} {self.high:g}"


COUNT = Range(1)
POSITIVE = Range(0, above=True)
NOT_NEGATIVE = Range(0)
SHARE = Range(0, 1)
POSITIVE_SHARE = Range(0, 1, above=True)

Allowed = Range | Collection[str]
"""Numbers, or names, that a setting may be."""


def check_numbers(where: str, value: Any, allowed: Range) -> None:
    """Check a number, or each of a list.

    Raises:
        UserError: If one is out of range, not finite or no number, or the list is empty; ``where`` names it.
    """
    if isinstance(value, list | tuple) and not value:
        raise UserError(f"{where} must not be empty; name one or more, or leave out the key for the default")
    for number in value if isinstance(value, list | tuple) else [value]:
        if not isinstance(number, Real) or isinstance(number, bool):
            raise UserError(f"{where} must be a number, {allowed}, but is {shown(number)}")
        if cast("float", number) not in allowed:
            raise UserError(f"{where} must be {allowed}, but is {shown(number)}")


def check_names(where: str, value: Any, known: Collection[str]) -> None:
    """Check a text, or each of a list.

    Raises:
        UserError: If one is not known; ``where`` names it.
    """
    one = isinstance(value, str)
    for name in [value] if one else value:
        if name not in known:
            words = f"{'one of' if one else 'among'} {', '.join(known)}"
            verb = "is" if one else "has"
            raise UserError(
                f"{where} must be {words}, but {verb} {shown(name)}{suggest(str(name), list(known), listed=True)}"
            )


def check_fields(config: Any, allowed: Mapping[str, Allowed], where: str = "") -> None:
    """Check the settings of a dataclass; those that are None are not checked.

    Args:
        config: The dataclass.
        allowed: Range or names by the name of the setting, with a dot where it is in a nested dataclass.
        where: In front of each name in errors.

    Raises:
        UserError: As for `check_numbers` and `check_names`.
    """
    for name, limit in allowed.items():
        value = attrgetter(name)(config)
        if value is None:
            continue
        if isinstance(limit, Range):
            check_numbers(f"{where}{name}", value, limit)
        else:
            check_names(f"{where}{name}", value, limit)
