r"""The ways in which people and LLMs write mathematics, made one: ``2√3``, ``x²``, ``½``, ``\dfrac12`` and ``sqrt(2)`` become LaTeX."""

from __future__ import annotations

import re
import unicodedata

_SIGNS = {
    "\u2212\u2010\u2011\u2012\u2013\ufe63": "-",
    "\u00d7\u2a2f": r"\times ",
    "\u00b7\u22c5\u2219": r"\cdot ",
    "\u00f7": r"\div ",
    "\u2044\u2215": "/",
    "\u2236": ":",
    "\u2264\u2a7d": r"\le ",
    "\u2265\u2a7e": r"\ge ",
    "\u2260": r"\ne ",
    "\u2248\u2245": r"\approx ",
    "\u221e": r"\infty ",
    "\u222a": r"\cup ",
    "\u2229": r"\cap ",
    "\u2208": r"\in ",
    "\u2205": r"\emptyset ",
    "\u2216": r"\setminus ",
    "\u00b1": r"\pm ",
    "\u2213": r"\mp ",
    "\u00b0": r"^\circ ",
    "\u221a": r"\sqrt ",
    "\u221b": r"\sqrt[3] ",
    "\u211d": r"\mathbb{R}",
    "\u2124": r"\mathbb{Z}",
    "\u27e8\u2329": r"\langle ",
    "\u27e9\u232a": r"\rangle ",
    "\u2223": "|",
    "\u2026\u22ef": r"\ldots ",
    "\u2220": r"\angle ",
    "\u2032\u2019": "'",
    "\u00a0\u2009\u202f\u2002\u2003\u2007\u200a\t\r\n": " ",
    "\u200b\u2060\ufeff\u2061\u2062": "",
}
_GREEK = {chr(code): f"\\{name} " for name, code in (
    ("alpha", 0x3B1), ("beta", 0x3B2), ("gamma", 0x3B3), ("delta", 0x3B4), ("epsilon", 0x3B5), ("theta", 0x3B8),
    ("lambda", 0x3BB), ("mu", 0x3BC), ("pi", 0x3C0), ("rho", 0x3C1), ("sigma", 0x3C3), ("tau", 0x3C4), ("phi", 0x3C6),
    ("omega", 0x3C9), ("Delta", 0x394), ("Sigma", 0x3A3), ("Omega", 0x3A9),
)}  # fmt: skip
_TABLE = str.maketrans({sign: to for signs, to in _SIGNS.items() for sign in signs} | _GREEK)

_RAISED = dict(zip("⁰¹²³⁴⁵⁶⁷⁸⁹⁺⁻⁼⁽⁾ⁿⁱˣʸᵏ", "0123456789+-=()nixyk", strict=True))
_LOWERED = dict(zip("₀₁₂₃₄₅₆₇₈₉₊₋₌₍₎ₙₖₐₓᵢ", "0123456789+-=()nkaxi", strict=True))
_RUNS = (
    (re.compile(f"[{''.join(_RAISED)}]+"), "^", _RAISED),
    (re.compile(f"[{''.join(_LOWERED)}]+"), "_", _LOWERED),
)

_TEXT = r"\\(?:text|textbf|textit|textrm|textnormal|textsf|mbox|hbox|mathrm|mathbf|mathit|mathsf|operatorname|rm|bf)(?![a-zA-Z])\*?"
_NAMES = "pi|sqrt|infinity|infty|theta|alpha|beta|gamma|lambda|sin|cos|tan|sec|csc|cot|log|ln|exp|arcsin|arccos|arctan"

