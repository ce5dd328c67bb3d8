"""Who is the tallest, and which number is larger."""

from __future__ import annotations

import itertools
from random import Random

from experiments.micropool.tasks.base import Generator, Item
from experiments.micropool.tasks.words import NAMES, lead

SCALES = (
    ("taller", "tallest", "shorter", "shortest"),
    ("older", "oldest", "younger", "youngest"),
    ("faster", "fastest", "slower", "slowest"),
)


def make(rng: Random, topic: str, level: int) -> Item:
    """Return an item of ``people`` (2 to 5 in a chain of comparisons) or ``numbers`` (of 1 to 5 digits)."""
    return _people(rng, level) if topic == "people" else _numbers(rng, level)


def _people(rng: Random, level: int) -> Item:
    more, most, less, least = rng.choice(SCALES)
    order = rng.sample(NAMES, level + 1)
    facts = []
    for high, low in itertools.pairwise(order):
        turned = level > 2 and rng.random() < 0.5
        facts.append(f"{low} is {less} than {high}." if turned else f"{high} is {more} than {low}.")
    if level > 1:
        rng.shuffle(facts)
    which = [(most, order[0]), (least, order[-1])]
    if level > 2:
        which += [(f"second {most}", order[1]), (f"second {least}", order[-2])]
    word, answer = rng.choice(which)
    ask = rng.choice((f"Who is the {word}?", f"Name the {word} one."))
    steps = f"{most} to {least}: {', '.join(order)}"
    wrong = [name for name in dict.fromkeys([*order, *NAMES]) if name != answer]
    return Item(f"{lead(rng)}{' '.join(facts)} {ask}", answer, steps, tuple(wrong[:3]))


def _numbers(rng: Random, level: int) -> Item:
    low, high = ((1, 99), (10, 999), (1000, 9999), (10000, 99999))[level - 1]
    first = rng.randint(low, high)
    numbers = {first, rng.randint(low, high)} if level == 1 else {first}
    while len(numbers) < (2, 2, 3, 4)[level - 1]:
        changed = list(str(first))
        changed[rng.randrange(1, len(changed)) if len(changed) > 1 else 0] = str(rng.randint(1, 9))
        numbers.add(int("".join(changed)))
    shown = sorted(numbers, key=lambda _: rng.random())
    word, best = rng.choice((("largest", max), ("smallest", min)))
    ask = rng.choice(("Which number is the {word}: {text}?", "Name the {word} of these numbers: {text}."))
    answer = best(shown)
    steps = f"in order: {', '.join(map(str, sorted(shown)))}"
    wrong = [str(number) for number in shown if number != answer]
    wrong += [str(answer + delta) for delta in (1, 2, 3)]
    text = ", ".join(map(str, shown))
    return Item(lead(rng) + ask.format(word=word, text=text), str(answer), steps, tuple(dict.fromkeys(wrong))[:3])


GENERATOR = Generator(
    "ordering",
    "commonsense",
    "exact_match",
    "Who comes out first in a chain of comparisons, and which of some numbers is the largest or smallest.",
    ("people", "numbers"),
    make,
)
