"""Task on sets: things that two people have in common, that only one has, and that do not belong."""

from __future__ import annotations

from random import Random

from experiments.micropool.tasks.base import Generator, Item
from experiments.micropool.tasks.words import GROUPS, NAMES, lead, listing, plural

WORDS = tuple(word for group in GROUPS.values() for word in group)
SIZES = (1, 2, 3, 5)
VERBS = ("likes", "owns", "sells", "draws")
ODD = (
    "Which one does not belong: {text}?",
    "Find the odd one out: {text}.",
    "One of these is unlike the others: {text}. Which?",
)


def make(rng: Random, topic: str, level: int) -> Item:
    """Return an item of ``shared``, ``only`` (two sets of 1 to 5) or ``odd_one`` (3 to 6 words)."""
    if topic == "odd_one":
        return _odd_one(rng, level)
    size = SIZES[level - 1]
    drawn = rng.sample(WORDS, 2 * size + 1)
    answer, rest = drawn[0], drawn[1:]
    if topic == "shared":
        first, second = [answer, *rest[: size - 1]], [answer, *rest[size - 1 : 2 * size - 2]]
    else:
        first, second = [answer, *rest[: size - 1]], [*rest[: size - 1], rest[size]]
    rng.shuffle(first)
    rng.shuffle(second)
    one, two = rng.sample(NAMES, 2)
    verb = rng.choice(VERBS)
    passage = f"{one} {verb} {_things(first)}. {two} {verb} {_things(second)}."
    base = verb.removesuffix("s")
    ask = f"What do both {base}?" if topic == "shared" else f"What does {one} {base} that {two} does not?"
    steps = ", ".join(f"{plural(word)} {'yes' if word in second else 'no'}" for word in first)
    wrong = [plural(word) for word in dict.fromkeys(first + second + rest) if word != answer]
    return Item(
        f"{lead(rng)}{passage} {ask}",
        plural(answer),
        steps,
        tuple(wrong[:3] if len(wrong) > 2 else _fill(rng, wrong, answer)),
    )


def _fill(rng: Random, wrong: list[str], answer: str) -> list[str]:
    others = [plural(word) for word in WORDS if plural(word) not in wrong and word != answer]
    return wrong + rng.sample(others, 3 - len(wrong))


def _things(words: list[str]) -> str:
    return listing([plural(word) for word in words])


def _odd_one(rng: Random, level: int) -> Item:
    group, other = rng.sample(sorted(GROUPS), 2)
    answer = rng.choice(GROUPS[other])
    inside = rng.sample(GROUPS[group], level + 2)
    words = [*inside, answer]
    rng.shuffle(words)
    steps = f"{group} are {', '.join(inside)}, but {answer} is one of the {other}"
    return Item(lead(rng) + rng.choice(ODD).format(text=", ".join(words)), answer, steps, tuple(inside[:3]))


GENERATOR = Generator(
    "set_reasoning",
    "commonsense",
    "exact_match",
    "What two people share, what only one of them has, and which word does not belong.",
    ("shared", "only", "odd_one"),
    make,
)
