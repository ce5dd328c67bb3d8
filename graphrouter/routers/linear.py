"""Linear: one ridge regression per LLM on what is read of the query."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar, Self

import numpy as np

from graphrouter.dataset import Queries, RoutingData
from graphrouter.ranges import POSITIVE, Range
from graphrouter.routers.base import Prediction
from graphrouter.routers.parts.arrays import as_probability, overall_means
from graphrouter.routers.parts.new_llm import STRENGTH, NewLLM
from graphrouter.routers.parts.query_inputs import QueryInputs, VectorRouter
from graphrouter.typing import Array

BOUNDS = (0.01, 0.99)
"""Range of a predicted performance. Nearer to 0 and 1, a line that shoots over would count as certain."""


@dataclass(eq=False)
class Linear(VectorRouter):
    """Predicts performance and cost of each LLM by a ridge regression on the normalised vector, the task and the length.

    For each LLM m, over its observed queries, ``min over w, b of sum (x . w + b - y)^2 + penalty * |w|^2``; a prediction
    of performance is clipped to `BOUNDS`, as a line has none. Cost is regressed in dollars, not in their logarithm,
    because the reward needs the expected cost; a prediction is clipped to the range of the LLM's costs on the training
    split.

    Attributes:
        penalty: Weight of the squared weights in the loss.
    """

    penalty: float = 10.0

    source: ClassVar[str] = "linear regression per LLM, as in arXiv:2505.12601"
    ranges: ClassVar[dict[str, Range]] = {"penalty": POSITIVE}
    parts: ClassVar[dict[str, Any]] = {"inputs_": QueryInputs}
    extends: ClassVar[bool] = True
    search_space: ClassVar[tuple[dict[str, Any], ...]] = (
        {"penalty": 10.0},
        {"penalty": 1.0},
        {"penalty": 3.0},
        {"penalty": 30.0},
        {"penalty": 100.0},
        {"penalty": 10.0, "inputs": ["vector"]},
    )

    def fit(self, train: RoutingData, validation: RoutingData) -> Self:
        """Solve the normal equations."""
        self.llms_ = list(train.llms.names)
        self.inputs_ = QueryInputs(self.inputs, unit=True).fit(train.queries)
        rows = self.inputs_.rows(train.queries)
        mean_quality, mean_cost = overall_means(train)
        self.quality_weights_ = ridge(rows, train.performance, self.penalty, mean_quality)
        self.cost_weights_ = ridge(rows, train.cost, self.penalty, mean_cost)
        priced = ~np.isnan(train.cost).all(axis=0)
        self.cost_range_ = np.stack([mean_cost, mean_cost])
        self.cost_range_[:, priced] = np.nanmin(train.cost[:, priced], axis=0), np.nanmax(train.cost[:, priced], axis=0)
        return self

    def _add_llm(self, new_llm: NewLLM) -> None:
        rows, ratios = self.inputs_.rows(new_llm.data.queries), new_llm.price_ratios
        quality = new_llm_ridge(self.quality_weights_.mean(axis=1), rows, new_llm.performance, self.penalty)
        cost = new_llm_ridge((self.cost_weights_ * ratios).mean(axis=1), rows, new_llm.cost, self.penalty)
        self.quality_weights_ = new_llm.insert(self.quality_weights_, quality)
        self.cost_weights_ = new_llm.insert(self.cost_weights_, cost)
        lowest, highest = (self.cost_range_ * ratios).mean(axis=1)
        seen = new_llm.cost[~np.isnan(new_llm.cost)]
        bounds = np.array([seen.min(initial=lowest), seen.max(initial=highest)])
        self.cost_range_ = new_llm.insert(self.cost_range_, bounds)

    def predict(self, queries: Queries) -> Prediction:
        """Return the clipped regressions, [Q, M]."""
        inputs = _with_bias(self.inputs_.rows(queries))
        cost = np.clip(inputs @ self.cost_weights_, *self.cost_range_)
        return Prediction(as_probability(np.clip(inputs @ self.quality_weights_, *BOUNDS)), cost)


def ridge(vectors: Array, values: Array, penalty: float, empty: Array) -> Array:
    """Fit one ridge regression per column, each over its observed rows.

    Columns with the same missing cells share one set of normal equations, so a dense log takes one solve.

    Args:
        vectors: [N, D] float64.
        values: [N, M], NaN where missing.
        penalty: Weight of the squared weights in the loss; the bias is free.
        empty: [M], the constant for a column without any observed row.

    Returns:
        [D + 1, M] float64, the last row the bias.
    """
    inputs = _with_bias(vectors)
    seen = ~np.isnan(values)
    weights = np.zeros((inputs.shape[1], values.shape[1]))
    weights[-1] = empty
    damping = np.diag([penalty] * vectors.shape[1] + [0.0])
    patterns, pattern_of = np.unique(seen, axis=1, return_inverse=True)
    for index, rows in enumerate(patterns.T):
        if rows.any():
            columns = np.flatnonzero(pattern_of == index)
            known = inputs[rows]
            targets = values[np.ix_(rows, columns)].astype(np.float64)
            weights[:, columns] = np.linalg.solve(known.T @ known + damping, known.T @ targets)
    return weights


def new_llm_ridge(pool: Array, vectors: Array, values: Array, penalty: float) -> Array:
    """Fit the ridge regression of a new LLM, whose difference from the mean weights of the others is penalised.

    Args:
        pool: [D + 1] mean weights of the other LLMs, the last the bias.
        vectors: [N, D] float64.
        values: [N], NaN where missing.
        penalty: Weight of the squared difference of the weights; that of the bias has `STRENGTH`.

    Returns:
        [D + 1] float64.
    """
    seen = ~np.isnan(values)
    known = _with_bias(vectors[seen])
    damping = np.diag([penalty] * vectors.shape[1] + [STRENGTH])
    weights: Array = pool + np.linalg.solve(known.T @ known + damping, known.T @ (values[seen] - known @ pool))
    return weights


def _with_bias(vectors: Array) -> Array:
    return np.column_stack([vectors, np.ones(len(vectors))])
