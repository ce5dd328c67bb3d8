"""Routers that predict by the members of an ensemble, and decide with caution."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from graphrouter.dataset import Queries
from graphrouter.routers.base import Prediction, Router
from graphrouter.scenario import Scenario
from graphrouter.typing import Array


@dataclass(eq=False)
class EnsembleRouter(Router):
    """Base of the routers whose prediction is the mean over members, and whose decision is by a lower confidence bound.

    The best of many noisy predictions is too often a lucky one (the winner's curse), so ``caution`` standard deviations over the
    members are taken off before a decision.

    Attributes:
        caution: Standard deviations taken off in decisions.
    """

    caution: float = 1.0

    linear_utility: ClassVar[bool] = True

    @abstractmethod
    def predict_members(self, queries: Queries) -> tuple[Array, Array]:
        """Return the members' qualities [E, Q, M] and the expected cost [Q, M]."""

    def predict(self, queries: Queries) -> Prediction:
        """Predict the mean over the ensemble."""
        quality, cost = self.predict_members(queries)
        return Prediction(quality.mean(axis=0), cost)

    def utility(self, queries: Queries, scenario: Scenario, cost_scale: float) -> Array:
        """Return the reward of the quality less ``caution`` standard deviations over the ensemble."""
        return self.utilities(queries, [scenario], cost_scale)[1][0]

    def utilities(
        self, queries: Queries, scenarios: Sequence[Scenario], cost_scale: float
    ) -> tuple[Prediction, list[Array]]:
        """Return `predict` and the `utility` of each scenario, from one pass of the network."""
        quality, cost = self.predict_members(queries)
        mean = quality.mean(axis=0)
        bound = (mean - self.caution * quality.std(axis=0)).astype(np.float64)
        return Prediction(mean, cost), [scenario.reward(bound, cost, cost_scale) for scenario in scenarios]
