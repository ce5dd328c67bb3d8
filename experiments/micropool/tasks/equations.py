"""Linear equations in x, and sequences of numbers to go on with."""

from __future__ import annotations

import itertools
from random import Random

from experiments.micropool.tasks.base import Generator, Item, near_numbers
from experiments.micropool.tasks.words import lead

SOLVE = ("Solve for x: {text}.", "Find x if {text}.", "What is x when {text}?", "The equation {text} holds. What is x?")
NEXT = (
    "What number comes next: {text}?",
    "Continue the sequence {text}.",
    "The numbers {text} follow a rule. What is the next number?",
)


def make(rng: Random, topic: str, level: int) -> Item:
    """Return an item of ``linear`` (one step to both sides) or ``sequences`` (constant to growing differences)."""
    text, answer, steps = (_linear if topic == "linear" else _sequence)(rng, level)
    template = rng.choice(SOLVE if topic == "linear" else NEXT)
    return Item(lead(rng) + template.format(text=text), str(answer), steps, near_numbers(rng, answer))


def _linear(rng: Random, level: int) -> tuple[str, int, str]:
    x = rng.randint(1, (5, 9, 9, 15)[level - 1])
    a, b = rng.randint(2, 9), rng.randint(1, 5 if level == 1 else 30)
    if level == 1:
        return f"x + {b} = {x + b}", x, f"x = {x + b} - {b} = {x}"
    if level == 2:
        return f"{a}x = {a * x}", x, f"x = {a * x} / {a} = {x}"
    if level == 3:
        return f"{a}x + {b} = {a * x + b}", x, f"{a}x = {a * x + b} - {b} = {a * x}, x = {a * x} / {a} = {x}"
    c = rng.randint(1, a - 1)
    right = (a - c) * x + b
    steps = f"{a}x - {c}x = {a - c}x, {a - c}x = {right} - {b} = {right - b}, x = {right - b} / {a - c} = {x}"
    return f"{a}x + {b} = {c}x + {right}", x, steps


def _sequence(rng: Random, level: int) -> tuple[str, int, str]:
    start, step = rng.randint(1, 9), rng.randint(1, 3)
    if level == 2:
        start, step = rng.randint(1, 40), rng.randint(2, 9)
    elif level == 3:
        start, step = rng.randint(60, 99), -rng.randint(2, 9)
    growth = rng.randint(1, 4) if level == 4 else 0
    numbers = [start]
    for turn in range(4):
        numbers.append(numbers[-1] + step + growth * turn)
    *shown, answer = numbers
    differences = [str(abs(b - a)) for a, b in itertools.pairwise(shown)]
    last = abs(answer - shown[-1])
    sign = "-" if answer < shown[-1] else "+"
    steps = f"steps {', '.join(differences)}, next {last}, {shown[-1]} {sign} {last} = {answer}"
    return ", ".join(map(str, shown)), answer, steps


GENERATOR = Generator(
    "equations",
    "math",
    "exact_match",
    "Linear equations to be solved for x, and number sequences to be continued.",
    ("linear", "sequences"),
    make,
)
