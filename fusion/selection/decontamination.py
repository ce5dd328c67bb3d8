"""Rules that keep queries away which are too close to those that the student is to be evaluated on."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence

import numpy as np
import polars as pl

from fusion.selection.context import Array, Context
from fusion.selection.texts import ngrams, numbers, words

SHORTEST = 8
"""An evaluation query of fewer words is compared whole, as in GPT-3's decontamination."""

BOILERPLATE = 10
"""A run of words that occurs in more queries than this is the wording of a prompt, and no sign of a copy."""

CHUNK = 4096


def no_shared_ngram(rows: pl.DataFrame, context: Context) -> pl.DataFrame:
    """Drop queries that share words in a row with an evaluation query.

    After Brown et al., Language models are few-shot learners (arXiv:2005.14165), appendix C: runs of 13 words, fewer where
    an evaluation query is shorter, but 8 or more, and runs that are common to many texts do not count.
    """
    queries = rows.select("query_id", "query").unique("query_id").sort("query_id")
    found = shares_ngram(queries["query"].to_list(), context.evaluation_texts, context.settings.ngram)
    return rows.join(queries.filter(found), on="query_id", how="anti", maintain_order="left")


def shares_ngram(texts: Sequence[str], evaluation: Iterable[str], length: int) -> Array:
    """Say which texts share a run of words with an evaluation text.

    Args:
        texts: N texts.
        evaluation: One of ``length`` words or more is compared by its runs of that length; one of `SHORTEST` words or more
            must occur in a text whole; a shorter one must be the text.
        length: Words in a run.

    Returns:
        [N] bool. A run in more than `BOILERPLATE` different texts on one of the sides does not count.
    """
    runs: Counter[str] = Counter()
    whole: set[str] = set()
    lengths = set()
    for sequence in _different(evaluation):
        size = min(length, len(sequence))
        if size < SHORTEST:
            whole.add(" ".join(sequence))
            continue
        lengths.add(size)
        runs.update(set(ngrams(sequence, size)))
    kept = {run for run, count in runs.items() if count <= BOILERPLATE}
    split = [words(text) for text in texts]
    shared = [{run for size in lengths for run in ngrams(sequence, size) if run in kept} for sequence in split]
    here: Counter[str] = Counter()
    for joined in {" ".join(sequence): found for sequence, found in zip(split, shared, strict=True)}.values():
        here.update(joined)
    return np.array(
        [
            " ".join(sequence) in whole or any(here[run] <= BOILERPLATE for run in found)
            for sequence, found in zip(split, shared, strict=True)
        ],
        dtype=bool,
    )


def no_near_vector(rows: pl.DataFrame, context: Context) -> pl.DataFrame:
    """Drop queries whose vector is close to that of an evaluation query with the same numbers.

    Encoders put questions that differ only in their numbers next to each other; a rewording keeps the numbers.
    """
    queries = rows.select("query_id", "query").unique("query_id").sort("query_id")
    vectors = context.vectors[[context.row_of[query_id] for query_id in queries["query_id"]]]
    texts = (queries["query"].to_list(), context.evaluation_texts)
    found = near(vectors, context.evaluation_vectors, *texts, context.settings.similarity)
    return rows.join(queries.filter(found), on="query_id", how="anti", maintain_order="left")


def near(vectors: Array, others: Array, texts: Sequence[str], other_texts: Sequence[str], similarity: float) -> Array:
    """Say which vectors have a neighbour whose text holds the same numbers.

    Args:
        vectors: [N, D], rows of length 1.
        others: [E, D], likewise.
        texts: N texts.
        other_texts: E texts.
        similarity: Least cosine of a neighbour.

    Returns:
        [N] bool.
    """
    same = {text: code for code, text in enumerate({" ".join(numbers(text)) for text in [*texts, *other_texts]})}
    codes, other_codes = (np.array([same[" ".join(numbers(text))] for text in side]) for side in (texts, other_texts))
    found = np.zeros(len(vectors), dtype=bool)
    for start in range(0, len(vectors), CHUNK):
        part = slice(start, start + CHUNK)
        close = vectors[part] @ others.T >= similarity
        found[part] = (close & (codes[part, None] == other_codes)).any(axis=1)
    return found


def _different(texts: Iterable[str]) -> list[list[str]]:
    """Return the words of each different wording."""
    return [joined.split() for joined in dict.fromkeys(" ".join(words(text)) for text in texts)]
