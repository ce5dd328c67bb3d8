r"""Numbers in a text, as people and LLMs write them.

Read are digits with thousands in groups (by comma, point, apostrophe, narrow or plain space, also in the Indian way), decimals
(also with a comma where it cannot part thousands: 3,5), fractions and mixed numbers (3/4, \tfrac34, 3 1/2, ½), powers (10^3,
1.5 × 10^4, 1e6), scales (million, k, %, dozen, 万), and ratios (3:2); at most `LONGEST` digits.
"""

from __future__ import annotations

import ast
import operator
import re
import unicodedata
from dataclasses import dataclass
from fractions import Fraction
from math import log10

from fusion.tasks.graders.number_words import written

LONGEST = 100  # digits; a longer number is an endless repetition
MOST_POWER = 400  # decimal places of a power that is still computed

SCALES = {
    "%": Fraction(1, 100),
    "hundred": Fraction(100),
    "thousand": Fraction(10**3),
    "million": Fraction(10**6),
    "billion": Fraction(10**9),
    "trillion": Fraction(10**12),
    "lakh": Fraction(10**5),
    "crore": Fraction(10**7),
    "dozen": Fraction(12),
}
_SHORT = {
    "percent": "%",
    "per cent": "%",
    "pct": "%",
    "dozens": "dozen",
    "k": "thousand",
    "m": "million",
    "mn": "million",
    "b": "billion",
}
_SHORT |= {"bn": "billion", "千": "thousand", "百": "hundred"}
_CHINESE = {"万": Fraction(10**4), "萬": Fraction(10**4), "亿": Fraction(10**8), "億": Fraction(10**8)}


@dataclass(frozen=True)
class TextNumber:
    """A number in a text.

    Attributes:
        start: Where it begins in the text, its sign and its currency included.
        end: Where it ends, its scale included.
        value: Its value without its scale; None where it is no plain number, such as a root or a list like 3,5,7.
        scale: The word or sign behind it that scales it, as in `SCALES`, or empty.
        money: Whether a currency sign stands before it.
        lone: Whether it is a word, such as 'one', that is mostly no number.
    """

    start: int
    end: int
    value: Fraction | None
    scale: str = ""
    money: bool = False
    lone: bool = False

    @property
    def scaled(self) -> Fraction | None:
        """The value with its scale: 0.5 of 50%, 1,500,000 of 1.5 million."""
        factor = SCALES.get(self.scale) or _CHINESE.get(self.scale) or Fraction(1)
        return None if self.value is None else self.value * factor


_VULGAR = {
    chr(code): unicodedata.normalize("NFKC", chr(code)).replace("\u2044", "/")
    for code in (*range(0xBC, 0xBF), *range(0x2150, 0x215F))
}
_VULGAR_SIGN = re.compile(f"[{''.join(_VULGAR)}]")
_RAISED = str.maketrans("⁰¹²³⁴⁵⁶⁷⁸⁹⁻", "0123456789-")
_POWER = re.compile(r"(?<=\d)[⁰¹²³⁴⁵⁶⁷⁸⁹⁻]{1,4}")
_LIKE_ASCII = str.maketrans(dict.fromkeys("\u2212\u2010\u2011\u2012\u2013\u2014", "-") | {"\u2044": "/", "\u2215": "/"})
_SQUARE = re.compile(r"(?<=[^\W\d_])[⁰¹²³⁴⁵⁶⁷⁸⁹⁻]{1,4}|°")
_PART = r"\s{0,3}(?:\{\s{0,3}([\d.,]{1,20})\s{0,3}\}|(\d))"
_TIDY: list[tuple[str, re.Pattern[str], str]] = [
    ("frac", re.compile(rf"\\[dtc]?frac{_PART}{_PART}"), r" \1\2/\3\4"),
    ("{,}", re.compile(r"(?<=\d)\{,\}(?=\d{3})"), ","),
    ("~", re.compile(r"(?<=\d)~(?=\d{3})"), ","),
    ("\\", re.compile(r"(?<=\d)(?:\\,|\\!|,\\!)(?=\d{3})"), ","),
    ("\\", re.compile(r"\\[!,;:> ](?![a-zA-Z])|\\(?:left|right|displaystyle|q?quad)(?![a-zA-Z])"), " "),
    ("\\", re.compile(r"\\(?=[$%#&_*])"), ""),
    ("\\", re.compile(r"\\(?:text|math|operatorname|mbox|bm|boldsymbol)(?:rm|bf|it|sf|tt)?\s?(?=\{)"), ""),
    ("\\", re.compile(r"\^\s?\{?\s?\\circ\s?\}?|\\degree(?![a-zA-Z])"), ""),
    ("\\", re.compile(r"\\(?:times|cdot|ast)(?![a-zA-Z])"), "*"),
    ("\\div", re.compile(r"\\div(?![a-zA-Z])"), "÷"),
    ("\\approx", re.compile(r"\\approx(?![a-zA-Z])"), "≈"),
    ("\\pi", re.compile(r"\\pi(?![a-zA-Z])"), "π"),
    ("sqrt", re.compile(r"\\?\bsqrt(?:\[[^\]]{0,9}\])?\s?[({]?"), "√"),
    # emphasis by stars, but not a product: a star between two operands, or with a space on both sides
    ("*", re.compile(r"(?<![\w)\]}\s])\*{1,3}|(?<=\s)\*{1,3}(?=[^\s*])|\*{1,3}(?![\w($\\.\s\[{*-])"), ""),
    ("*", re.compile(r"(?<=\S)\*{1,3}(?=\s|\Z)"), ""),
    ("`", re.compile("`"), ""),
    ("_", re.compile(r"(?<![^\W_])_{1,3}|_{1,3}(?![^\W_{])"), ""),
    ("^", re.compile(r"(?<=[A-Za-z)}])\s?\^\s?(?:\{[^{}]{0,9}\}|-?\d{1,3})"), ""),  # cm^2
    ("_", re.compile(r"(?<=\w)_\{[^{}]{0,9}\}|(?<=[A-Za-z])_\d{1,3}(?!\w)|(?<=\d)_\d{1,2}(?!\w)"), ""),  # x_1, 121_3
    (" half", re.compile(r"(\d)\s+and\s+(?:a|one)\s+half\b"), r"\1 1/2"),
    ("/", re.compile(r"(\d)\s+and\s+(?=\d{1,3}\s?/\s?\d)"), r"\1 "),
    ("  ", re.compile(r"(?<=\S) {2,}"), " "),
    ("", re.compile(r"\b(?:USD|US|EUR|GBP|INR|CAD|AUD|CNY|RMB|JPY|Rs)(?=\d)"), ""),
]
"""Patterns and their replacements, applied in this order; a pattern is tried only on texts that hold its first entry."""


