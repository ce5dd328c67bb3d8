"""The grader for answers that are one number (gsm8k)."""

from __future__ import annotations

import math
import re

from fusion.tasks.base import Example, Grade
from fusion.tasks.graders.answers import aliases, announced, boxed
from fusion.tasks.graders.reading import reads_answer

_TIDY: list[tuple[re.Pattern[str], str]] = [
    (
        re.compile(r"\\[dt]?frac\s{0,3}\{\s{0,3}([\d.,]{1,20})\s{0,3}\}\s{0,3}\{\s{0,3}([\d.,]{1,20})\s{0,3}\}"),
        r" \1/\2",
    ),
    (re.compile(r"(?<=\d)(?:\{,\}|\\,|\\!|,\\!)(?=\d{3})"), ","),
    (re.compile(r"\\(?=[$%])"), ""),
    (re.compile("[\u2212\u2013]"), "-"),
    (re.compile(r"[*_`]{1,3}"), ""),
]
_NUMBER = re.compile(
    r"(?<![\w.])(?P<sign>-?)\s?[$€£]?\s?(?P<sign2>-?)"
    r"(?=\.?\d)(?P<whole>\d{1,3}(?:,\d{3})+(?!\d)|\d+)?(?P<decimals>\.\d+)?(?P<exponent>e[+-]?\d{1,3}\b)?"
    r"(?:(?P<mixed>\s\d{1,9})?\s?/\s?(?P<below>\d{1,3}(?:,\d{3})+(?!\d)|\d+))?",
    re.IGNORECASE,
)


@reads_answer
def numeric(response: str, example: Example) -> Grade:
    """1 where the final number of the response equals that of the ground truth.

    The final number is the one that is boxed, else the one that follows the last ``####``, ``The answer is``, ``Answer:``
    or the like (after its last ``=`` where it goes on as an equation), else the last number of the response.
    """
    number = final_number(response)
    if number is None:
        return Grade(0.0)
    gold = [final_number(text) for text in aliases(example)]
    same = any(one is not None and math.isclose(number, one, rel_tol=1e-9, abs_tol=1e-9) for one in gold)
    return Grade(float(same), f"{number:.12g}")


def final_number(text: str) -> float | None:
    """Return the number that a text gives as its answer, or None."""
    box = boxed(text)
    for part in ([box] if box else []) + announced(text):
        numbers = _numbers(part.rpartition("=")[2]) or _numbers(part)
        if numbers:
            return numbers[0]
    numbers = _numbers(text)
    return numbers[-1] if numbers else None


def _numbers(text: str) -> list[float]:
    for pattern, tidy in _TIDY:
        text = pattern.sub(tidy, text)
    values = (_value(match) for match in _NUMBER.finditer(text))
    return [value for value in values if value is not None and math.isfinite(value)]


def _value(match: re.Match[str]) -> float | None:
    whole = match["whole"] or "0"
    value = float(f"{whole.replace(',', '')}{match['decimals'] or ''}{match['exponent'] or ''}")
    if match["below"]:
        below = float(match["below"].replace(",", ""))
        if not below:
            return None
        value = value + float(match["mixed"]) / below if match["mixed"] else value / below
    return -value if match["sign"] or match["sign2"] else value
