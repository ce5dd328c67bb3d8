"""Random: any LLM, with equal chance."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from graphrouter.dataset import Queries
from graphrouter.routers.parts.arrays import hashed_uniform
from graphrouter.routers.parts.mean_router import MeanRouter
from graphrouter.scenario import Scenario


@dataclass(eq=False)
class Random(MeanRouter):
    """Picks an LLM by a hash of the seed and the query's id.

    It predicts each LLM's mean performance and cost on the training split. Only the decision is random, and the same
    query always gets the same LLM.
    """

    source: ClassVar[str] = "the usual lower reference"
    linear_utility: ClassVar[bool] = True

    def utility(self, queries: Queries, scenario: Scenario, cost_scale: float) -> np.ndarray:
        """Return [Q, M] float64 in [0, 1), uniform; the scenario does not matter."""
        return hashed_uniform(f"random/{self.seed}", queries.ids, len(self.mean_quality_))
