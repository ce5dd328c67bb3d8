r"""Plain numbers in mathematical answers, read exactly: ``1{,}200``, ``3\frac12``, ``0.\overline{3}``, ``50\%``, ``12 factors``."""

from __future__ import annotations

import re
from dataclasses import dataclass
from fractions import Fraction

DIGITS = 6
"""Significant digits that a decimal must have to be taken as a rounding of another number.

``0.333333`` is 1/3 and ``0.33`` is not. Math-Verify rounds to six decimals; counted from the first digit that is not 0, six also
do for numbers far from 1.
"""

NOISE = Fraction(1, 10**12)
"""Relative error that is taken for that of floating-point arithmetic, where a side is a decimal."""

_WHOLE = r"[1-9]\d{0,2}(?:,\d{3})+(?!\d)|[1-9]\d{0,2}(?: \d{3})+(?! ?\d)|\d+"
_FRACTION = r"\\frac\s?\{\s?(?P<above>[+-]?\d+)\s?\}\s?\{\s?(?P<below>[+-]?\d+)\s?\}"
_NUMBER = re.compile(
    rf"(?P<sign>[+-]?)\s?(?:(?P<mixed>\d+)?\s?{_FRACTION}"
    r"|(?:(?P<mixed2>\d+) (?:and )?)?(?P<above2>\d+)\s?/\s?(?P<below2>\d+)"
    rf"|(?P<whole>{_WHOLE})?(?:\.(?P<decimals>\d*)(?P<repeat>\\overline\{{\d+\}}|\(\d+\)|\\ldots)?)?"
    r"(?:\s?(?:\\times|\\cdot|\*|x)\s?10\s?\^\s?(?:\{\s?(?P<power>[+-]?\s?\d{1,4})\s?\}|(?P<power2>-?\d{1,4}))|[eE](?P<power3>[+-]?\d{1,3}))?)"
    r"\s?(?P<percent>%|(?:\\text\{\s?)?\bper ?cent\b(?:\s?\})?)?"
)
_BASED = re.compile(
    r"(?:\\text\{)?([0-9][0-9A-Fa-f]*)\}?\s?_\s?(?:\{\s?(?:\\text\{)?(\d{1,2}|two|eight|ten)\}?\s?\}|(\d))"
)

_UNIT = re.compile(
    r"(?P<between>[ (/-]*)(?:\\text\{[^{}]*\}|\\pmod\s?\{[^{}]*\}|\^\\circ(?:\s?[CFKcf]\b)?|(?<![A-Za-z\\])(?P<word>[A-Za-z][A-Za-z'.-]+))"
    r"(?:\s?\^\s?(?:\d|\{\d\}))?[ )/,.]*$"
)
_PRODUCT = re.compile(r"[abckmnpqrsuvwxyz]{1,3}", re.IGNORECASE)  # rather variables than a word
MOST_WORDS = 12
"""Words after a number that are left out; more are no unit, but a sentence."""
MATHEMATICAL = re.compile(
    r"\b(?:times|plus|minus|over|divided|by|squared|cubed|power|choose|factorial|mod|modulo|root|half|halves|thirds?|quarters?|and|or|to"
    r"|where|if|when|for|not|than|least|most|less|more)\b",
    re.IGNORECASE,
)
_TURNED = re.compile(r"\\(?:sin|cos|tan|cot|sec|csc)(?![a-zA-Z])")  # degrees in these are part of the formula
_SCALES = {"thousand": 10**3, "million": 10**6, "billion": 10**9, "trillion": 10**12}
_LEADING = re.compile(
    r"(?:\\approx|about|approximately|approx\.?|exactly|roughly|around|only|USD|Rs\.?|\\text\{\s?(?:about|approximately|exactly|USD)\s?\})\s?"
)
_UNITS = {
    name: group[0]
    for group in (
        ("mm", "millimeter", "millimetre"), ("cm", "centimeter", "centimetre"), ("m", "meter", "metre"), ("km", "kilometer", "kilometre"),
        ("in", "inch", "inche"), ("ft", "foot", "feet"), ("yd", "yard"), ("mi", "mile"), ("mg", "milligram"), ("g", "gram"),
        ("kg", "kilogram"), ("oz", "ounce"), ("lb", "pound"), ("sec", "s", "second"), ("min", "minute"), ("hr", "h", "hour"),
        ("day",), ("week",), ("month",), ("year", "yr"), ("cent", "¢"), ("dollar",), ("degree", "deg"), ("radian", "rad"),
        ("am", "a.m"), ("pm", "p.m"), ("ml", "milliliter", "millilitre"), ("l", "liter", "litre"),
    )
    for name in group
}  # fmt: skip


@dataclass(frozen=True)
class MathNumber:
    """A number as it is written.

    Attributes:
        value: Exact.
        step: Value of one in the last decimal place; None where the number is exact: an integer or a fraction.
        digits: How many significant digits a decimal has.
        percent: Whether a sign of percent follows; ``value`` is the number before it.
    """

    value: Fraction
    step: Fraction | None = None
    digits: int = 0
    percent: bool = False


