"""Multiple choice over the other tasks: easy questions mixed, and hard ones for experts."""

from __future__ import annotations

from collections.abc import Mapping
from random import Random

from experiments.micropool.tasks import (
    arithmetic,
    equations,
    ordering,
    passages,
    people,
    places,
    programs,
    sets,
    strings,
    units,
)
from experiments.micropool.tasks.base import LETTERS, Generator, Item, Make

MAX_TOKENS = {"direct": 144, "reasoning": 144}
SOURCES: Mapping[str, tuple[tuple[Make, str], ...]] = {
    "numbers": (
        (arithmetic.make, "sums"),
        (arithmetic.make, "products"),
        (equations.make, "linear"),
        (units.make, "units"),
    ),
    "programs": (
        (strings.make, "order"),
        (programs.make, "assign"),
        (programs.make, "loop"),
    ),
    "everyday": (
        (sets.make, "odd_one"),
        (ordering.make, "people"),
        (passages.make_question, "travel"),
        (passages.make_question, "shop"),
    ),
    "world": (
        (places.make, "north"),
        (places.make, "south"),
        (people.make, "science"),
        (people.make, "arts"),
    ),
}
"""The generators that each topic draws from, with their topic."""


def make_mixed(rng: Random, topic: str, level: int) -> Item:
    """Return an item of one of `SOURCES` with four options; the source's level is one below the item's, and at least 1."""
    return _offer(rng, topic, max(1, level - 1))


def make_expert(rng: Random, topic: str, level: int) -> Item:
    """Return an item of one of `SOURCES` with four options; the source's level is 2 or above."""
    return _offer(rng, topic, max(2, level))


def _offer(rng: Random, topic: str, level: int) -> Item:
    source, part = rng.choice(SOURCES[topic])
    while True:
        item = source(rng, part, level)
        options = [item.answer, *item.wrong[:3]]
        if not set(options) & set(LETTERS):  # an option whose text is the letter of another has no clear answer
            break
    rng.shuffle(options)
    place = options.index(item.answer)
    looked = [f"{letter} {option} no" for letter, option in zip(LETTERS, options[:place], strict=False)]
    steps = f"{item.steps}, {item.answer}\n{', '.join([*looked, f'{LETTERS[place]} {item.answer} yes'])}"
    return Item(item.question, LETTERS[place], steps, choices=tuple(options), key=item.key)


MIXED = Generator(
    "mixed_choice",
    "popular",
    "em_mc",
    "Multiple choice questions over numbers, programs, everyday matters and the world.",
    tuple(SOURCES),
    make_mixed,
    MAX_TOKENS,
)
EXPERT = Generator(
    "expert_choice",
    "popular",
    "em_mc",
    "Hard multiple choice questions over numbers, programs, everyday matters and the world.",
    tuple(SOURCES),
    make_expert,
    MAX_TOKENS,
)
