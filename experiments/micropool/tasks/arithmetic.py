"""Sums, differences and products, bare or told as a story; the digits decide how hard they are."""

from __future__ import annotations

from random import Random

from experiments.micropool.tasks.base import Generator, Item, near_numbers
from experiments.micropool.tasks.words import COUNTED, NAMES, lead

PLUS = (
    "What is {a} + {b}?",
    "Add {a} and {b}.",
    "{name} has {a} {things} and finds {b} more. How many {things} does {name} have now?",
    "There are {a} {things} in a box and {b} in a bag. How many {things} are there in all?",
)
MINUS = (
    "What is {a} - {b}?",
    "Take {b} away from {a}.",
    "{name} had {a} {things} and gave {b} away. How many {things} are left?",
)
TIMES = (
    "What is {a} * {b}?",
    "Multiply {a} by {b}.",
    "{name} has {a} boxes with {b} {things} each. How many {things} is that in all?",
)


def make(rng: Random, topic: str, level: int) -> Item:
    """Return an item of ``sums`` (of up to 1, 2, 3 and 5 digits) or ``products`` (up to two digits by two)."""
    if topic == "products":
        a, b = _factors(rng, level)
        template, answer, steps = rng.choice(TIMES), a * b, _multiply(a, b)
    else:
        low, high = ((1, 6), (10, 99), (100, 999), (1000, 99999))[level - 1]
        a, b = rng.randint(low, high), rng.randint(low, high)
        if rng.random() < 0.6:
            template, answer, steps = rng.choice(PLUS), a + b, _add(a, b)
        else:
            a, b = max(a, b), min(a, b)
            template, answer, steps = rng.choice(MINUS), a - b, _subtract(a, b)
    text = template.format(a=a, b=b, name=rng.choice(NAMES), things=rng.choice(COUNTED))
    return Item(lead(rng) + text, str(answer), steps, near_numbers(rng, answer))


def _factors(rng: Random, level: int) -> tuple[int, int]:
    if level == 1:
        return rng.randint(2, 5), rng.randint(2, 5)
    if level == 2:
        return rng.randint(2, 9), rng.randint(3, 9)
    return rng.randint(11, 99), rng.randint(3, 9) if level == 3 else rng.randint(11, 99)


def _columns(a: int, b: int) -> list[tuple[int, int]]:
    width = max(len(str(a)), len(str(b)))
    return [(int(x), int(y)) for x, y in zip(reversed(f"{a:0{width}d}"), reversed(f"{b:0{width}d}"), strict=True)]


def _add(a: int, b: int) -> str:
    """Column by column from the right: ``7+8=15, 4+2+1=7``."""
    steps, carry = [], 0
    for x, y in _columns(a, b):
        total = x + y + carry
        steps.append(f"{x}+{y}{'+1' if carry else ''}={total}")
        carry = total // 10
    return ", ".join(steps)


def _subtract(a: int, b: int) -> str:
    """Column by column from the right, ten borrowed where needed: ``12-7=5, 5-2-1=2``."""
    steps, borrow = [], 0
    for x, y in _columns(a, b):
        top = x + 10 if x - y - borrow < 0 else x
        steps.append(f"{top}-{y}{'-1' if borrow else ''}={top - y - borrow}")
        borrow = int(top > x)
    return ", ".join(steps)


def _multiply(a: int, b: int) -> str:
    """By the place values of the longer factor: ``7*6=42, 40*6=240, 42+240=282``."""
    if a < 10 and b < 10:
        return f"{a}*{b}={a * b}"
    tens, ones = (b // 10 * 10, b % 10) if b >= 10 else (a // 10 * 10, a % 10)
    other = a if b >= 10 else b
    return f"{ones}*{other}={ones * other}, {tens}*{other}={tens * other}, {ones * other}+{tens * other}={a * b}"


GENERATOR = Generator(
    "arithmetic",
    "math",
    "exact_match",
    "Sums, differences and products of whole numbers, bare or told as a short story.",
    ("sums", "products"),
    make,
)
