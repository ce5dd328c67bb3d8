"""Ranges of hyperparameters, checked when a router is made: before any training, wherever the values come from."""

from __future__ import annotations

from dataclasses import fields
from typing import TYPE_CHECKING

from graphrouter.ranges import COUNT, NOT_NEGATIVE, POSITIVE, Range, check_names, check_numbers

if TYPE_CHECKING:
    from graphrouter.routers.base import Router

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
            check_numbers(where, value, allowed)
        if (known := router.choices.get(field.name)) is not None:
            check_names(where, value, known)


def range_of(router: Router | type[Router], name: str) -> Range | None:
    """Return the range of a hyperparameter, or None where it has none."""
    return router.ranges.get(name, RANGES.get(name))
