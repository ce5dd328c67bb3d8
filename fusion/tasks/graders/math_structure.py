r"""A mathematical answer taken apart: lists, tuples, sets, intervals, unions, matrices, and what a name equals.

What is left of it are single expressions, as tidy LaTeX; `fusion.tasks.graders.math_worker` compares these.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from itertools import product

from fusion.tasks.graders.math_text import tidy


@dataclass(frozen=True)
class Items:
    """Several expressions that stand together.

    Attributes:
        kind: ``list`` and ``or`` for what no brackets enclose, ``either`` (an expression and what it is about), ``union``, ``without`` (a set without another), ``:`` (a ratio),
            ``matrix`` with parts of kind ``row``, else the brackets: ``()``, ``[]``, ``[)``, ``(]``, ``{}``, ``<>``.
        parts: In order.
    """

    kind: str
    parts: tuple[Node, ...]


@dataclass(frozen=True)
class Named:
    """Both sides of an equals sign: of several the first and the last."""

    name: str
    value: Node


Node = str | Items | Named

_TOKEN = re.compile(r"\\(?:begin|end)\{\w+\*?\}|\\[a-zA-Z]+|\\.|.", re.DOTALL)
_OPEN = {"(": "(", "[": "[", "{": "", r"\{": "{", r"\langle": "<", r"\lfloor": "", r"\lceil": ""}
_CLOSE = {")": ")", "]": "]", "}": "", r"\}": "}", r"\rangle": ">", r"\rfloor": "", r"\rceil": ""}

_UNION = re.compile(r"\\cup(?![a-zA-Z])")
_WITHOUT = re.compile(r"\\setminus(?![a-zA-Z])")
_WORD = r"(?:\\text\{\s*,?\s*(?:and|or)\s*\}|(?<![a-zA-Z])(?:and|or)(?![a-zA-Z])|\\(?:lor|vee|land|wedge)(?![a-zA-Z]))"
_COMMA = re.compile(rf"\s*(?:[,;]\s*{_WORD}?|\\text\{{\s*,\s*\}}|{_WORD}|\\\\)\s*")
_OR = re.compile(r"(?<![a-zA-Z])or(?![a-zA-Z])|\\lor|\\vee")
_EQUALS = re.compile(r"(?<![<>!:=])=(?!=)|\\equiv(?![a-zA-Z])")
_ABOUT = re.compile(r"\\approx(?![a-zA-Z])")
_COLON = re.compile(r":")
_IN = re.compile(r"[a-zA-Z](?:_\{?\w\}?)?(?:\([a-z]\))?\s?\\in(?![a-zA-Z])\s?")
_MATRIX = re.compile(r"\\begin\{(?:pmatrix|array)\}(?:\{[^{}]*\})?(.*)\\end\{(?:pmatrix|array)\}", re.DOTALL)
_THOUSANDS = re.compile(r"(?<![\d.,])[1-9]\d{0,2}(?:,\d{3})+(?!\d|,\d)")
_SIGN = re.compile(r"\\(?:pm|mp)(?![a-zA-Z])")
_MOST_SIGNS = 3
RELATION = re.compile(r"[<>]|\\(?:le|ge|ne)(?![a-zA-Z])")


def read(text: str) -> tuple[Node, Node]:
    """Return a text with its thousands' commas as such, and as separators; mostly the same."""
    text = _french(tidy(text))
    return node(_join_thousands(text)), node(text)


def node(text: str) -> Node:
    """Return a tidy text taken apart."""
    said = re.fullmatch(r"\\text\{([^{}]*)\}", text.strip())
    if said and re.search(r"\d|,|\b(?:and|or)\b", said[1]):
        text = said[1]  # text that holds more than words
    text = _IN.sub("", text.strip(" ,;"), count=1) if _IN.match(text.strip()) else text.strip(" ,;")
    for kind, separator in (("union", _UNION), ("without", _WITHOUT)):
        parts = split(text, separator)
        if len(parts) > 1:
            return Items(kind, tuple(map(node, parts)))
    parts = [part for part in split(text, _COMMA) if part.strip()]
    signed = [one for part in parts for one in _both_signs(part)]
    if len(signed) > 1:
        return Items("or" if _OR.search(text) else "list", tuple(map(_single, signed)))
    return _single(text)


