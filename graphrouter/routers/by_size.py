"""Smallest and Largest: one LLM by its size, for every query."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from graphrouter.dataset import LLMs, Queries, RoutingData
from graphrouter.errors import UserError
from graphrouter.routers.parts.mean_router import MeanRouter
from graphrouter.scenario import Scenario
from graphrouter.typing import Array


def measure_size(llms: LLMs) -> Array:
    """Return the measure of size that orders the LLMs.

    The size, where every LLM has one; else the sum of input and output price, where every LLM has both; else the
    size again, and the LLMs without a disclosed size take no part: no size is guessed.

    Returns:
        [M] float64, NaN for the LLMs that take no part.

    Raises:
        UserError: If prices are incomplete and no size is known.
    """
    size: Array = llms.size_b.astype(np.float64)
    price: Array = (llms.input_price + llms.output_price).astype(np.float64)
    if np.isnan(size).any() and not np.isnan(price).any():
        return price
    if np.isnan(size).all():
        raise UserError(
            "the routers smallest and largest need size_b of an LLM, or the prices of all, but the log has neither; "
            "add them to llms, or leave these routers out"
        )
    return size


def rank_by_size(size: Array, quality: Array) -> Array:
    """Return [M] float64, higher for smaller; equal sizes are ranked by mean quality, and 0 is for NaN."""
    order = np.lexsort((-quality, size))  # NaN comes last
    ranks = np.empty(len(size))
    ranks[order] = np.arange(len(size), 0, -1)
    return np.where(np.isnan(size), 0.0, ranks)


@dataclass(eq=False)
class Smallest(MeanRouter):
    """Picks the smallest LLM for every query; see `measure_size` for what counts where sizes are not disclosed.

    It predicts each LLM's mean performance and cost on the training split. Of equally small LLMs it picks the one that
    is better there.
    """

    source: ClassVar[str] = "GraphRouter (arXiv:2410.03834), baseline 'Smallest LLM'"
    linear_utility: ClassVar[bool] = True

    def _choose(self, train: RoutingData) -> None:
        self.rank_ = rank_by_size(measure_size(train.llms), self.mean_quality_)

    def utility(self, queries: Queries, scenario: Scenario, cost_scale: float) -> Array:
        """Return [Q, M] float64, the rank by size; the scenario does not matter."""
        return np.tile(self.rank_, (len(queries), 1))


@dataclass(eq=False)
class Largest(Smallest):
    """Picks the largest LLM for every query, otherwise as `Smallest` does."""

    source: ClassVar[str] = "GraphRouter (arXiv:2410.03834), baseline 'Largest LLM'"

    def _choose(self, train: RoutingData) -> None:
        self.rank_ = rank_by_size(-measure_size(train.llms), self.mean_quality_)
