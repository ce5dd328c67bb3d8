"""Random: any LLM, with equal chance."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar, Self

import numpy as np

from graphrouter.dataset import Queries, RoutingData
from graphrouter.routers.base import Prediction, Router
from graphrouter.routers.parts.arrays import hashed_uniform, overall_means, same_for_all
from graphrouter.routers.parts.new_llm import NewLLM
from graphrouter.scenario import Scenario


@dataclass(eq=False)
class Random(Router):
    """Picks an LLM by a hash of the seed and the query's id.

    It predicts each LLM's mean performance and cost on the training split. Only the decision is random, and the same
    query always gets the same LLM.
    """

    source: ClassVar[str] = "the usual lower reference"
    parts: ClassVar[dict[str, Any]] = {}
    extends: ClassVar[bool] = True
    linear_utility: ClassVar[bool] = True

    def fit(self, train: RoutingData, validation: RoutingData) -> Self:
        """Learn the means that are predicted."""
        self.llms_ = list(train.llms.names)
        self.mean_quality_, self.mean_cost_ = overall_means(train)
        return self

    def _add_llm(self, new_llm: NewLLM) -> None:
        self.mean_quality_ = new_llm.insert_mean(self.mean_quality_, new_llm.performance)
        self.mean_cost_ = new_llm.insert_mean(self.mean_cost_, new_llm.cost, new_llm.price_ratios)

    def predict(self, queries: Queries) -> Prediction:
        """Return the LLMs' means, [Q, M]."""
        return same_for_all(queries, self.mean_quality_, self.mean_cost_)

    def utility(self, queries: Queries, scenario: Scenario, cost_scale: float) -> np.ndarray:
        """Return [Q, M] float64 in [0, 1), uniform; the scenario does not matter."""
        return hashed_uniform(f"random/{self.seed}", queries.ids, len(self.mean_quality_))