def spelt(text: str) -> str:
    """Return a text with 10³ as 10^3, 3½ as 3 1/2, and dashes and slashes of ASCII, which Unicode folding would not part."""
    if text.isascii():
        return text
    text = _POWER.sub(lambda match: "^" + match[0].translate(_RAISED), text)
    return _VULGAR_SIGN.sub(lambda match: f" {_VULGAR[match[0]]}", text).translate(_LIKE_ASCII)


def plain(text: str) -> str:
    """Return a text without what LaTeX and Markdown put into and around numbers."""
    if not text.isascii():
        text = _SQUARE.sub("", spelt(text))
    for sign, pattern, replacement in _TIDY:
        if sign in text:
            text = pattern.sub(replacement, text)
    return text


_GAP = "[ \u00a0\u202f\u2009]"
_NUMBER = re.compile(
    rf"""(?<![A-Za-z_\d\u00c0-\u024f\u0370-\u04ff])(?<!\d[.,])
    (?P<sign>-\s?|(?i:negative|minus)\s)?(?P<money>[$€£¥₹]\s?)?(?P<sign2>-\s?)?
    (?:
      (?P<bad>\d{{1,4}}[/.-]\d{{1,2}}[/.-]\d{{4}}(?!\d)|\d+(?::\d+){{2,}}|\d{{1,2}}/\d{{1,2}}/\d{{2}}(?!\d))
      |(?P<whole>
          [1-9]\d{{0,2}}(?:,\d{{3}})+(?!,?\d)|[1-9]\d?(?:,\d{{2}})+,\d{{3}}(?!,?\d)
          |[1-9]\d{{0,2}}(?:{_GAP}\d{{3}})+(?!{_GAP}?\d|\s?/)|[1-9]\d{{0,2}}(?:['’]\d{{3}})+(?!['’]?\d)
          |[1-9]\d{{0,2}}(?:\.\d{{3}}){{2,}}(?!\.?\d)|[1-9]\d{{0,2}}(?:\.\d{{3}})+(?=,\d{{1,2}}(?!\d))
          |[1-9]\d{{0,2}}(?:_\d{{3}})+(?!\w)
          |(?P<list>\d+(?:[,.]\d+){{2,}})
          |\d+
        )(?P<decimals>\.\d+|,\d{{1,2}}(?![\d,])|,\d{{4,}}(?![\d,])|(?<=\b0),\d+(?![\d,]))?
      |(?<![\w.])(?P<point>\.\d+)
    )
    (?:(?P<exponent>[eE][+-]?\d{{1,3}}\b)|\s?[×x*·⋅]\s?10\s?(?:\^|\*\*)\s?[{{(]?(?P<ten>[+-]?\d{{1,3}})[}})]?
      |\s?(?:\^|\*\*)\s?[{{(]?(?P<power>[+-]?\d{{1,4}})(?![\d/])[}})]?)?
    (?:(?P<mixed>\s\d{{1,9}})?\s?/\s?(?P<below>\d{{1,3}}(?:,\d{{3}})+(?!\d)|\d+(?:\.\d+)?)
      |(?P<colon>:|\s:\s)(?P<second>\d+)(?!\d|:\d)(?P<clock>\s?[aApP]\.?[mM]\b)?)?
    (?P<odd>\s?(?:√|π|∞|\^))?
    (?:\s?(?P<scale>%|(?i:percent|per\scent|pct|hundred|thousand|million|billion|trillion|lakh|crore|dozens?)\b
      |[百千万萬亿億])|(?P<letter>[kKM]|bn|mn)(?![\w&/^])|(?P<gap>\s?)(?P<large>(?i:[kmb]|bn|mn))(?![\w&/^]))?""",
    re.VERBOSE,
)
_OPERAND = re.compile(r"[\d)%}\]]\s*\Z")
_WORD_BEFORE = re.compile(r"(\w+)\s*\Z")
_COPULAS = ("is", "are", "be", "was", "were", "equals", "of", "to")


