"""Near-duplicates: how many test queries have a training query that is spelled nearly alike."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from graphrouter.errors import UserError
from graphrouter.log import LLMLog
from graphrouter.splits import by_query, text_digest
from graphrouter.text_groups import fold_text

COSINE = 0.9
"""Queries this alike differ in a few words: in a name, a number, or an option."""
GRAM = 5
"""Characters in a row that are counted: shorter ones are alike in all texts of a language."""
SAMPLE = 1000
"""Test queries that are looked at: enough for a standard error below 0.01 at shares below 0.1."""
MOST_TRAIN = 20_000
"""Training queries that they are compared with; of more, a sample, which makes the figure a lower bound."""
CHARACTERS = 4000
"""Of each text so many are looked at, so that long prompts take no longer."""
BLOCK = 100
FEATURES = 2**18


def near_duplicates(log: LLMLog, seed: int = 0) -> float:
    """Return the share of test queries with a cosine of `COSINE` or more, in counts of `GRAM` characters, to a training query.

    Args:
        log: Divided by `graphrouter.splits.by_query`, with rare tasks pooled.
        seed: Seed of the split and the sample.

    Returns:
        A share in [0, 1]; NaN where the log is too small to be divided.
    """
    try:
        split = by_query(replace(log, rare_tasks="pool"), seed)
    except UserError:
        return float("nan")
    from sklearn.feature_extraction.text import HashingVectorizer

    texts = log.queries["query"]
    counter = HashingVectorizer(
        analyzer="char", ngram_range=(GRAM, GRAM), n_features=FEATURES, alternate_sign=False, lowercase=False
    )
    test, train = (
        counter.transform([fold_text(texts[row][:CHARACTERS]) for row in _sample(texts.to_list(), rows, most, seed)])
        for rows, most in ((split.test, SAMPLE), (split.train, MOST_TRAIN))
    )
    turned = train.T.tocsr()
    nearest = [
        (test[start : start + BLOCK] @ turned).max(axis=1).toarray().ravel() for start in range(0, test.shape[0], BLOCK)
    ]
    return float((np.concatenate(nearest) >= COSINE).mean())


def _sample(texts: list[str], rows: np.ndarray, most: int, seed: int) -> list[int]:
    """Choose rows by a hash of their text, so that neither row order nor chance has a say."""
    if len(rows) <= most:
        return [int(row) for row in rows]
    return sorted(rows.tolist(), key=lambda row: text_digest(f"{seed}/{texts[row]}"))[:most]
