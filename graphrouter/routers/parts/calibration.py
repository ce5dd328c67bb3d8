"""Platt scaling: from the scores of a classifier to probabilities."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import ArrayLike

from graphrouter.routers.parts.arrays import as_probability
from graphrouter.routers.parts.fitted import Fitted
from graphrouter.routers.parts.new_llm import NewLLM
from graphrouter.typing import Array


@dataclass(eq=False)
class PlattScaling(Fitted):
    """A rising sigmoid of each LLM's score: ``p = 1 / (1 + exp(-(slope * score + intercept)))``, slope >= 0.

    Platt (1999), "Probabilistic outputs for support vector machines", with his smoothed targets: 1 becomes
    ``(n1 + 1) / (n1 + 2)`` and 0 becomes ``1 / (n0 + 2)``, where n1 and n0 count the two. A graded performance y counts
    as y of a success and 1 - y of a failure. An LLM without any outcome gets the sigmoid of all LLMs together.

    Attributes:
        shared: Whether one sigmoid serves all LLMs; for very few outcomes.
    """

    shared: bool = False

    def fit(self, scores: Array, performance: Array) -> Self:
        """Learn the sigmoids.

        Args:
            scores: [Q, M], finite.
            performance: [Q, M] in [0, 1], NaN where missing.
        """
        seen = ~np.isnan(performance)
        together = _sigmoid_of(scores[seen], performance[seen])
        columns = range(scores.shape[1])
        each = [
            _sigmoid_of(scores[seen[:, m], m], performance[seen[:, m], m])
            if not self.shared and seen[:, m].any()
            else together
            for m in columns
        ]
        self.slope_, self.intercept_ = np.array(each, dtype=np.float64).T.copy()
        return self

    def extend(self, new_llm: NewLLM) -> PlattScaling:
        """Return the sigmoids with that of one LLM more, the mean of the others': it has no scores to learn one from."""
        extended = PlattScaling(self.shared)
        extended.slope_ = new_llm.insert(self.slope_, self.slope_.mean())
        extended.intercept_ = new_llm.insert(self.intercept_, self.intercept_.mean())
        return extended

    def apply(self, scores: Array) -> Array:
        """Return the probabilities, float32 in (0, 1), of scores [Q, M]."""
        from scipy.special import expit

        return as_probability(expit(self.slope_ * scores + self.intercept_))


def _sigmoid_of(scores: Array, performance: Array) -> tuple[float, float]:
    """Return slope and intercept of the least cross entropy; without any score, of probability one half."""
    from scipy.optimize import minimize
    from scipy.special import expit

    successes, failures = performance.sum(dtype=np.float64), (1.0 - performance).sum(dtype=np.float64)
    targets = performance * (successes + 1) / (successes + 2) + (1 - performance) / (failures + 2)
    centre, scale = (scores.mean(), scores.std()) if len(scores) else (0.0, 1.0)
    if scale <= 1e-9 * abs(centre):  # all scores are equal, but for rounding
        scale = 1.0
    inputs = (scores - centre) / scale

    def loss(line: ArrayLike) -> tuple[float, Array]:
        slope, intercept = np.asarray(line)
        logits = slope * inputs + intercept
        error = expit(logits) - targets
        return float((np.logaddexp(0, logits) - targets * logits).sum()), np.array([error @ inputs, error.sum()])

    slope, intercept = minimize(loss, (1.0, 0.0), jac=True, method="L-BFGS-B", bounds=((0, None), (None, None))).x
    if not len(scores):
        return 0.0, 0.0
    return slope / scale, intercept - slope * centre / scale
