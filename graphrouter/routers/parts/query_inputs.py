"""What a router on vectors reads of a query: its vector, its task, its length."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field
from typing import Any, ClassVar, Self

import numpy as np

from graphrouter.dataset import Queries
from graphrouter.errors import UserError
from graphrouter.routers.base import Router
from graphrouter.routers.parts.arrays import unit_rows
from graphrouter.routers.parts.fitted import Fitted
from graphrouter.routers.parts.task_means import TaskMeans
from graphrouter.typing import Array

INPUTS = ("vector", "task", "length")
"""What a router may read of a query."""
EQUAL = 1e-6
"""Largest spread of the logarithms of lengths that are all the same: rounding gives 1e-15, one character in a million 1e-6."""
LENGTH_WEIGHT = 0.1
"""Weight of the length where distances count, beside a vector of length 1: two queries whose lengths are one standard deviation apart
are as far from each other as vectors of a cosine of 0.995, so that the length tells near queries apart and no more. Set, not tuned."""


@dataclass(eq=False)
class QueryInputs(Fitted):
    """Queries as rows of numbers: the vector, a one-hot of the task, and the standardised logarithm of the length, as asked for.

    A query whose task is not known, or not one of the training queries', has zeros for it.

    Attributes:
        inputs: Names among `INPUTS`.
        unit: Whether vectors are scaled to length 1, in double precision; else they stay as they are, in single precision.
        task_weight: Entry of the one-hot.
        length_weight: Value of a length one standard deviation above the mean.
    """

    inputs: list[str]
    unit: bool = False
    task_weight: float = 1.0
    length_weight: float = 1.0

    def fit(self, queries: Queries) -> Self:
        """Learn the tasks, and mean and spread of the lengths."""
        self.tasks_ = sorted({task for task in queries.tasks if task is not None})
        length = np.log1p(queries.chars.astype(np.float64))
        self.mean_, spread = float(length.mean()), float(length.std())
        self.spread_ = spread if spread > EQUAL else 1.0
        return self

    def rows(self, queries: Queries) -> Array:
        """Return [Q, D'], in the order of `INPUTS`."""
        made: dict[str, Any] = {"vector": self._vectors, "task": self._one_hot, "length": self._length}
        rows = np.hstack([made[name](queries) for name in INPUTS if name in self.inputs])
        return rows if self.unit else rows.astype(np.float32)

    def _vectors(self, queries: Queries) -> Array:
        return unit_rows(queries.vectors) if self.unit else queries.vectors

    def _one_hot(self, queries: Queries) -> Array:
        known = np.array(self.tasks_, dtype=object)
        return self.task_weight * (queries.tasks[:, None] == known).astype(np.float64)

    def _length(self, queries: Queries) -> Array:
        scaled: Array = (np.log1p(queries.chars.astype(np.float64)) - self.mean_) / self.spread_
        return self.length_weight * scaled[:, None]


@dataclass(eq=False)
class VectorRouter(Router):
    """Base of the routers that read queries as rows of numbers.

    All three inputs are the default: on the validation parts of three logs the task lowered the negative log-likelihood of every such
    router, and the length that of most (experiments/LOG.md, 'Equal inputs').

    Attributes:
        inputs: What is read of a query: its ``vector``, a one-hot of its ``task``, the logarithm of its ``length``.
    """

    inputs: list[str] = field(default_factory=lambda: list(INPUTS))

    choices: ClassVar[dict[str, Collection[str]]] = {"inputs": INPUTS}
    parts: ClassVar[dict[str, Any]] = {"cost_": TaskMeans, "inputs_": QueryInputs}

    def __post_init__(self) -> None:
        super().__post_init__()
        if not self.inputs:
            raise UserError(
                f"{self.name}.inputs must name what is read of a query, but is empty; name {', '.join(INPUTS)}"
            )
