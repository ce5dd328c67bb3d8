"""Oracle: knows the outcomes. The upper reference of every comparison."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar, Self

import numpy as np

from graphrouter.dataset import Queries, RoutingData
from graphrouter.errors import UserError
from graphrouter.routers.base import Prediction, Router
from graphrouter.routers.parts.arrays import as_probability
from graphrouter.routers.parts.new_llm import NewLLM
from graphrouter.routers.parts.task_means import TaskMeans
from graphrouter.scenario import Scenario
from graphrouter.typing import Array

TIE = 1e-9
"""Weight of normalised cost where LLMs tie: too small to change any other decision."""


@dataclass(eq=False)
class Oracle(Router):
    """Picks the best of the outcomes in the log; of equally good ones the cheapest.

    It knows the outcomes of the training and validation split, and of what `reveal` adds, which for an evaluation is
    the test split. A missing cell stays unknown to it: the mean of the LLM on the task is predicted there, and the
    decision never falls on it while an outcome of the query is known.
    """

    source: ClassVar[str] = (
        "RouterBench (arXiv:2403.12031), the oracle: best LLM of each query, cheapest where they tie"
    )
    parts: ClassVar[dict[str, Any]] = {"quality_": TaskMeans, "cost_": TaskMeans}
    extends: ClassVar[bool] = True
    needs_outcomes: ClassVar[bool] = True
    linear_utility: ClassVar[bool] = True  # but where a cell is missing

    def fit(self, train: RoutingData, validation: RoutingData) -> Self:
        """Learn the means for missing cells, and the outcomes of both splits."""
        self.llms_ = list(train.llms.names)
        self.quality_ = TaskMeans().fit(train.performance, train.queries.tasks)
        self.cost_ = TaskMeans().fit(train.cost, train.queries.tasks)
        self.rows_: dict[str, int] = {}
        self.known_performance_ = np.empty((0, len(train.llms)), dtype=np.float32)
        self.known_cost_ = np.empty((0, len(train.llms)), dtype=np.float64)
        return self.reveal(train).reveal(validation)

    def _add_llm(self, new_llm: NewLLM) -> None:
        data = new_llm.data
        self.quality_ = self.quality_.extend(new_llm, new_llm.performance, data.queries.tasks)
        self.cost_ = self.cost_.extend(new_llm, new_llm.cost, data.queries.tasks, new_llm.price_ratios)
        self.known_performance_ = new_llm.insert(self.known_performance_, np.nan)
        self.known_cost_ = new_llm.insert(self.known_cost_, np.nan)
        self.reveal(data)

    def reveal(self, data: RoutingData) -> Self:
        """Add outcomes, to be looked up by query id; those of a query that is known already are replaced."""
        start = len(self.known_performance_)
        self.rows_ = {**self.rows_, **{str(id_): start + row for row, id_ in enumerate(data.queries.ids)}}
        self.known_performance_ = np.vstack([self.known_performance_, data.performance])
        self.known_cost_ = np.vstack([self.known_cost_, data.cost])
        return self

    def predict(self, queries: Queries) -> Prediction:
        """Return the outcomes, [Q, M].

        Raises:
            UserError: If the outcomes of a query were not revealed.
        """
        performance, cost = self._outcomes(queries)
        quality = np.where(np.isnan(performance), self.quality_.lookup(queries.tasks), performance)
        return Prediction(as_probability(quality), np.where(np.isnan(cost), self.cost_.lookup(queries.tasks), cost))

    def utility(self, queries: Queries, scenario: Scenario, cost_scale: float) -> Array:
        """Return [Q, M] float64: the reward, missing cells lower than any of the query's outcomes."""
        performance, _ = self._outcomes(queries)
        quality, cost = self.predict(queries)
        missing = np.isnan(performance)
        reward = scenario.reward(np.where(missing, quality, performance).astype(np.float64), cost, cost_scale)
        reward = reward - TIE * np.nan_to_num(cost / cost_scale)  # without cost, ties stay ties
        return np.where(missing, reward - np.ptp(reward, axis=1, keepdims=True) - 1.0, reward)

    def _outcomes(self, queries: Queries) -> tuple[Array, Array]:
        unknown = [id_ for id_ in queries.ids if id_ not in self.rows_]
        if unknown:
            raise UserError(
                f"the oracle must know the outcomes of every query, but not of {unknown[0]!r} ({len(unknown)} queries); "
                "call reveal(data) first, or leave the oracle out"
            )
        rows = [self.rows_[id_] for id_ in queries.ids]
        return self.known_performance_[rows], self.known_cost_[rows]
