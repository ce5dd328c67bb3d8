"""Numbers that are written out in English: forty-two, a hundred and five, two and a half, three quarters, half a dozen."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from fractions import Fraction

_UNIT_WORDS = "zero one two three four five six seven eight nine"
_UNITS = {word: n for n, word in enumerate(_UNIT_WORDS.split())}
_TEENS = "ten eleven twelve thirteen fourteen fifteen sixteen seventeen eighteen nineteen"
_TENS = "twenty thirty forty fifty sixty seventy eighty ninety"
SMALL = (
    _UNITS
    | {word: n for n, word in enumerate(_TEENS.split(), 10)}
    | {word: 10 * n for n, word in enumerate(_TENS.split(), 2)}
)
SCALES = {"thousand": 10**3, "million": 10**6, "billion": 10**9, "trillion": 10**12, "dozen": 12}
_PARTS = {"half": 2, "third": 3, "quarter": 4, "fourth": 4, "fifth": 5, "sixth": 6, "eighth": 8, "tenth": 10}
_PARTS |= {"halve": 2}  # halves, without its s

LONE = ("one", "zero", "half")
"""Words that are mostly no number: no one, the other half."""


def _any(words: Iterable[str]) -> str:
    return "|".join(words)


_BELOW_100 = rf"(?:(?:{_any(_TENS.split())})(?:[\s-](?:{_any(list(_UNITS)[1:])}))?|{_any(SMALL)})"
_BELOW_1000 = rf"(?:(?:(?:{_any(SMALL)}|an?)[\s-])?hundred(?:[\s-](?:and\s)?{_BELOW_100})?|{_BELOW_100})"
_SCALED = rf"(?:{_BELOW_1000}|half\san?|an?)[\s-](?:{_any(SCALES)})"
_WHOLE = rf"(?:{_SCALED}(?:,?[\s-](?:and\s)?{_SCALED}){{0,4}}(?:,?[\s-](?:and\s)?{_BELOW_1000})?|{_BELOW_1000})"
_WRITTEN = re.compile(
    rf"\b(?:(?P<minus>minus|negative)\s)?"
    rf"(?:(?P<above>{_any(SMALL)}|an?)[\s-](?P<part>{_any(_PARTS)})s?"
    rf"|(?P<whole>{_WHOLE})(?P<half>\sand\sa\shalf)?|(?P<alone>half)(?!\san?\b))\b",
    re.IGNORECASE | re.ASCII,
)


def written(text: str) -> Iterator[tuple[int, int, Fraction, bool]]:
    """Find numbers that are written out.

    Args:
        text: In any case.

    Yields:
        Where the number begins and ends, its value, and whether it is one of `LONE` and so perhaps none.
    """
    for match in _WRITTEN.finditer(text):
        if match["part"]:
            value = Fraction(SMALL.get(match["above"].lower(), 1), _PARTS[match["part"].lower()])
        elif match["alone"]:
            value = Fraction(1, 2)
        else:
            value = _value(match["whole"].lower()) + Fraction(bool(match["half"]), 2)
        yield match.start(), match.end(), -value if match["minus"] else value, match[0].lower() in LONE


def _value(words: str) -> Fraction:
    """Return the value of words such as 'two thousand and forty-two'."""
    total, group = Fraction(0), Fraction(0)
    for word in re.findall(r"[a-z]+", words):
        if word == "hundred":
            group = (group or 1) * Fraction(100)
        elif word in SCALES:
            total, group = total + (group or 1) * SCALES[word], Fraction(0)
        elif word == "half":
            group = Fraction(1, 2)
        else:
            group += SMALL.get(word, 0)
    return total + group
