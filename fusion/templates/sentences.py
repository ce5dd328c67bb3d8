"""Texts by sentence: splitting and shortening."""

from __future__ import annotations

import math
import re
from collections.abc import Callable

Count = Callable[[str], int]
"""Tokens of a text. The count of a part is never above that of the whole."""

GAP = "[...]"
"""Stands where sentences were left out."""

BYTES_PER_TOKEN = 3
"""For an LLM whose tokenizer is not at hand: English has about four bytes a token, formulas and code fewer."""

_SHORT_FORMS = (
    *("e.g", "i.e", "etc", "vs", "cf", "al", "approx", "fig", "eq", "no", "vol", "st", "mr", "mrs", "ms", "dr", "prof"),
    *("jr", "sr", "inc", "ltd", "co", "corp", "sec", "art", "p", "pp"),
)
_END = re.compile(r"""(?:(?<=[.!?])|(?<=[.!?]["')\]]))\s+(?=["'(\[*$\\]*[A-Z0-9])|(?<=[。！？])|\n+""")
_LAST_WORD = re.compile(r"([\w.]*\w)\.$")


def estimate_tokens(text: str) -> int:
    """Estimate the tokens of a text, rather too high than too low."""
    return math.ceil(len(text.encode(errors="replace")) / BYTES_PER_TOKEN)


def split_sentences(text: str) -> list[str]:
    """Split a text at its sentences' ends and its line ends; no piece is empty.

    A short form such as "e.g." or a single capital ("J. Doe") ends no sentence.
    """
    sentences: list[str] = []
    open_ended = False
    begin = 0
    for end in [*_END.finditer(text), None]:
        piece = text[begin : end.start() if end else len(text)].strip()
        if piece and open_ended:
            sentences[-1] += f" {piece}"
        elif piece:
            sentences.append(piece)
        if end and sentences:
            open_ended = "\n" not in end.group() and _is_short_form(sentences[-1])
        begin = end.end() if end else begin
    return sentences


def _is_short_form(sentence: str) -> bool:
    last = _LAST_WORD.search(sentence)
    if not last:
        return False
    word = last[1]
    return word.lower() in _SHORT_FORMS or (len(word) == 1 and word.isupper()) or "." in word[-2:-1]


def shorten(text: str, limit: int, count: Count = estimate_tokens) -> str:
    """Shorten a text to a number of tokens, by sentence, from the middle: its beginning and its end stay.

    Args:
        text: One that fits comes back as it is.
        limit: Most tokens, the mark `GAP` included. Where not even one sentence fits, the first is cut by words.
        count: Tokens of a text.
    """
    if count(text) <= limit:
        return text
    sentences = split_sentences(text)
    best = ""
    low, high = 1, len(sentences) - 1
    while low <= high:
        kept = (low + high) // 2
        tried = _ends(sentences, kept)
        if count(tried) <= limit:
            best, low = tried, kept + 1
        else:
            high = kept - 1
    return best or _cut_words(sentences[0] if sentences else "", limit, count)


def _ends(sentences: list[str], kept: int) -> str:
    """Return so many sentences, from the beginning and the end in equal parts, with a mark between."""
    head = (kept + 1) // 2
    tail = sentences[len(sentences) - (kept - head) :]
    return "\n".join([*sentences[:head], GAP, *tail])


def _cut_words(sentence: str, limit: int, count: Count) -> str:
    words = sentence.split()
    low, high = 0, len(words)
    while low < high:
        kept = (low + high + 1) // 2
        if count(" ".join([*words[:kept], GAP])) <= limit:
            low = kept
        else:
            high = kept - 1
    return " ".join([*words[:low], GAP]) if low else ""
