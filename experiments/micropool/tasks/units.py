"""Units of measure, days of the week and months."""

from __future__ import annotations

from random import Random

from experiments.micropool.tasks.base import Generator, Item, near_numbers
from experiments.micropool.tasks.words import NAMES, lead

UNITS = (
    ("hours", "minutes", 60),
    ("minutes", "seconds", 60),
    ("days", "hours", 24),
    ("weeks", "days", 7),
    ("years", "months", 12),
    ("dozens", "pieces", 12),
    ("meters", "centimeters", 100),
    ("kilograms", "grams", 1000),
)
CHAINS = (
    ("weeks", "days", "hours", 7, 24),
    ("hours", "minutes", "seconds", 60, 60),
    ("days", "hours", "minutes", 24, 60),
    ("years", "months", "half months", 12, 2),
    ("dozens", "pieces", "halves", 12, 2),
)
DAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
MONTHS = (
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
)


def make(rng: Random, topic: str, level: int) -> Item:
    """Return an item of ``units`` (one conversion to two in a row) or ``calendar`` (days and months on or back)."""
    return _units(rng, level) if topic == "units" else _calendar(rng, level)


def _units(rng: Random, level: int) -> Item:
    ask: tuple[str, ...] = (
        "How many {small} are in {count} {big}?",
        "Convert {count} {big} to {small}.",
        "{name} has {count} {big}. How many {small} is that?",
    )
    big, small, factor = rng.choice(UNITS)
    count, extra = rng.randint(2, 5 if level == 1 else 12), 0
    if level == 4:
        big, middle, small, first, second = rng.choice(CHAINS)
        count = rng.randint(2, 9)
        answer = count * first * second
        steps = f"{count}*{first}={count * first} {middle}, {count * first}*{second}={answer} {small}"
    elif level == 3:
        extra = rng.randint(1, factor - 1)
        answer = count * factor + extra
        steps = f"{count}*{factor}={count * factor}, {count * factor}+{extra}={answer}"
        ask = (
            "How many {small} are {count} {big} and {extra} {small}?",
            "Convert {count} {big} and {extra} {small} to {small}.",
        )
    else:
        answer = count * factor
        steps = f"one has {factor}, {count}*{factor}={answer}"
    text = rng.choice(ask).format(small=small, count=count, big=big, name=rng.choice(NAMES), extra=extra)
    return Item(lead(rng) + text, str(answer), steps, near_numbers(rng, answer))


def _calendar(rng: Random, level: int) -> Item:
    cycle, unit = ((DAYS, "days"), (MONTHS, "months"))[rng.random() < 0.4]
    start = rng.randrange(len(cycle))
    count = rng.randint(*((1, 2), (3, 5), (6, 20), (21, 99))[level - 1])
    back = level > 1 and rng.random() < 0.4
    answer = cycle[(start - count if back else start + count) % len(cycle)]
    rest = count % len(cycle)
    passed = [cycle[(start - turn if back else start + turn) % len(cycle)] for turn in range(rest + 1)]
    steps = f"{count} is {count // len(cycle)}*{len(cycle)}+{rest}, {', '.join(passed)}"
    one = unit.removesuffix("s")
    shown = f"1 {one}" if count == 1 else f"{count} {unit}"
    if back:
        ask = (f"What {one} is {shown} before {cycle[start]}?", f"It is {cycle[start]}. What was it {shown} ago?")
    else:
        ask = (f"What {one} is {shown} after {cycle[start]}?", f"It is {cycle[start]}. What will it be in {shown}?")
    wrong = rng.sample([name for name in cycle if name != answer], 3)
    return Item(lead(rng) + rng.choice(ask), answer, steps, tuple(wrong))


GENERATOR = Generator(
    "units_calendar",
    "commonsense",
    "exact_match",
    "Conversions of units, and days and months before or after a given one.",
    ("units", "calendar"),
    make,
)