def read_number(text: str) -> MathNumber | None:
    """Return the number that a tidy text is, or None where it is no plain number."""
    match = _NUMBER.fullmatch(_LEADING.sub("", text, count=1).strip()) if len(text) < 400 else None
    if match is None or not (match["above"] or match["above2"] or match["whole"] or match["decimals"]):
        return None
    sign = -1 if match["sign"] == "-" else 1
    percent = match["percent"] is not None
    if match["above"] or match["above2"]:
        below = int(match["below"] or match["below2"])
        if not below:
            return None
        part = Fraction(int(match["above"] or match["above2"]), below)
        return MathNumber(sign * (int(match["mixed"] or match["mixed2"] or 0) + part), percent=percent)
    return _decimal(match, sign, percent)


def _decimal(match: re.Match[str], sign: int, percent: bool) -> MathNumber:
    whole = re.sub(r"[ ,]", "", match["whole"] or "0")
    decimals, repeat = match["decimals"] or "", match["repeat"]
    power = Fraction(10) ** int((match["power"] or match["power2"] or match["power3"] or "0").replace(" ", ""))
    value = Fraction(int(whole + decimals), 10 ** len(decimals))
    period = _period(decimals, repeat)
    if period:
        value += Fraction(int(period), 10 ** len(decimals) * (10 ** len(period) - 1))
        return MathNumber(sign * value * power, percent=percent)
    if not decimals.strip("0"):  # 5.0 is as exact as 5
        return MathNumber(sign * value * power, percent=percent)
    digits = len((whole + decimals).lstrip("0"))
    return MathNumber(sign * value * power, power / 10 ** len(decimals), digits, percent)


def _period(decimals: str, repeat: str | None) -> str:
    """Return the digits that repeat after the decimals; none where the decimal ends."""
    if not repeat:
        return ""
    if repeat != r"\ldots":
        return "".join(filter(str.isdigit, repeat))
    again = re.search(r"(\d)\1\1$|(\d{2,6}?)\2$", decimals)  # 0.333... and 0.1212...
    return (again[1] or again[2]) if again else ""


def same_number(gold: MathNumber, answer: MathNumber) -> bool:
    """Return whether two numbers are equal: exactly, or one as a rounding of the other to `DIGITS` digits or more.

    A number in percent equals both the number before the sign and its hundredth, as a question may ask for either.
    """
    if gold.percent == answer.percent:
        return close(gold, answer.value) or close(answer, gold.value)
    plain, percent = (answer, gold) if gold.percent else (gold, answer)
    return any(
        close(percent, value) or (plain.step is not None and close(plain, percent.value / value * plain.value))
        for value in (plain.value, plain.value * 100)
        if value
    ) or (plain.value == percent.value == 0)


def close(number: MathNumber, value: Fraction) -> bool:
    """Return whether a value is that of a number, to the last place where this is a decimal with enough digits."""
    difference = abs(number.value - value)
    if not difference or number.step is None:
        return not difference
    return (number.digits >= DIGITS and difference < number.step) or difference <= abs(value) * NOISE


def split_unit(text: str) -> tuple[str, str | None]:
    """Return a tidy text without the unit or the words that follow its formula, and these; None where there are none.

    >>> split_unit("12 perfect cube factors")
    ('12', 'perfect cube factors')
    """
    before = text = _LEADING.sub("", text, count=1) if _LEADING.match(text) else text
    for _ in range(MOST_WORDS):
        match = _UNIT.search(before)
        if not match or not match.start() or (match["word"] and not _is_word(match["word"], match["between"])):
            break
        before = before[: match.start()]
    unit = re.sub(r"\\text\{([^{}]*)\}", r" \1 ", text[len(before) :]).strip()
    if not unit or _UNIT.search(before) or MATHEMATICAL.search(unit) or ("circ" in unit and _TURNED.search(text)):
        return text, None
    if not re.search(r"\d|\\(?!text)[a-z]|[=^+]", before) or before.rstrip()[-1:] in tuple("+-*/=^_<>"):
        return text, None
    scale = _SCALES.get(unit.partition(" ")[0].lower())
    if scale:
        number = read_number(before)
        return (str(number.value * scale) if number else text), unit.partition(" ")[2]
    return before, unit


def _is_word(word: str, between: str) -> bool:
    """Return whether letters behind a formula are a word, and no product of variables such as ``2xy``."""
    if _known(word):
        return True
    return len(word) > 3 if not between else len(word) > 1 and not _PRODUCT.fullmatch(word)


def units_differ(gold: str | None, answer: str | None) -> bool:
    """Return whether two units are known and not the same, as metres and centimetres are."""
    if all(unit and "mod" in unit for unit in (gold, answer)):
        return gold != answer
    known = [_known(unit) for unit in (gold, answer)]
    return None not in known and known[0] != known[1]


def _known(unit: str | None) -> str | None:
    word = re.sub(r"[\^{}\d]", "", unit or "").strip(" .").lower()
    return _UNITS.get(word) or _UNITS.get(word.removesuffix("s"))


def read_based(text: str) -> tuple[str, int] | None:
    """Return the digits and the base of a number such as ``101_2``, or None."""
    match = _BASED.fullmatch(text)
    if match is None:
        return None
    base = {"two": 2, "eight": 8, "ten": 10}.get(match[2]) or int(match[2] or match[3])
    return match[1].lstrip("0") or "0", base
