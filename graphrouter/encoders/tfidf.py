"""TF-IDF with SVD: an encoder that needs no download and learns from the training split."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Self

import numpy as np

from graphrouter.encoders.base import Encoder, unit_rows
from graphrouter.errors import UserError
from graphrouter.typing import Array

if TYPE_CHECKING:
    from graphrouter.log import LLMLog

TOKENS = r"[\u3400-\u9fff]|[^\W\u3400-\u9fff]+|[^\w\s]"
"""Words, signs, and single Chinese characters: the signs of formulas and code say a lot about a query."""

MOST_TERMS = 20_000


class TfidfEncoder(Encoder):
    """Latent semantic analysis: TF-IDF of words and pairs of words, then truncated SVD.

    Source: Deerwester et al., Indexing by latent semantic analysis, JASIS 41(6), 1990; scikit-learn's
    ``TfidfVectorizer`` with sublinear term frequency, and ``TruncatedSVD``.

    Args:
        dimensions: D. Fewer come out where the training texts are too few or too alike to span so many.
    """

    def __init__(self, dimensions: int = 128) -> None:
        if dimensions < 1:
            raise UserError(f"tfidf must have 1 dimension or more, but {dimensions} was asked for; try tfidf:128")
        self.dimensions = dimensions
        self.spec = f"tfidf:{dimensions}"

    def fit(self, texts: Sequence[str]) -> Self:
        """Learn the vocabulary, its weights and the SVD.

        Raises:
            UserError: If the texts hold fewer than two different words.
        """
        from sklearn.decomposition import TruncatedSVD

        vectoriser = _vectoriser(max_features=MOST_TERMS)
        try:
            counts = vectoriser.fit_transform(texts)
        except ValueError:
            counts = None
        if counts is None or counts.shape[1] < 2:
            raise UserError(
                "tfidf must see two different words or more in the training queries, but saw fewer; use another encoder"
            )
        rank = max(1, min(self.dimensions, counts.shape[0] - 1, counts.shape[1] - 1))
        svd = TruncatedSVD(rank, random_state=0).fit(counts)
        terms = sorted(vectoriser.vocabulary_, key=vectoriser.vocabulary_.__getitem__)
        axes = np.ascontiguousarray(svd.components_.T, dtype=np.float32)
        return self.set_state({"terms": terms, "idf": vectoriser.idf_, "axes": axes})

    def encode(self, texts: Sequence[str], *, progress: bool = False, keep: bool = True) -> Array:
        """Encode texts; one without any known word gets the zero vector."""
        if not hasattr(self, "_fitted"):
            raise UserError("tfidf must be fitted on training queries before it encodes; call fit(texts) first")
        if not len(texts):
            return np.empty((0, self._axes.shape[1]), dtype=np.float32)
        return unit_rows(self._fitted.transform(texts) @ self._axes)

    @property
    def id(self) -> str:
        """The dimensions, and once fitted a hash of what was learnt."""
        return f"{self.spec}:{self._digest}" if hasattr(self, "_fitted") else self.spec

    def given(self, log: LLMLog) -> str:
        """Return the dimensions: the rest is learnt from the log."""
        return self.spec

    def get_state(self) -> dict[str, Any]:
        """Return terms (V), idf [V] and axes [V, D]."""
        return self._state

    def set_state(self, state: dict[str, Any]) -> Self:
        """Rebuild from `get_state`; the same state gives the same bits."""
        fitted = _vectoriser(vocabulary={term: column for column, term in enumerate(state["terms"])})
        fitted.idf_ = state["idf"]
        digest = hashlib.sha256("\0".join(state["terms"]).encode())
        digest.update(np.ascontiguousarray(state["idf"]).tobytes() + np.ascontiguousarray(state["axes"]).tobytes())
        self._state, self._fitted, self._axes, self._digest = state, fitted, state["axes"], digest.hexdigest()[:16]
        return self


def _vectoriser(**options: Any) -> Any:
    from sklearn.feature_extraction.text import TfidfVectorizer

    return TfidfVectorizer(token_pattern=TOKENS, ngram_range=(1, 2), sublinear_tf=True, dtype=np.float32, **options)