def numbers(text: str) -> list[TextNumber]:
    """Return the numbers of a text that `plain` has made, written in digits, in their order."""
    return [_number(match, text) for match in _NUMBER.finditer(text)]


def word_numbers(text: str) -> list[TextNumber]:
    """Return the numbers of a text that are written out."""
    return [TextNumber(start, end, value, lone=lone) for start, end, value, lone in written(text)]


def _number(match: re.Match[str], text: str) -> TextNumber:
    before = text[max(0, match.start() - 12) : match.start()]
    value = _value(match)
    if before.rstrip().endswith("√") or match["odd"]:
        value = None
    negative = match["sign2"] or (match["sign"] and _is_sign(match["sign"], before))
    scale, end = _scale(match)
    return TextNumber(match.start(), end, -value if value and negative else value, scale, bool(match["money"]))


def _is_sign(sign: str, before: str) -> bool:
    """Return whether a minus belongs to the number, or subtracts it from what stands before."""
    if _OPERAND.search(before):
        return False
    word = _WORD_BEFORE.search(before)
    return sign == "-" or sign[0] in "nN" or not word or word[1].lower() in _COPULAS


def _scale(match: re.Match[str]) -> tuple[str, int]:
    """Return the scale of a number, and where it ends: '$2 m' is two million, '2 m' are two metres."""
    if match["large"] and not match["money"]:
        return "", match.start("gap")
    word = " ".join((match["scale"] or match["letter"] or match["large"] or "").lower().split())
    return _SHORT.get(word, word), match.end()


def _value(match: re.Match[str]) -> Fraction | None:
    """Return the value of what was matched, without its sign and scale; None where it is no plain number."""
    if match["bad"] or match["list"] or len(match[0]) > LONGEST:
        return None
    whole = re.sub(r"[^\d]", "", match["whole"] or "0")
    value = Fraction(f"{whole}{(match['decimals'] or match['point'] or '').replace(',', '.')}")
    if match["exponent"] or match["ten"]:
        value *= Fraction(10) ** int((match["exponent"] or "")[1:] or match["ten"])
    elif match["power"]:
        power = int(match["power"])
        if not value or abs(power) * abs(log10(value)) > MOST_POWER:
            return None
        value **= power
    return _divided(value, match)


def _divided(value: Fraction, match: re.Match[str]) -> Fraction | None:
    """Return a fraction, a mixed number or a ratio; a full hour, such as 2:00, is its hour."""
    if match["second"]:
        second = int(match["second"])
        return value if not second else None if match["clock"] else value / second
    if not match["below"]:
        return value
    below = Fraction(match["below"].replace(",", ""))
    above = int(match["mixed"] or 0)
    if not below or above >= below:
        return None
    return value + above / below if match["mixed"] else value / below


_ARITHMETIC = re.compile(r"[\s($]*[\d.,]+(?:[\s)]*[-+*/×÷][\s(]*[\d.,]+){1,20}[\s).$]*")


def arithmetic(text: str) -> Fraction | None:
    """Return the value of a text that is nothing but a sum or a product of plain numbers; None for 5-10, a range."""
    if len(text) > LONGEST or not _ARITHMETIC.fullmatch(text) or not re.search("[+*/×÷]", text):
        return None
    code = text.strip(" .$\n").replace(",", "").replace("×", "*").replace("÷", "/")
    try:
        return _evaluated(ast.parse(code.replace(" ", ""), mode="eval").body)
    except (SyntaxError, ValueError, ZeroDivisionError):
        return None


_OPERATORS = {ast.Add: operator.add, ast.Sub: operator.sub, ast.Mult: operator.mul, ast.Div: operator.truediv}


def _evaluated(node: ast.expr) -> Fraction:
    if isinstance(node, ast.BinOp) and type(node.op) in _OPERATORS:
        result: Fraction = _OPERATORS[type(node.op)](_evaluated(node.left), _evaluated(node.right))
        return result
    if isinstance(node, ast.Constant) and type(node.value) in (int, float):
        return Fraction(str(node.value))
    raise ValueError(f"a sum or product must have numbers, but has {ast.dump(node)}")
