"""Text groups: what counts as one text, whoever typed it.

Folded are case, white space, the width of letters and signs, the shape of quotes and dashes, and the punctuation of
sentences. What may carry a meaning stays: a decimal point, a sign of arithmetic, a bracket, a factorial, the quotes of a
number. So ``3.5`` is not ``35``, ``x - y`` not ``x + y``, ``5!`` not ``5`` and ``.NET`` not ``net``. A fold too many keeps
two queries on one side of a split; a fold too few lets one query be learnt and tested.
"""

from __future__ import annotations

import re
import unicodedata

_WIDTHS = {code: unicodedata.normalize("NFKC", chr(code)) for code in (0x3000, *range(0xFF01, 0xFFEF))}
"""Full-width Latin letters, digits and signs, and half-width Katakana, as they are by default."""

_SHAPES = str.maketrans(
    dict.fromkeys("\u2018\u2019\u201a\u201b\u2032\u00b4", "'")  # single quotes, prime, acute accent
    | dict.fromkeys("\u201c\u201d\u201e\u201f\u00ab\u00bb\u300c\u300d\u300e\u300f\u301d\u301e", "")  # double, corner
    | dict.fromkeys("\u2010\u2011\u2012\u2013\u2212", "-")  # hyphens, en dash, minus
    | dict.fromkeys("\u2014\u2015", " - ")  # em dash, bar
    | dict.fromkeys("\u3002\u3001\u30fb\u2026\u060c\u061b\u061f\u0964\u00bf\u00a1", " ")  # full stops and the like
    | dict.fromkeys("\u200b\u2060\ufeff\u00ad", "")  # what cannot be seen
)
"""Signs of one meaning and several shapes, and signs of other scripts that do nothing but punctuate."""

_SENTENCE = re.compile(
    r"""
      [,;:](?!=)(?:(?<!\d.)|(?!\d))                 # not within 1,000 or 10:30, nor :=
    | [.](?=[\s.?!,;:'")\]]|$)                      # not within 3.5 or e.g, nor before NET
    | [?](?=[\s.?!,;:'")]|[^\x00-\x7f]|$)
    | !(?<![\d)\]!].)(?<!(?<![\w'])[a-z].)!*(?=[\s.?!,;:'")]|[^\x00-\x7f]|$)  # not in 5!, n!, (a + b)! and !=
    """,
    re.VERBOSE,
)
"""Signs that only end or divide a sentence, in small letters."""

_QUOTED = re.compile(
    r"""(?:"(?<!\S.)(?=[^"]*[^\W\d_])([^"]*)"|'(?<!\S.)(?=[^']*[^\W\d_])((?:[^']|(?<=\w)'(?=\w))*)')(?=[\s.?!,;:)]|$)"""
)
"""A quotation that stands between spaces and holds a letter: neither the apostrophe in don't, nor the prime in y', nor code."""

_BETWEEN = re.compile(r"(?<=[\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff]) (?=[\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff])")
"""A space between signs of Chinese or Japanese, which are written without."""


def fold_width(text: str) -> str:
    """Return the text with letters and signs of default width, and accents joined to their letters."""
    return text if text.isascii() else unicodedata.normalize("NFC", text.translate(_WIDTHS))


def fold_text(text: str) -> str:
    """Return the normalised text, equal for all texts of one group."""
    folded = text if text.isascii() else fold_width(text).translate(_SHAPES)
    folded = folded.casefold()
    folded = _QUOTED.sub(lambda found: found[1] or found[2], folded)
    folded = " ".join(_SENTENCE.sub(" ", folded).split())
    if not folded.isascii():
        folded = _BETWEEN.sub("", folded)
    return folded or " ".join(text.casefold().split())  # a text of nothing but punctuation
