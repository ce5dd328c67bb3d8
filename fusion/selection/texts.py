"""Text as the rules compare it."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Sequence

from graphrouter.text_groups import fold_width

WORDS = re.compile(r"\w+|[-+*/=<>^%]")
"""Runs of letters and digits, and the signs of arithmetic, which alone tell many questions apart."""

NUMBERS = re.compile(r"\d+")
SHINGLE = 3
"""Words in a run, of which two texts' common ones are counted; see ``overlap`` of `SelectionSettings`. Not tuned."""

CHARS_PER_TOKEN = 4
"""The usual rough estimate for English text."""


def words(text: str) -> list[str]:
    """Return the words of a text in lower case; punctuation is left out."""
    return WORDS.findall(fold_width(text).casefold())


def numbers(text: str) -> list[str]:
    """Return the numbers in a text, sorted. Sentence encoders hardly tell them apart."""
    return sorted(NUMBERS.findall(fold_width(text)))


def ngrams(sequence: Sequence[str], length: int) -> Iterator[str]:
    """Yield all runs of so many words, each as one text."""
    for start in range(len(sequence) - length + 1):
        yield " ".join(sequence[start : start + length])


def shingles(text: str) -> frozenset[str]:
    """Return the word triples of a text; a shorter text is one shingle."""
    found = words(text)
    return frozenset(ngrams(found, min(SHINGLE, len(found)))) if found else frozenset([text])


def alike(first: frozenset[str], second: frozenset[str], overlap: float) -> bool:
    """Say whether two sets of shingles have so high a Jaccard index (Broder, On the resemblance of documents, 1997)."""
    small, large = sorted((len(first), len(second)))
    if small < overlap * large:
        return False
    common = len(first & second)
    return common >= overlap * (len(first) + len(second) - common)


def draw(seed: int, *key: object) -> str:
    """Return a random sort key: a hash of the seed and the key, so that neither order nor other rows matter."""
    return hashlib.sha256("/".join(map(str, (seed, *key))).encode()).hexdigest()[:16]
