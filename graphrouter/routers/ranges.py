"""Ranges of hyperparameters, checked when a router is made: before any training, wherever the values come from."""

from __future__ import annotations

import sys
from collections.abc import Collection
from dataclasses import dataclass, fields
from math import inf
from numbers import Real
from typing import TYPE_CHECKING, Any

from graphrouter.errors import UserError, suggest

if TYPE_CHECKING:
    from graphrouter.routers.base import Router


MOST = sys.float_info.max


@dataclass(frozen=True)
class Range:
    """Numbers that a hyperparameter may be.

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

RANGES: dict[str, Range] = {
    "seed": NOT_NEGATIVE,
    "epochs": COUNT,
    "patience": COUNT,
    "batch_size": COUNT,
    "hidden": COUNT,
    "layers": COUNT,
    "dimensions": COUNT,
    "learning_rate": Range(0, 1, above=True),  # AdamW moves each weight by about the rate in a step
    "weight_decay": NOT_NEGATIVE,
    "dropout": Range(0, 1, below=True),
    "strength": POSITIVE,  # at 0 an LLM without outcomes on a task has no mean
}
"""Ranges of hyperparameters that mean the same in every router."""


def check_hyperparameters(router: Router) -> None:
    """Check the numbers and names of a router against `RANGES` and its own ``ranges`` and ``choices``.

    Raises:
        UserError: If one is out of range, not finite, of another type, or no name that the router knows.
    """
    for field in fields(router):
        if not field.init:
            continue
        where, value = f"{router.name}.{field.name}", getattr(router, field.name)
        if (allowed := range_of(router, field.name)) is not None:
            _check_numbers(where, value, allowed)
        if (known := router.choices.get(field.name)) is not None:
            _check_names(where, value, known)


def range_of(router: Router | type[Router], name: str) -> Range | None:
    """Return the range of a hyperparameter, or None where it has none."""
    return router.ranges.get(name, RANGES.get(name))


def _check_numbers(where: str, value: Any, allowed: Range) -> None:
    if isinstance(value, list | tuple) and not value:
        raise UserError(f"{where} must not be empty; name one or more, or leave out the key for the default")
    for number in value if isinstance(value, list | tuple) else [value]:
        if not isinstance(number, Real) or isinstance(number, bool):
            raise UserError(f"{where} must be a number, {allowed}, but is {_shown(number)}")
        if number not in allowed:
            raise UserError(f"{where} must be {allowed}, but is {_shown(number)}")


def _check_names(where: str, value: Any, known: Collection[str]) -> None:
    one = isinstance(value, str)
    for name in [value] if one else value:
        if name not in known:
            words = f"{'one of' if one else 'among'} {', '.join(known)}"
            verb = "is" if one else "has"
            raise UserError(f"{where} must be {words}, but {verb} {_shown(name)}{suggest(str(name), list(known))}")


def _shown(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."
