"""StaticMix: two LLMs at a fixed share, at a given budget, without looking at the query."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from graphrouter.dataset import Queries, RoutingData
from graphrouter.metrics import upper_hull
from graphrouter.ranges import Range
from graphrouter.routers.parts.arrays import hashed_uniform
from graphrouter.routers.parts.mean_router import MeanRouter
from graphrouter.scenario import Scenario
from graphrouter.typing import Array


@dataclass(eq=False)
class StaticMix(MeanRouter):
    """Sends a fixed share of the queries to one LLM and the rest to another, so that the expected cost is the budget.

    RouterBench's "zero router" (arXiv:2403.12031): the two LLMs are neighbours on the upper convex hull of
    (mean cost c, mean performance) on the training split. Between c1 <= budget <= c2 the dearer one gets the share
    ``(budget - c1) / (c2 - c1)``. A hash of the seed and the query's id chooses. Whoever looks at the query has to beat
    this mixture at the same cost.

    A budget below the cheapest LLM of the hull buys that LLM. LLMs without any known cost take no part. On a log
    without cost there is no budget to keep, and the best single LLM is picked.

    Attributes:
        cost_share: The budget, as a share of the mean cost of the best single LLM on the training split.
    """

    cost_share: float = 0.5

    source: ClassVar[str] = "RouterBench (arXiv:2403.12031), the zero router"
    ranges: ClassVar[dict[str, Range]] = {"cost_share": Range(0, 1, above=True)}
    linear_utility: ClassVar[bool] = True

    def _choose(self, train: RoutingData) -> None:
        seen = ~np.isnan(train.performance).all(axis=0)
        priced = ~np.isnan(train.cost).all(axis=0)
        hull = upper_hull(np.where(priced & seen, self.mean_cost_, np.nan), self.mean_quality_)
        self.shares_ = np.zeros(len(train.llms))
        if len(hull):
            self._divide(hull)
        else:
            self.shares_[np.argmax(np.where(seen, self.mean_quality_, -1.0))] = 1.0

    def _divide(self, hull: Array) -> None:
        cost = self.mean_cost_[hull]
        budget = self.cost_share * cost[-1]
        dearer = int(np.searchsorted(cost, budget))
        if dearer == 0:
            self.shares_[hull[0]] = 1.0
            return
        share = (budget - cost[dearer - 1]) / (cost[dearer] - cost[dearer - 1])
        self.shares_[hull[dearer]], self.shares_[hull[dearer - 1]] = share, 1 - share

    def utility(self, queries: Queries, scenario: Scenario, cost_scale: float) -> Array:
        """Return [Q, M] float64: the mean quality, and 1 more for the LLM that the hash chose.

        The scenario does not matter: the budget is the trade-off.
        """
        draw = hashed_uniform(f"static_mix/{self.seed}", queries.ids, 1)
        bounds = np.cumsum(self.shares_)
        chosen = np.argmax(draw < bounds / bounds[-1], axis=1)
        utility: Array = self.mean_quality_ + np.eye(len(self.shares_))[chosen]
        return utility
