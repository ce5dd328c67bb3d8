"""Numbers of an answer and of a text, in whatever form they are written: digits, fractions, percent, words."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator

from fusion.tasks.graders.number_words import SMALL, written

NUMBER = re.compile(r"[-−+]?(?:\d+(?:,\d{3})*(?:\.\d+)?|(?<!\d)\.\d+)")
POWER = re.compile(
    r"([-−+]?\d+(?:,\d{3})*(?:\.\d+)?)\s*(?:[×x*·]|\\times|\\cdot)\s*(?P<ten>10)\s*\^?\s*\{?\s*(?P<power>[-−+]?\s?\d+)\}?"
)
"""A number times a power of ten."""

FRACTION = re.compile(
    r"\\[dtc]?frac\s*(?:\{\s*(?P<over>\d+)\s*\}|(?P<digit>\d))\s*(?:\{\s*(?P<under>\d+)\s*\}|(?P<below>\d))"
    r"|(?<![\w/.])(?P<first>\d+)\s*/\s*(?P<second>\d+)(?![\w/]|\.\d)|(?P<whole>\d+)?\s?(?P<sign>[¼-¾⅐-⅞])"
)
"""``\frac{1}{2}``, 1/2, ½ and 1½."""

_PERCENT = re.compile(rf"({NUMBER.pattern})\s*(?:\\?%|percent\b|per cent\b)", re.IGNORECASE)
_SIGNS = re.compile(r"^[\s$€£\\({[]*|[\s$\\)}\].]*$")
"""Characters allowed around a number that is the whole of an answer."""

_SAID = {number: word for word, number in SMALL.items()}
_LONGEST = 6
"""Digits of a number that is also looked for in words."""


def digits_of(number: str) -> int:
    """Return how many digits a number has."""
    return sum(character.isdigit() for character in number)


def value_of(number: str) -> float:
    """Return the value of what `NUMBER` finds."""
    return float(number.replace(",", "").replace("−", "-").replace(" ", ""))


def as_fraction(found: re.Match[str]) -> float | None:
    """Return the value of what `FRACTION` finds; None where it is divided by nothing."""
    if found["sign"]:
        return float(found["whole"] or 0) + unicodedata.numeric(found["sign"])
    over, under = found["over"] or found["digit"] or found["first"], found["under"] or found["below"] or found["second"]
    return int(over) / int(under) if int(under) else None


def quantities(text: str) -> Iterator[tuple[int, int, float, float]]:
    """Yield the numbers of a text that are written as such.

    Yields:
        Where it begins and ends, its value, and by how much that may be off, as a decimal may be rounded.
    """
    taken: list[tuple[int, int, float, float]] = []
    for found in FRACTION.finditer(text):
        if (value := as_fraction(found)) is not None:
            taken.append((*found.span(), value, 0.0))
    for found in _PERCENT.finditer(text):
        taken.append((*found.span(), value_of(found[1]) / 100, 0.0))
    within = {place for start, end, _, _ in taken for place in range(start, end)}
    for found in NUMBER.finditer(text):
        if found.start() not in within:
            places = len(found[0].partition(".")[2])
            taken.append((*found.span(), value_of(found[0]), 0.5 * 10.0**-places if places >= 2 else 0.0))
    yield from sorted(taken)


def whole_value(answer: str) -> float | None:
    """Return the value of an answer that is one number and nothing else; None of any other."""
    inside = _SIGNS.sub("", with_digits(answer)).strip()
    inside = inside if FRACTION.fullmatch(inside) or not FRACTION.search(answer) else answer.strip(" $.")
    found = [one for one in quantities(inside) if (one[0], one[1]) == (0, len(inside))]
    return found[0][2] if found else None


def with_digits(text: str) -> str:
    """Return a text with whole numbers that are written out as digits: forty-two as 42."""
    parts, read = [], 0
    for start, end, value, _ in written(text):
        if value.denominator == 1:
            parts += [text[read:start], str(value)]
            read = end
    return "".join([*parts, text[read:]])


def in_words(answer: str) -> list[str]:
    """Return an answer with its one whole number in words, as it may be said; none where it has none, or several."""
    found = list(NUMBER.finditer(answer))
    digits = found[0][0].replace(",", "") if len(found) == 1 else ""
    if not digits.isdigit() or len(digits) > _LONGEST:
        return []
    return [answer[: found[0].start()] + said + answer[found[0].end() :] for said in _said(int(digits))]


def _said(number: int) -> list[str]:
    if number < 20:
        return [_SAID[number]]
    if number < 100:
        ten, one = divmod(number, 10)
        return [_SAID[10 * ten] + (f" {_SAID[one]}" if one else "")]
    size, name = (1000, "thousand") if number >= 1000 else (100, "hundred")
    many, rest = divmod(number, size)
    heads = [f"{head} {name}" for head in _said(many)]
    if not rest:
        return heads
    return [f"{head} {joint}{tail}" for head in heads for joint in ("", "and ") for tail in _said(rest)]


def read_numbers(text: str) -> Iterator[tuple[float, float, int]]:
    """Yield each number of a text: its absolute value, half a unit of its last place, and how many digits it has.

    Of one with a power of ten, the value as a whole and the number before the power; never that ten.
    """
    powers = {found.start(1): found for found in POWER.finditer(text)}
    tens = {found.start("ten") for found in powers.values()} | {found.start("power") for found in powers.values()}
    for found in NUMBER.finditer(text):
        if found.start() in tens:
            continue
        places = len(found[0].partition(".")[2])
        value, half, digits = abs(value_of(found[0])), 0.5 * 10.0**-places, digits_of(found[0])
        yield value, half, digits
        if (power := powers.get(found.start())) and abs(value_of(power["power"])) < 100:
            scale = 10.0 ** value_of(power["power"])
            yield value * scale, half * scale, digits
