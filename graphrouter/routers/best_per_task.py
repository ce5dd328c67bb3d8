"""BestPerTask: for each task, the LLM with the best mean reward."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any, ClassVar, Self

from graphrouter.dataset import Queries, RoutingData
from graphrouter.routers.base import Prediction, Router
from graphrouter.routers.parts.arrays import as_probability
from graphrouter.routers.parts.new_llm import NewLLM
from graphrouter.routers.parts.task_means import SHRINK_TO, TaskMeans


@dataclass(eq=False)
class BestPerTask(Router):
    """Picks the LLM whose mean reward on the query's task is the highest on the training split.

    Means are shrunk to the LLM's overall mean, or to what task and LLM say separately (`TaskMeans`). A query of an unknown task,
    or of none, gets the LLM's overall mean.

    Attributes:
        strength: How many observations that counts as.
        shrink_to: ``llm`` for the overall mean, ``additive`` for the effects of task and LLM added up; costs have ``llm``.
    """

    strength: float = 5.0
    shrink_to: str = "llm"

    source: ClassVar[str] = "the usual reference where tasks are known: the best LLM of each benchmark"
    parts: ClassVar[dict[str, Any]] = {"quality_": TaskMeans, "cost_": TaskMeans}
    extends: ClassVar[bool] = True
    choices: ClassVar[dict[str, Collection[str]]] = {"shrink_to": SHRINK_TO}
    search_space: ClassVar[tuple[dict[str, Any], ...]] = (
        *({"strength": s, "shrink_to": "llm"} for s in (5.0, 0.5, 20.0)),
        *({"strength": s, "shrink_to": "additive"} for s in (10.0, 2.0, 50.0)),
    )

    def fit(self, train: RoutingData, validation: RoutingData) -> Self:
        """Learn the means."""
        self.llms_ = list(train.llms.names)
        self.quality_ = TaskMeans(self.strength, self.shrink_to).fit(train.performance, train.queries.tasks)
        self.cost_ = TaskMeans(self.strength).fit(train.cost, train.queries.tasks)
        return self

    def _add_llm(self, new_llm: NewLLM) -> None:
        data = new_llm.data
        self.quality_ = self.quality_.extend(new_llm, new_llm.performance, data.queries.tasks)
        self.cost_ = self.cost_.extend(new_llm, new_llm.cost, data.queries.tasks, new_llm.price_ratios)

    def predict(self, queries: Queries) -> Prediction:
        """Return the means of the queries' tasks, [Q, M]."""
        return Prediction(as_probability(self.quality_.lookup(queries.tasks)), self.cost_.lookup(queries.tasks))
