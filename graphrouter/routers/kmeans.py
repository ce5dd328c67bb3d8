"""KMeans: the mean outcomes of the clusters nearest to the query."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar, Self

import numpy as np

from graphrouter.dataset import Queries, RoutingData
from graphrouter.ranges import COUNT, Range
from graphrouter.routers.base import Prediction, Router
from graphrouter.routers.parts.arrays import as_probability, unit_rows
from graphrouter.routers.parts.new_llm import NewLLM
from graphrouter.routers.parts.task_means import TaskMeans
from graphrouter.scenario import Scenario
from graphrouter.typing import Array

DECIMALS = 9
"""Distances that agree to so many decimals are equal: a sum's order changes with the size of a batch."""


@dataclass(eq=False)
class KMeans(Router):
    """Averages what each LLM reached on the clusters of training queries that are nearest to the query.

    Avengers-Pro (arXiv:2508.12631): k-means on normalised vectors; for cluster j and LLM i the mean performance p and
    the mean cost q; the score ``alpha * p' + (1 - alpha) * (1 - q')``, where p' and q' are p and q scaled to [0, 1]
    over the LLMs of the cluster, summed over the nearest clusters. The paper has 60 clusters, the 4 nearest, and alpha
    as the user's trade-off.

    Here the trade-off is the scenario's. By default the decision maximises the expected reward, as every router's does,
    with the cluster's p and q as they are; `rescale` gives the paper's p' and q'. A cluster's mean is shrunk to the
    LLM's overall mean.

    Attributes:
        clusters: How many clusters; never more than training queries.
        nearest: How many clusters a query's prediction averages.
        strength: How many observations the LLM's overall mean counts as.
        rescale: Whether to decide by the paper's score.
    """

    clusters: int = 60
    nearest: int = 4
    strength: float = 2.0
    rescale: bool = False

    source: ClassVar[str] = "Avengers-Pro (arXiv:2508.12631)"
    ranges: ClassVar[dict[str, Range]] = {"clusters": COUNT, "nearest": COUNT}
    parts: ClassVar[dict[str, Any]] = {"quality_": TaskMeans, "cost_": TaskMeans}
    extends: ClassVar[bool] = True
    linear_utility: ClassVar[bool] = True
    search_space: ClassVar[tuple[dict[str, Any], ...]] = tuple(
        {"clusters": clusters, "nearest": nearest}
        for clusters, nearest in ((60, 4), (60, 1), (30, 1), (30, 4), (15, 1), (120, 8))
    )

    def fit(self, train: RoutingData, validation: RoutingData) -> Self:
        """Learn the clusters and their means."""
        train = train.sorted()
        self.llms_ = list(train.llms.names)
        centres, labels = _cluster(unit_rows(train.queries.vectors), self.clusters, self.seed)
        self.centres_ = centres
        # A cluster takes the place of a task. Every cluster has members, so row j of the means is cluster j.
        self.quality_ = TaskMeans(self.strength).fit(train.performance, labels)
        self.cost_ = TaskMeans(self.strength).fit(train.cost, labels)
        return self

    def _add_llm(self, new_llm: NewLLM) -> None:
        clusters = self._nearest(new_llm.data.queries)[:, 0].astype(object)
        self.quality_ = self.quality_.extend(new_llm, new_llm.performance, clusters)
        self.cost_ = self.cost_.extend(new_llm, new_llm.cost, clusters, new_llm.price_ratios)

    def predict(self, queries: Queries) -> Prediction:
        """Return the means over the nearest clusters, [Q, M]."""
        near = self._nearest(queries)
        return Prediction(as_probability(self.quality_.means_[near].mean(axis=1)), self.cost_.means_[near].mean(axis=1))

    def utility(self, queries: Queries, scenario: Scenario, cost_scale: float) -> Array:
        """Return [Q, M] float64: the expected reward, or the paper's score where `rescale` is on."""
        if not self.rescale:
            return super().utility(queries, scenario, cost_scale)
        gain = scenario.alpha * _scaled(self.quality_.means_)
        if scenario.beta:
            gain = gain + scenario.beta * (1 - _scaled(self.cost_.means_))
        score: Array = gain[self._nearest(queries)].mean(axis=1)
        return score

    def _nearest(self, queries: Queries) -> Array:
        """Return [Q, nearest] int64, the clusters of the nearest centres."""
        distance = (self.centres_**2).sum(axis=1) - 2 * unit_rows(queries.vectors) @ self.centres_.T
        order: Array = np.argsort(np.round(distance, DECIMALS), axis=1, kind="stable")
        return order[:, : self.nearest]


def _scaled(means: Array) -> Array:
    """Scale [C, M] to [0, 1] over the LLMs of each cluster; where all are equal, to 0."""
    low, spread = means.min(axis=1, keepdims=True), np.ptp(means, axis=1, keepdims=True)
    scaled: Array = (means - low) / np.where(spread > 0, spread, 1.0)
    return scaled


def _cluster(vectors: Array, clusters: int, seed: int) -> tuple[Array, Array]:
    """Return the centres [C, D], and the cluster of each of the N rows, 0 to C - 1 as Python's int, none of them empty."""
    from sklearn.cluster import KMeans as Lloyd
    from threadpoolctl import threadpool_limits

    distinct = len(np.unique(vectors, axis=0))
    with threadpool_limits(limits=1):  # several threads add up in any order, which may move a row
        found = Lloyd(min(clusters, distinct), n_init=3, random_state=seed).fit(vectors)
    return found.cluster_centers_, found.labels_.astype(object)
