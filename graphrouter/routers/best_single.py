"""BestSingle: the one LLM with the best mean reward."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from graphrouter.routers.parts.mean_router import MeanRouter


@dataclass(eq=False)
class BestSingle(MeanRouter):
    """Picks the LLM whose mean reward on the training split is the highest, for every query.

    It predicts each LLM's means over its observed cells. As the reward is linear in performance and cost, the highest
    reward of the means is the highest mean reward, in every scenario.
    """

    source: ClassVar[str] = "the usual reference; RouterBench (arXiv:2403.12031) compares routers to single LLMs"
