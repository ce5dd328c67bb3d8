"""Rules that keep queries away which are too close to those that the student is to be evaluated on."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence

import numpy as np
import polars as pl

from fusion.selection.inputs import SelectionInputs
from fusion.selection.texts import ngrams, numbers, words
from graphrouter.nearest import within
from graphrouter.typing import Array

SHORTEST = 8
"""Fewest words in a row that count as a copy, as in GPT-3's decontamination."""

BOILERPLATE = 10
"""A run of `SHORTEST` words in more different texts than this is part of a prompt, and no sign of a copy. Not tuned."""

CHUNK = 4096
"""Queries that are compared with all others at once, to bound the memory."""


def no_shared_ngram(rows: pl.DataFrame, inputs: SelectionInputs) -> pl.DataFrame:
    """Drop queries that share words in a row with an evaluation query.

    After Brown et al., Language models are few-shot learners (arXiv:2005.14165), appendix C: runs of 13 words, fewer where
    an evaluation query is shorter, but 8 or more, and what is common to many texts does not count.
    """
    queries = rows.select("query_id", "query").unique("query_id").sort("query_id")
    found = shares_ngram(queries["query"].to_list(), inputs.evaluation_texts, inputs.settings.ngram)
    return rows.join(queries.filter(found), on="query_id", how="anti", maintain_order="left")


def shares_ngram(texts: Sequence[str], evaluation: Sequence[str], length: int) -> Array:
    """Say which texts share a run of words with an evaluation text.

    The wording of prompts (see `BOILERPLATE`) is left out first, so that it is not half of a run.

    Args:
        texts: N texts.
        evaluation: One of ``length`` words or more is compared by its runs of that length; one of `SHORTEST` words or more
            must occur in a text whole; a shorter one must be the text.
        length: Words in a run.

    Returns:
        [N] bool.
    """
    own, others = [words(text) for text in texts], [words(text) for text in evaluation]
    common = _common_runs([*own, *others])
    runs: set[str] = set()
    whole: set[str] = set()
    lengths: set[int] = set()
    for sequence in others:
        content = _without(sequence, common)
        if len(content) < SHORTEST:
            whole.add(" ".join(sequence))
        else:
            lengths.add(size := min(length, len(content)))
            runs.update(ngrams(content, size))

    def copied(sequence: list[str]) -> bool:
        content = _without(sequence, common)
        return " ".join(sequence) in whole or any(run in runs for size in lengths for run in ngrams(content, size))

    return np.array([copied(sequence) for sequence in own], dtype=bool)


def _common_runs(texts: Iterable[list[str]]) -> set[str]:
    """Return the runs of `SHORTEST` words that are the wording of prompts."""
    counts: Counter[str] = Counter()
    for text in dict.fromkeys(map(tuple, texts)):
        counts.update(set(ngrams(text, SHORTEST)))
    return {run for run, count in counts.items() if count > BOILERPLATE}


def _without(sequence: list[str], common: set[str]) -> list[str]:
    """Return the words that are in no common run."""
    covered = np.zeros(len(sequence), dtype=bool)
    for start, run in enumerate(ngrams(sequence, SHORTEST)):
        if run in common:
            covered[start : start + SHORTEST] = True
    return [word for word, is_covered in zip(sequence, covered, strict=True) if not is_covered]


def no_near_vector(rows: pl.DataFrame, inputs: SelectionInputs) -> pl.DataFrame:
    """Drop queries whose vector is close to that of an evaluation query with the same numbers.

    Encoders put questions that differ only in their numbers next to each other; a rewording keeps the numbers.
    """
    queries = rows.select("query_id", "query").unique("query_id").sort("query_id")
    vectors = inputs.prepared.vectors[0][[inputs.row_of[query_id] for query_id in queries["query_id"]]]
    texts = (queries["query"].to_list(), inputs.evaluation_texts)
    found = near(vectors, inputs.evaluation_vectors, *texts, inputs.settings.similarity)
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
    close = within(vectors, others, similarity, block=CHUNK)
    return np.array([(other_codes[rows] == code).any() for rows, code in zip(close, codes, strict=True)], dtype=bool)
