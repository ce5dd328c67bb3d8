"""KNN: the mean outcomes of the nearest training queries."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar, Self

import numpy as np

from graphrouter.dataset import Queries, RoutingData
from graphrouter.nearest import similarities
from graphrouter.ranges import COUNT, NOT_NEGATIVE, Range
from graphrouter.routers.base import Prediction
from graphrouter.routers.parts.arrays import as_probability, overall_means, unit_rows
from graphrouter.routers.parts.new_llm import NewLLM
from graphrouter.routers.parts.query_inputs import LENGTH_WEIGHT, QueryInputs, VectorRouter
from graphrouter.typing import Array

CHUNK = 512
"""Queries per matrix of similarities, to bound the memory."""
DECIMALS = 9
"""Similarities that agree to so many decimals are equal: a sum's order changes with the size of a batch."""


@dataclass(eq=False)
class KNN(VectorRouter):
    """Averages what each LLM reached on the k nearest training queries by cosine similarity.

    RouterBench (arXiv:2403.12031): ``P(q, m) = 1/k * sum over the neighbours n of q of P(n, m)``, and cost
    likewise. Here a missing cell is left out of sum and count, the LLM's overall mean counts as `strength` further
    neighbours, so that few neighbours never give a certain 0 or 1, and queries that tie for the last place all count.
    Training queries of the text group of the query are not its neighbours. Task and length count beside the normalised
    vector, so that neighbours of the query's task can be preferred.

    Attributes:
        k: How many neighbours.
        strength: How many neighbours the LLM's overall mean counts as.
        task_weight: Entry of the task's one-hot, beside a vector of length 1.
    """

    k: int = 50
    strength: float = 2.0
    task_weight: float = 1.0

    source: ClassVar[str] = "RouterBench (arXiv:2403.12031), routers/knn_router.py in its code; arXiv:2505.12601"
    ranges: ClassVar[dict[str, Range]] = {"k": COUNT, "task_weight": NOT_NEGATIVE}
    parts: ClassVar[dict[str, Any]] = {"inputs_": QueryInputs}
    extends: ClassVar[bool] = True
    search_space: ClassVar[tuple[dict[str, Any], ...]] = (
        {"k": 50},
        {"k": 20},
        {"k": 100},
        {"k": 100, "task_weight": 0.5},
        {"k": 50, "inputs": ["vector"]},
        {"k": 100, "inputs": ["vector"]},
    )

    def fit(self, train: RoutingData, validation: RoutingData) -> Self:
        """Keep the training queries and their outcomes."""
        self.llms_ = list(train.llms.names)
        self.mean_quality_, self.mean_cost_ = overall_means(train)
        made = QueryInputs(self.inputs, unit=True, task_weight=self.task_weight, length_weight=LENGTH_WEIGHT)
        self.inputs_ = made.fit(train.queries)
        self._keep(train)
        return self

    def _keep(self, train: RoutingData) -> None:
        self.rows_ = unit_rows(self.inputs_.rows(train.queries))
        self.groups_ = train.queries.groups
        self.performance_ = train.performance
        self.known_cost_ = train.cost

    def _add_llm(self, new_llm: NewLLM) -> None:
        self.mean_quality_ = new_llm.insert_mean(self.mean_quality_, new_llm.performance)
        self.mean_cost_ = new_llm.insert_mean(self.mean_cost_, new_llm.cost, new_llm.price_ratios)
        self._keep(new_llm.data)

    def predict(self, queries: Queries) -> Prediction:
        """Return the smoothed means over the neighbours, [Q, M]."""
        near = self._neighbours(queries)
        quality = self._average(near, self.performance_, self.mean_quality_)
        return Prediction(as_probability(quality), self._average(near, self.known_cost_, self.mean_cost_))

    def _neighbours(self, queries: Queries) -> list[Array]:
        """Return blocks of [Q, N] bool: which training queries are neighbours."""
        unit, last = unit_rows(self.inputs_.rows(queries)), max(len(self.groups_) - self.k, 0)
        near = []
        for _, cosines in similarities(unit, self.rows_, queries.groups, self.groups_, block=CHUNK, decimals=DECIMALS):
            bound = np.partition(cosines, last, axis=1)[:, last : last + 1]
            near.append((cosines >= bound) & (cosines > -np.inf))
        return near

    def _average(self, near: list[Array], values: Array, overall: Array) -> Array:
        seen = (~np.isnan(values)).astype(np.float64)
        filled = np.nan_to_num(values.astype(np.float64))
        means = [(part @ filled + self.strength * overall) / (part @ seen + self.strength) for part in near]
        return np.concatenate(means)
