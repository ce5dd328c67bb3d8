"""Routers and an encoder whose predictions are plain to see."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, Self

import numpy as np

from graphrouter.dataset import Queries, RoutingData
from graphrouter.encoders import Encoder
from graphrouter.errors import UserError
from graphrouter.log import LLMLog
from graphrouter.routers.base import Prediction, Router
from graphrouter.scenario import SCENARIOS, Scenario
from graphrouter.splits import Split


@dataclass(eq=False)
class Means(Router):
    """Predicts the mean of each LLM, plus a bias; counts how often it is fitted."""

    bias: float = 0.0

    fits: ClassVar[list[tuple[str, int, float]]] = []
    stop_at: ClassVar[int] = -1

    def fit(self, train: RoutingData, validation: RoutingData) -> Self:
        if len(Means.fits) == Means.stop_at:
            raise KeyboardInterrupt
        Means.fits.append((self.name, self.seed, self.bias))
        self.quality_ = mean_of(train.performance)
        self.dollars_ = mean_of(train.cost)
        return self

    def predict(self, queries: Queries) -> Prediction:
        quality = np.clip(self.quality_ + self.bias, 0.001, 0.999)
        return Prediction(
            np.tile(quality, (len(queries), 1)).astype(np.float32), np.tile(self.dollars_, (len(queries), 1))
        )


@dataclass(eq=False)
class ByTopic(Means):
    """Predicts the mean of each LLM on queries of the same topic, which the vectors show."""

    search_space: ClassVar = ({}, {"bias": 0.3})

    def fit(self, train: RoutingData, validation: RoutingData) -> Self:
        super().fit(train, validation)
        topic = train.queries.vectors[:, :2].argmax(axis=1)
        self.table_ = np.stack([mean_of(train.performance[topic == t]) for t in (0, 1)])
        return self

    def predict(self, queries: Queries) -> Prediction:
        quality = np.clip(self.table_[queries.vectors[:, :2].argmax(axis=1)] + self.bias, 0.001, 0.999)
        return Prediction(quality.astype(np.float32), np.tile(self.dollars_, (len(queries), 1)))


@dataclass(eq=False)
class Scorer(ByTopic):
    """Says that its scores are no likelihoods."""

    tuned_by: ClassVar[str | None] = "reward"


@dataclass(eq=False)
class Last(Means):
    """Always picks the last LLM, whatever the scenario."""

    linear_utility: ClassVar[bool] = True

    def utility(self, queries: Queries, scenario: Scenario, cost_scale: float) -> np.ndarray:
        return np.tile(np.arange(len(self.quality_), dtype=float), (len(queries), 1))


@dataclass(eq=False)
class Cautious(Means):
    """Weighs a quality of its own, so that its utility is not the reward of what it predicts, but linear still."""

    linear_utility: ClassVar[bool] = True

    def utility(self, queries: Queries, scenario: Scenario, cost_scale: float) -> np.ndarray:
        quality, cost = self.predict(queries)
        return scenario.reward(quality.astype(float) / 2, cost, cost_scale)


@dataclass(eq=False)
class Stepwise(Means):
    """Picks the first LLM where cost weighs at all, else the last: no mixture of its utilities says so."""

    def utility(self, queries: Queries, scenario: Scenario, cost_scale: float) -> np.ndarray:
        order = np.arange(len(self.quality_), dtype=float)
        return np.tile(-order if scenario.beta else order, (len(queries), 1))


@dataclass(eq=False)
class ForOne(Stepwise):
    """Serves the scenarios that have a name, and no other."""

    def utility(self, queries: Queries, scenario: Scenario, cost_scale: float) -> np.ndarray:
        if scenario.name not in SCENARIOS:
            raise UserError("train again")
        return super().utility(queries, scenario, cost_scale)


@dataclass(eq=False)
class Broken(Means):
    """Predicts what no router may."""

    value: float = float("nan")

    def predict(self, queries: Queries) -> Prediction:
        quality, cost = super().predict(queries)
        quality[0, 0] = self.value
        return Prediction(quality, cost)


class TopicEncoder(Encoder):
    """Vectors that show the topic; remembers what it was fitted on."""

    spec = "topics"

    def __init__(self) -> None:
        self.fitted: list[list[str]] = []

    @property
    def id(self) -> str:
        return "topics"

    def fit(self, texts: Sequence[str]) -> Self:
        self.fitted.append(list(texts))
        return self

    def encode(self, texts: Sequence[str], *, progress: bool = False, keep: bool = True) -> np.ndarray:
        return topic_vectors(list(texts))


def mean_of(cells: np.ndarray) -> np.ndarray:
    """[M], of the LLMs without any cell the mean of all; NaN where there is none at all."""
    seen = ~np.isnan(cells)
    overall = cells[seen].mean() if seen.any() else np.nan
    return np.where(seen.any(axis=0), np.nansum(cells, axis=0) / np.maximum(seen.sum(axis=0), 1), overall)


def topic_vectors(texts: list[str]) -> np.ndarray:
    """[N, 2]"""
    return np.array([[text.startswith("algebra"), not text.startswith("algebra")] for text in texts], dtype=np.float32)


def topics(log: LLMLog, split: Split) -> tuple[np.ndarray, np.ndarray]:
    """What `compare` takes in the place of an encoder."""
    return topic_vectors(log.queries["query"].to_list()), np.eye(len(log.llm_names), 2, dtype=np.float32)
