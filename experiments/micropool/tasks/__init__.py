"""The 14 procedural tasks of the micropool, in 6 domains that mirror the shape of FusionBench."""

from __future__ import annotations

from experiments.micropool.tasks import (
    arithmetic,
    choice,
    equations,
    lists,
    ordering,
    passages,
    people,
    places,
    programs,
    sets,
    strings,
    units,
)
from experiments.micropool.tasks.base import Generator
from graphrouter.errors import UserError, suggest

GENERATORS: tuple[Generator, ...] = (
    arithmetic.GENERATOR,
    equations.GENERATOR,
    strings.GENERATOR,
    programs.GENERATOR,
    lists.GENERATOR,
    sets.GENERATOR,
    ordering.GENERATOR,
    units.GENERATOR,
    places.GENERATOR,
    people.GENERATOR,
    passages.QUESTIONS,
    passages.YES_NO,
    choice.MIXED,
    choice.EXPERT,
)
"""In the order of FusionBench's domains: math, code, commonsense, world knowledge, reading, popular."""


def find_generator(name: str) -> Generator:
    """Return the generator of a task.

    Raises:
        UserError: If there is no such task.
    """
    for generator in GENERATORS:
        if generator.name == name:
            return generator
    raise UserError(f"the micropool has no task {name!r}{suggest(name, [generator.name for generator in GENERATORS])}")