def _single(text: str) -> Node:
    """Parse a text without commas."""
    text = text.strip()
    about = [part for part in split(text, _ABOUT) if part.strip()]
    if len(about) > 1:
        return Items("either", tuple(map(_single, about)))
    sides = split(text, _EQUALS)
    if len(sides) > 1 and sides[0].strip() and sides[-1].strip() and not RELATION.search(text):
        return Named(sides[0].strip(), node(sides[-1]))
    ratio = split(text, _COLON)
    if len(ratio) > 1 and all(part.strip() for part in ratio):
        return Items(":", tuple(map(_single, ratio)))
    matrix = _MATRIX.fullmatch(text)
    if matrix and "\\begin" not in matrix[1]:
        rows = [row for row in matrix[1].split("\\\\") if row.strip()]
        return Items("matrix", tuple(Items("row", tuple(map(_single, row.split("&")))) for row in rows))
    return _bracketed(text)


def _bracketed(text: str) -> Node:
    """Return the content of one enclosing pair of brackets, or the expression."""
    tokens = _TOKEN.findall(text)
    if len(tokens) < 3 or tokens[0] not in _OPEN or tokens[-1] not in _CLOSE or _first_close(tokens) < len(tokens) - 1:
        return text
    kind = _OPEN[tokens[0]] + _CLOSE[tokens[-1]]
    inner = text[len(tokens[0]) : -len(tokens[-1])]
    if kind in ("", "("):
        return node(inner) if tokens[0] == "{" else text
    if kind == "{}" and (condition := re.fullmatch(r"[^|:]*(?:\||:)(.*)", inner)):
        return node(condition[1])  # the set of all that fulfil it
    parts = [part for part in split(inner, _COMMA) if part.strip()]
    if kind == "()" and len(parts) < 2:
        return node(inner)
    return Items(kind, tuple(node(one) for part in parts for one in _both_signs(part)))


def _first_close(tokens: list[str]) -> int:
    """Return at which token the first bracket is closed."""
    depth = 0
    for place, token in enumerate(tokens):
        depth += (token in _OPEN or token.startswith("\\begin")) - (token in _CLOSE or token.startswith("\\end"))
        if depth == 0:
            return place
    return len(tokens)


def split(text: str, separator: re.Pattern[str]) -> list[str]:
    """Split a text where a separator stands outside of all brackets."""
    parts, depth, start, place = [], 0, 0, 0
    while place < len(text):
        found = separator.match(text, place) if depth <= 0 else None
        if found and found.end() > place:
            parts.append(text[start:place])
            start = place = found.end()
            continue
        token = _TOKEN.match(text, place)
        assert token
        depth += (token[0] in _OPEN or token[0].startswith("\\begin")) - (
            token[0] in _CLOSE or token[0].startswith("\\end")
        )
        place = token.end()
    return [*parts, text[start:]]


def _both_signs(text: str) -> list[str]:
    r"""Return the expressions that ``\pm`` stands for; ``\mp`` has the other sign."""
    count = len(_SIGN.findall(text))
    if not 0 < count <= _MOST_SIGNS:
        return [text]
    together = r"\mp" in text
    found = []
    for signs in product("+-", repeat=1 if together else count):
        rest = iter(signs * count if together else signs)

        def sign(match: re.Match[str], rest: object = rest) -> str:
            plus = next(rest) == "+"  # type: ignore[call-overload]
            return "+" if plus == (match[0] == r"\pm") else "-"

        one = _SIGN.sub(sign, text).strip()
        found.append(re.sub(r"(^|[(=,{])\s*\+", r"\1", one))
    return found


def _join_thousands(text: str) -> str:
    """Return the text without commas between thousands, where they can be meant as such.

    In brackets, ``(1,200)`` is a pair; only where other commas are followed by space are commas without it those of thousands.
    """
    spaced = re.search(r",\s", text)
    depths, depth = [], 0
    for token in _TOKEN.findall(text):
        depth += (_OPEN.get(token, "") != "") - (_CLOSE.get(token, "") != "")
        depths += [depth] * len(token)

    def join(match: re.Match[str]) -> str:
        return match[0].replace(",", "") if depths[match.start()] <= 0 or spaced else match[0]

    return _THOUSANDS.sub(join, text)


def _french(text: str) -> str:
    """Return ``]a, b[`` as ``(a, b)``."""
    match = re.fullmatch(r"([\[\]])([^\[\]]*[,;][^\[\]]*)([\[\]])", text)
    if not match or match[1] + match[3] == "[]":
        return text
    return f"{'(' if match[1] == ']' else '['}{match[2]}{')' if match[3] == '[' else ']'}"