_RULES: list[tuple[re.Pattern[str], str]] = [
    (re.compile(r"\\(?:left|right|big|Big|bigg|Bigg|bigl|bigr|Bigl|Bigr|displaystyle|limits|mathstrut)(?![a-zA-Z])\.?"), ""),
    (re.compile(r"(?<!\\)\\[,;:> ]|\\q?quad(?![a-zA-Z])|~|\\(?:hspace|phantom|hphantom|vphantom)\{[^{}]*\}"), " "),
    (re.compile(r"\\!|\\[()\[\]](?!\\)|(?<!\\)\$"), ""),
    (re.compile(r"\\(?:\$|pounds|euro)|[$€£¥₹]"), ""),
    (re.compile(r"\{,\}"), ","),
    (re.compile(r"\\%"), "%"),
    (re.compile(r"\\[dtc]frac(?![a-zA-Z])"), r"\\frac"),
    (re.compile(r"\\(?:le|ge)(?:qslant|qq?)(?![a-zA-Z])"), lambda m: m[0][:3]),  # type: ignore[list-item]
    (re.compile(r"<=|=<"), r"\\le "),
    (re.compile(r">=|=>"), r"\\ge "),
    (re.compile(r"\\neq(?![a-zA-Z])|!=(?!=)|\\not\s?="), r"\\ne "),
    (re.compile(r"\\lt(?![a-zA-Z])"), "<"),
    (re.compile(r"\\gt(?![a-zA-Z])"), ">"),
    (re.compile(r"\\lbrace(?![a-zA-Z])"), r"\\{"),
    (re.compile(r"\\rbrace(?![a-zA-Z])"), r"\\}"),
    (re.compile(r"\\lbrack(?![a-zA-Z])"), "["),
    (re.compile(r"\\rbrack(?![a-zA-Z])"), "]"),
    (re.compile(r"\\(?:[lr]?vert|mid)(?![a-zA-Z])"), "|"),
    (re.compile(r"\\(?:backslash|smallsetminus)(?![a-zA-Z])"), r"\\setminus "),
    (re.compile(r"\\(?:varnothing|O)(?![a-zA-Z])"), r"\\emptyset "),
    (re.compile(r"\\(?:simeq|thickapprox)(?![a-zA-Z])"), r"\\approx "),
    (re.compile(r"\\(?:dots|cdots|dotsc)(?![a-zA-Z])|\.\.\."), r"\\ldots "),
    (re.compile(r"\^\s?\{?\s?\\circ\s?\}?|\\degree(?![a-zA-Z])"), r"^\\circ "),
    (re.compile(_TEXT + r"\s?\{"), r"\\text{"),
    (re.compile(r"\\(?:bar|overline)\s?(\d)"), r"\\overline{\1}"),
    (re.compile(r"\\bar\{"), r"\\overline{"),
    (re.compile(r"\*\*"), "^"),
    (re.compile(rf"(?<![a-zA-Z\\])({_NAMES})(?![a-zA-Z])"), r"\\\1"),
    (re.compile(r"(?<![a-zA-Z\\])(sin|cos|tan|log|ln|sqrt)(?=[(\d])"), r"\\\1"),
    (re.compile(r"\\infinity"), r"\\infty"),
    (re.compile(r"(?<![a-zA-Z\\])(?:oo|inf)(?![a-zA-Z])"), r"\\infty"),
    (re.compile(r"\\frac\s?(\d)\s?(\d)"), r"\\frac{\1}{\2}"),
    (re.compile(r"\\frac\s?(\d)\s?(?=\{)"), r"\\frac{\1}"),
    (re.compile(r"(\\frac\s?\{[^{}]*\})\s?(\d)"), r"\1{\2}"),
    (re.compile(r"\\sqrt\s?(\[[^\[\]]*\])?\s*(\d+(?:\.\d+)?|[a-zA-Z]|\\(?:pi|theta)(?![a-zA-Z]))"), r"\\sqrt\1{\2}"),
    (re.compile(r"(\^|\\sqrt)\s?(\\frac\s?\{[^{}]*\}\s?\{[^{}]*\})"), r"\1{\2}"),
    (re.compile(r"\\begin\{[bB]matrix\}"), r"\\begin{pmatrix}"),
    (re.compile(r"\\end\{[bB]matrix\}"), r"\\end{pmatrix}"),
    (re.compile(r"\s+"), " "),
]  # fmt: skip


def tidy(text: str) -> str:
    """Return a formula in plain LaTeX: one way to write each sign, no commands that only change how it looks."""
    text = _fractions(text)
    for run, mark, plain in _RUNS:
        text = run.sub(lambda match: f"{mark}{{{''.join(plain[sign] for sign in match[0])}}}", text)  # noqa: B023
    text = _unboxed(text.translate(_TABLE))
    for pattern, to in _RULES:
        text = pattern.sub(to, text)
    return _roots(text).lstrip(' ,;*`"\u201c').rstrip(' .,;*`"\u201d').removesuffix("\\").strip()


def squeeze(text: str) -> str:
    """Return a tidy formula without space and without the marks of text, to compare it with another as it stands."""
    return re.sub(r"\s", "", re.sub(r"\\text\{([^{}]*)\}", r"\1", text))


def _fractions(text: str) -> str:
    r"""Return the text with ``½`` as ``\frac{1}{2}``."""

    def fraction(match: re.Match[str]) -> str:
        above, _, below = unicodedata.normalize("NFKC", match[0]).partition("\u2044")
        return rf"\frac{{{above}}}{{{below}}}"

    return re.sub("[\u00bc-\u00be\u2150-\u215e]", fraction, text)


def _unboxed(text: str) -> str:
    """Return the text without boxes inside it."""
    for _ in range(5):
        match = re.search(r"\\(?:boxed|fbox)\s?\{", text)
        if not match:
            break
        end = closing(text, match.end() - 1)
        text = text[: match.start()] + text[match.end() : end] + text[end + 1 :]
    return text


def _roots(text: str) -> str:
    r"""Return the text with ``\sqrt(x+1)`` as ``\sqrt{x+1}``."""
    for _ in range(20):
        match = re.search(r"\\sqrt(?:\[[^\[\]]*\])?\s?\(", text)
        if not match:
            break
        start, end = match.end() - 1, closing(text, match.end() - 1)
        text = f"{text[:start].rstrip()}{{{text[start + 1 : end]}}}{text[end + 1 :]}"
    return text


def closing(text: str, start: int) -> int:
    """Return the place of the bracket that closes the one at a place; the end of the text where none does."""
    opens, closes, depth = text[start], {"(": ")", "{": "}", "[": "]"}[text[start]], 0
    for place in range(start, len(text)):
        depth += (text[place] == opens) - (text[place] == closes)
        if depth == 0:
            return place
    return len(text)
