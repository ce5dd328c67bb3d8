"""Routers that predict the LLMs' means, alike for every query, and differ in whom they pick."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar, Self

from graphrouter.dataset import Queries, RoutingData
from graphrouter.routers.base import Prediction, Router
from graphrouter.routers.parts.arrays import overall_means, same_for_all
from graphrouter.routers.parts.new_llm import NewLLM


@dataclass(eq=False)
class MeanRouter(Router):
    """Predicts the mean performance and cost of each LLM over its observed cells of the training split."""

    parts: ClassVar[dict[str, Any]] = {}
    extends: ClassVar[bool] = True

    def fit(self, train: RoutingData, validation: RoutingData) -> Self:
        """Learn the means, and whom to pick by them."""
        self.llms_ = list(train.llms.names)
        self.mean_quality_, self.mean_cost_ = overall_means(train)
        self._choose(train)
        return self

    def _add_llm(self, new_llm: NewLLM) -> None:
        self.mean_quality_ = new_llm.insert_mean(self.mean_quality_, new_llm.performance)
        self.mean_cost_ = new_llm.insert_mean(self.mean_cost_, new_llm.cost, new_llm.price_ratios)
        self._choose(new_llm.data)

    def _choose(self, train: RoutingData) -> None:
        """Learn what the choice needs beside the means; nothing unless a subclass says so."""

    def predict(self, queries: Queries) -> Prediction:
        """Return the LLMs' means, [Q, M]."""
        return same_for_all(queries, self.mean_quality_, self.mean_cost_)
