"""BestSingle: the one LLM with the best mean reward."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar, Self

from graphrouter.dataset import Queries, RoutingData
from graphrouter.routers.base import Prediction, Router
from graphrouter.routers.parts.arrays import overall_means, same_for_all
from graphrouter.routers.parts.new_llm import NewLLM


@dataclass(eq=False)
class BestSingle(Router):
    """Picks the LLM whose mean reward on the training split is the highest, for every query.

    It predicts each LLM's means over its observed cells. As the reward is linear in performance and cost, the highest
    reward of the means is the highest mean reward, in every scenario.
    """

    source: ClassVar[str] = "the usual reference; RouterBench (arXiv:2403.12031) compares routers to single LLMs"
    parts: ClassVar[dict[str, Any]] = {}
    extends: ClassVar[bool] = True

    def fit(self, train: RoutingData, validation: RoutingData) -> Self:
        """Learn the means."""
        self.llms_ = list(train.llms.names)
        self.mean_quality_, self.mean_cost_ = overall_means(train)
        return self

    def _add_llm(self, new_llm: NewLLM) -> None:
        self.mean_quality_ = new_llm.insert_mean(self.mean_quality_, new_llm.performance)
        self.mean_cost_ = new_llm.insert_mean(self.mean_cost_, new_llm.cost, new_llm.price_ratios)

    def predict(self, queries: Queries) -> Prediction:
        """Return the LLMs' means, [Q, M]."""
        return same_for_all(queries, self.mean_quality_, self.mean_cost_)
