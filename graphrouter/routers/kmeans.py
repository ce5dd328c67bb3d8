"""KMeans: the mean outcomes of the clusters nearest to the query."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar, Self

import numpy as np

from graphrouter.dataset import Queries, RoutingData
from graphrouter.ranges import COUNT, NOT_NEGATIVE, Range
from graphrouter.routers.base import Prediction
from graphrouter.routers.parts.arrays import as_probability, unit_rows
from graphrouter.routers.parts.new_llm import NewLLM
from graphrouter.routers.parts.query_inputs import LENGTH_WEIGHT, QueryInputs, VectorRouter
from graphrouter.routers.parts.task_means import TaskMeans
from graphrouter.scenario import Scenario
from graphrouter.typing import Array

DECIMALS = 9
"""Distances that agree to so many decimals are equal: a sum's order changes with the size of a batch."""


@dataclass(eq=False)
class KMeans(VectorRouter):
    """Averages what each LLM reached on the clusters of training queries that are nearest to the query.

    Avengers-Pro (arXiv:2508.12631): k-means on normalised vectors; for cluster j and LLM i the mean performance p and
    the mean cost q; the score ``alpha * p' + (1 - alpha) * (1 - q')``, where p' and q' are p and q scaled to [0, 1]
    over the LLMs of the cluster, summed over the nearest clusters. The paper has 60 clusters, the 4 nearest, and alpha
    as the user's trade-off.

    Here the trade-off is the scenario's. By default the decision maximises the expected reward, as every router's does,
    with the cluster's p and q as they are; `rescale` gives the paper's p' and q'. A cluster's mean is shrunk to the
    LLM's overall mean. Task and length count beside the normalised vector, so that clusters can follow the tasks.

    Attributes:
        clusters: How many clusters; never more than training queries.
        nearest: How many clusters a query's prediction averages.
        strength: How many observations the LLM's overall mean counts as.
        rescale: Whether to decide by the paper's score.
        task_weight: Entry of the task's one-hot, beside a vector of length 1.
    """

    clusters: int = 60
    nearest: int = 4
    strength: float = 2.0
    rescale: bool = False
    task_weight: float = 0.6

    source: ClassVar[str] = "Avengers-Pro (arXiv:2508.12631)"
    ranges: ClassVar[dict[str, Range]] = {"clusters": COUNT, "nearest": COUNT, "task_weight": NOT_NEGATIVE}
    parts: ClassVar[dict[str, Any]] = {**VectorRouter.parts, "quality_": TaskMeans}
    extends: ClassVar[bool] = True
    linear_utility: ClassVar[bool] = True
    search_space: ClassVar[tuple[dict[str, Any], ...]] = (
        {"clusters": 60, "nearest": 4},
        {"clusters": 60, "nearest": 1},
        {"clusters": 30, "nearest": 1},
        {"clusters": 60, "nearest": 1, "task_weight": 1.0},
        {"clusters": 60, "nearest": 4, "inputs": ["vector"]},
        {"clusters": 30, "nearest": 1, "inputs": ["vector"]},
    )

    def fit(self, train: RoutingData, validation: RoutingData) -> Self:
        """Learn the clusters and their means."""
        train = train.sorted()
        self.llms_ = list(train.llms.names)
        made = QueryInputs(self.inputs, unit=True, task_weight=self.task_weight, length_weight=LENGTH_WEIGHT)
        self.inputs_ = made.fit(train.queries)
        self.centres_, labels = _cluster(self._rows(train.queries), self.clusters, self.seed)
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

    def _rows(self, queries: Queries) -> Array:
        return unit_rows(self.inputs_.rows(queries))

    def _nearest(self, queries: Queries) -> Array:
        """Return [Q, nearest] int64, the clusters of the nearest centres."""
        distance = (self.centres_**2).sum(axis=1) - 2 * self._rows(queries) @ self.centres_.T
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
