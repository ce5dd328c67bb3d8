"""Routers for which some LLMs are new: they know so many logged queries of each, and no more."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any, ClassVar, Self

import numpy as np

from graphrouter.config import make_router
from graphrouter.dataset import Queries, RoutingData
from graphrouter.errors import UserError
from graphrouter.routers import find_router
from graphrouter.routers.base import Prediction, Router
from graphrouter.scenario import Scenario
from graphrouter.splits import text_digest
from graphrouter.typing import Array

EXTENDED, REFITTED = "extended", "refitted"


def take_llms(data: RoutingData, names: list[str]) -> RoutingData:
    """Return the data of these LLMs only, in the order of ``data.llms``."""
    return data.take_llms([name for name in data.llms.names if name in names])


def hide_new(data: RoutingData, new: list[str], shots: int, seed: int) -> RoutingData:
    """Hide the outcomes of new LLMs, but for some queries of each, drawn by a hash of their ids."""
    unknown = {"performance": np.nan, "draws": 0, "cost": np.nan, "input_tokens": np.nan, "output_tokens": np.nan}
    cells = {name: getattr(data, name).copy() for name in unknown}
    for llm in new:
        column = data.llms.names.index(llm)
        answered = np.flatnonzero(data.observed[:, column])
        order = sorted(answered, key=lambda row: text_digest(f"{seed}/{llm}/{data.queries.ids[row]}"))
        for name, nothing in unknown.items():
            cells[name][order[shots:], column] = nothing
    return replace(data, **cells)


@dataclass(eq=False)
class FewShot(Router):
    """A router that meets LLMs of which it knows few logged queries, and none on validation.

    Attributes:
        router: Name of the router inside.
        hyperparameters: Its own, where they differ from the defaults.
        new: Names of the new LLMs.
        shots: Training queries with an outcome, for each of them.
        how: ``extended``: fitted without the new LLMs, which it then takes in without learning anew (`Router.extend`);
            ``refitted``: fitted on all that is known of old and new.
    """

    router: str = "gnn"
    hyperparameters: dict[str, Any] = field(default_factory=dict)
    new: list[str] = field(default_factory=list)
    shots: int = 20
    how: str = EXTENDED

    source: ClassVar[str] = "GraphRouter, arXiv:2410.03834, section 4: the few-shot setting"

    def fit(self, train: RoutingData, validation: RoutingData) -> Self:
        """Fit the router inside, with the outcomes of the new LLMs hidden.

        Raises:
            UserError: If a new LLM is unknown, or the router cannot be extended.
        """
        unknown = [name for name in self.new if name not in train.llms.names]
        if unknown:
            raise UserError(f"new LLMs must be among {', '.join(train.llms.names)}, but {unknown[0]!r} is not")
        inner = make_router(self.router, self.hyperparameters)
        inner.seed, inner.run = self.seed, self.run
        train = hide_new(train, self.new, self.shots, self.seed)
        old = [name for name in train.llms.names if name not in self.new]
        if self.how == REFITTED:
            self.inner_ = inner.fit(train, hide_new(validation, self.new, 0, self.seed))
            return self
        inner.fit(take_llms(train, old), take_llms(validation, old))
        for place in range(len(self.new)):
            inner = inner.extend(take_llms(train, [*old, *self.new[: place + 1]]))
        self.inner_ = inner
        return self

    @property
    def linear_utility(self) -> bool:  # type: ignore[override]
        """Whether the utility of the router inside is linear."""
        return find_router(self.router).linear_utility

    def predict(self, queries: Queries) -> Prediction:
        """Predict as the router inside does."""
        prediction: Prediction = self.inner_.predict(queries)
        return prediction

    def utility(self, queries: Queries, scenario: Scenario, cost_scale: float) -> Array:
        """Score the LLMs as the router inside does."""
        utility: Array = self.inner_.utility(queries, scenario, cost_scale)
        return utility
