"""A router of one's own: `graphrouter compare LOG --routers my_router.py:Kernel,knn,gnn --out DIR`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar, Self

import numpy as np

from graphrouter.dataset import Queries, RoutingData
from graphrouter.ranges import POSITIVE, Range
from graphrouter.routers.base import Prediction, Router
from graphrouter.routers.parts.arrays import as_probability, overall_means, unit_rows


@dataclass(eq=False)
class Kernel(Router):
    """Averages all training outcomes, weighted by ``exp(sharpness * cosine)`` (Nadaraya and Watson, 1964).

    A missing outcome is left out; the LLM's overall mean counts as much as ``strength`` training queries of cosine 1.

    Attributes:
        sharpness: Factor of the cosine; at 0 every training query counts the same.
        strength: Weight of the LLM's overall mean.
    """

    sharpness: float = 20.0
    strength: float = 1.0

    source: ClassVar[str] = "Nadaraya (1964), Watson (1964)"
    baseline: ClassVar[bool] = False  # a comparison then compares it with those that are
    ranges: ClassVar[dict[str, Range]] = {"sharpness": POSITIVE, "strength": POSITIVE}
    search_space: ClassVar[tuple[dict[str, Any], ...]] = ({}, {"sharpness": 10.0}, {"sharpness": 40.0})

    def fit(self, train: RoutingData, validation: RoutingData) -> Self:
        """Keep the training outcomes; what is learnt goes into attributes that end in an underscore, and is saved."""
        self.llms_ = list(train.llms.names)
        self.vectors_ = unit_rows(train.queries.vectors)
        self.performance_, self.known_cost_ = train.performance, train.cost
        self.mean_quality_, self.mean_cost_ = overall_means(train)
        return self

    def predict(self, queries: Queries) -> Prediction:
        """Return the weighted means, [Q, M]."""
        cosine = unit_rows(queries.vectors) @ self.vectors_.T
        weights = np.exp(self.sharpness * (cosine - 1))
        quality = self._average(weights, self.performance_, self.mean_quality_)
        return Prediction(as_probability(quality), self._average(weights, self.known_cost_, self.mean_cost_))

    def _average(self, weights: np.ndarray, values: np.ndarray, mean: np.ndarray) -> np.ndarray:
        seen = ~np.isnan(values)
        total = weights @ np.where(seen, values, 0) + self.strength * mean
        average: np.ndarray = total / (weights @ seen + self.strength)
        return average
