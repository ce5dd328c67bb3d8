"""RouteLLM's similarity-weighted ranking: a Bradley-Terry model fitted anew for every query."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar, Self

import numpy as np

from graphrouter.dataset import Queries, RoutingData
from graphrouter.ranges import POSITIVE, Range
from graphrouter.routers.base import Prediction, Router
from graphrouter.routers.parts.arrays import unit_rows
from graphrouter.routers.parts.calibration import PlattScaling
from graphrouter.routers.parts.task_means import TaskMeans
from graphrouter.typing import Array

CHUNK = 512
"""Queries per matrix of similarities, to bound the memory."""


def pairwise_wins(performance: Array) -> Array:
    """Compare every two LLMs on every query.

    Args:
        performance: [N, M], NaN where missing.

    Returns:
        [N, M, M] float32: 1 where the LLM of the row did better than that of the column, 0.5 where they tie, 0 where
        it did worse, where one of them is missing, and on the diagonal.
    """
    ours, theirs = performance[:, :, None], performance[:, None, :]
    # A comparison with NaN is false, so a missing cell neither wins nor ties.
    wins = (ours > theirs) + np.float32(0.5) * (ours == theirs)
    wins[:, np.arange(performance.shape[1]), np.arange(performance.shape[1])] = 0
    return wins.astype(np.float32)


def bradley_terry(wins: Array, prior: float, steps: int = 50, tolerance: float = 1e-10) -> Array:
    """Fit Bradley-Terry models by Newton's method, many at once.

    Maximises ``sum over a, b of (wins[a, b] + prior / 2) * log sigmoid(s[a] - s[b])``. It is concave, and the prior's
    ties make the maximum finite where an LLM always wins.

    Args:
        wins: [Q, M, M] weighted wins of the row over the column.
        prior: Ties that are added to every pair.
        steps: At most so many Newton steps.
        tolerance: Stop when no score moves further.

    Returns:
        [Q, M] float64 scores in natural log-odds, with mean 0.
    """
    count = wins.shape[1]
    wins = wins.astype(np.float64) + prior / 2 * (1 - np.eye(count))
    games = wins + wins.transpose(0, 2, 1)
    score = np.zeros(wins.shape[:2])
    for _ in range(steps):
        odds = 1 / (1 + np.exp(score[:, None, :] - score[:, :, None]))
        gradient = (wins - games * odds).sum(axis=2)
        curvature = games * odds * (1 - odds)
        # Only differences of scores count. Adding 1 everywhere removes that freedom and keeps the mean at 0.
        hessian = curvature.sum(axis=2)[:, :, None] * np.eye(count) - curvature + 1
        move = np.clip(np.linalg.solve(hessian, gradient[:, :, None])[:, :, 0], -2, 2)
        score += move
        if np.abs(move).max(initial=0) < tolerance:
            break
    return score - score.mean(axis=1, keepdims=True)


@dataclass(eq=False)
class RouteLLM(Router):
    """Similarity-weighted ranking, from two to M LLMs.

    A training query q' counts ``gamma ** (1 + cos(q, q') / max over q'' of cos(q, q''))`` for the query q; the
    comparisons between its LLMs, ties as half a win for each, give the weighted Bradley-Terry scores of q. There is
    nothing to train. A training query of the text group of q does not count, so that no outcome of its own helps it. The
    source routes between two LLMs by the win rate and makes no probability of a right answer, so Platt scaling on validation turns scores into quality. Its tiers of similar LLMs serve sparse votes, which a log
    with outcomes of all LLMs does not have, so they are left out.

    Attributes:
        gamma: How much more a similar query counts (10 in the source).
        prior: Ties added to every pair, in training queries of mean weight, so that scores stay finite.
    """

    gamma: float = 10.0
    prior: float = 1.0

    source: ClassVar[str] = (
        "RouteLLM, arXiv:2406.18665, section 4.1 (similarity-weighted ranking); github.com/lm-sys/RouteLLM, SWRankingRouter"
    )
    ranges: ClassVar[dict[str, Range]] = {
        "gamma": Range(1),  # below 1 a similar query would count less
        "prior": POSITIVE,
    }
    parts: ClassVar[dict[str, Any]] = {**Router.parts, "calibration_": PlattScaling}
    search_space: ClassVar[tuple[dict[str, Any], ...]] = tuple(
        {"gamma": gamma} for gamma in (10.0, 1e2, 1e3, 1e4, 1e5, 1e6)
    )

    def fit(self, train: RoutingData, validation: RoutingData) -> Self:
        """Keep the training outcomes; fit only the calibration, on validation."""
        train = train.sorted()
        self.vectors_ = unit_rows(train.queries.vectors)
        self.groups_ = train.queries.groups
        self.performance_ = train.performance
        self.cost_ = TaskMeans().fit(train.cost, train.queries.tasks)
        self.calibration_ = PlattScaling().fit(self.scores(validation.queries), validation.performance)
        return self

    def scores(self, queries: Queries) -> Array:
        """Return the Bradley-Terry scores [Q, M] float64 of each query."""
        count = self.performance_.shape[1]
        wins = pairwise_wins(self.performance_).reshape(-1, count * count)
        vectors = unit_rows(queries.vectors)
        scores = np.empty((len(queries), count))
        for start in range(0, len(queries), CHUNK):
            chunk = slice(start, start + CHUNK)
            weights = self._weights(vectors[chunk], queries.groups[chunk])
            weighted = (weights @ wins).reshape(-1, count, count)
            scores[chunk] = bradley_terry(weighted, self.prior)
        return scores

    def _weights(self, vectors: Array, groups: Array) -> Array:
        """Return [Q, N] weights of the training queries, with mean 1 for each query."""
        similarity = vectors @ self.vectors_.T
        other = groups[:, None] != self.groups_
        closest = np.where(other, similarity, -np.inf).max(axis=1, keepdims=True)
        # Where no training query points the query's way, the source's ratio has no meaning: all count the same.
        ratio = np.where(closest > 0, similarity / np.where(closest > 0, closest, 1), 0)
        weights = np.where(other, self.gamma ** (ratio - 1), 0)
        scaled: Array = (weights / np.maximum(weights.mean(axis=1, keepdims=True), 1e-12)).astype(np.float32)
        return scaled

    def predict(self, queries: Queries) -> Prediction:
        """Predict the quality from the weighted ranking, and the cost from the task."""
        return Prediction(self.calibration_.apply(self.scores(queries)), self.cost_.lookup(queries.tasks))
