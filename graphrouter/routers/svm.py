"""SVM: one support vector machine per LLM that tells whether the LLM is right."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any, ClassVar, Self

import numpy as np

from graphrouter.dataset import Queries, RoutingData
from graphrouter.ranges import COUNT, POSITIVE, Range
from graphrouter.routers.base import Prediction
from graphrouter.routers.parts.calibration import PlattScaling
from graphrouter.routers.parts.query_inputs import LENGTH_WEIGHT, QueryInputs, VectorRouter
from graphrouter.routers.parts.task_means import TaskMeans
from graphrouter.typing import Array

KERNELS = ("linear", "rbf")


@dataclass(eq=False)
class SVM(VectorRouter):
    """Scores each LLM by a classifier on the normalised vector, the task and the length, or on kernel features of these.

    For each LLM over its observed queries, ``min over w, b of (|w|^2 + b^2) / 2 + c * sum of v * max(0, 1 - t (x . w + b))^2``
    with target t: a query of performance y enters as a success (t = 1) with weight v = y and as a failure (t = -1) with
    weight v = 1 - y, so that graded performance needs no threshold. The radial kernel ``exp(-gamma |x - x'|^2)`` is
    approximated by Nystroem features (Williams and Seeger, 2001), since an exact kernel for each of 30 LLMs is slow.
    Scores become probabilities by Platt scaling on the validation split. Cost is the mean of the LLM on the task.

    RouterBench's code has a linear support vector regression for each LLM; this classifies, so that it predicts a
    probability. LLMRouter's code has one classifier whose classes are the LLMs, which turns ties into noise.

    Attributes:
        c: Weight of the errors against the margin.
        kernel: ``linear`` or ``rbf``.
        gamma: Coefficient of the radial kernel; normalised vectors lie within a distance of 2.
        components: How many Nystroem features; never more than training queries.
    """

    c: float = 0.1
    kernel: str = "rbf"
    gamma: float = 1.0
    components: int = 256

    source: ClassVar[str] = (
        "Cortes and Vapnik (1995); for each LLM as in RouterBench's code, routers/svm_router.py; Platt (1999)"
    )
    ranges: ClassVar[dict[str, Range]] = {"c": POSITIVE, "gamma": POSITIVE, "components": COUNT}
    choices: ClassVar[dict[str, Collection[str]]] = {**VectorRouter.choices, "kernel": KERNELS}
    parts: ClassVar[dict[str, Any]] = {**VectorRouter.parts, "platt_": PlattScaling}
    search_space: ClassVar[tuple[dict[str, Any], ...]] = (
        {"c": 0.1},
        {"c": 0.01},
        {"c": 0.3},
        {"c": 1.0},
        {"c": 0.01, "kernel": "linear"},
        {"c": 0.1, "inputs": ["vector"]},
    )

    def fit(self, train: RoutingData, validation: RoutingData) -> Self:
        """Fit the classifiers on train and the probabilities on validation."""
        train = train.sorted()
        self.cost_ = TaskMeans().fit(train.cost, train.queries.tasks)
        self.inputs_ = QueryInputs(self.inputs, unit=True, length_weight=LENGTH_WEIGHT).fit(train.queries)
        rows = self.inputs_.rows(train.queries)
        self.landmarks_: Array | None = None
        if self.kernel == "rbf":
            self.landmarks_, self.whitening_ = self._nystroem(rows)
        features = self._features(rows)
        lines = np.array([_classifier(features, train.performance[:, m], self.c) for m in range(len(train.llms))])
        self.weights_, self.bias_ = lines[:, :-1].T.copy(), lines[:, -1].copy()
        validation = validation.sorted()
        self.platt_ = PlattScaling().fit(self._scores(validation.queries), validation.performance)
        return self

    def predict(self, queries: Queries) -> Prediction:
        """Return the calibrated scores and the mean cost on the task, [Q, M]."""
        return Prediction(self.platt_.apply(self._scores(queries)), self.cost_.lookup(queries.tasks))

    def _scores(self, queries: Queries) -> Array:
        scores: Array = self._features(self.inputs_.rows(queries)) @ self.weights_ + self.bias_
        return scores

    def _features(self, rows: Array) -> Array:
        if self.landmarks_ is None:
            return rows
        features: Array = _radial(rows, self.landmarks_, self.gamma) @ self.whitening_
        return features

    def _nystroem(self, inputs: Array) -> tuple[Array, Array]:
        """Return landmarks [K, D] drawn from the rows, and the inverse root [K, K] of their kernel matrix."""
        count = min(self.components, len(inputs))
        landmarks = inputs[np.random.default_rng(self.seed).permutation(len(inputs))[:count]]
        values, axes = np.linalg.eigh(_radial(landmarks, landmarks, self.gamma))
        return landmarks, axes / np.sqrt(np.maximum(values, 1e-6)) @ axes.T


def _radial(left: Array, right: Array, gamma: float) -> Array:
    squared = (left**2).sum(axis=1)[:, None] + (right**2).sum(axis=1) - 2 * left @ right.T
    kernel: Array = np.exp(-gamma * np.maximum(squared, 0.0))
    return kernel


def _classifier(features: Array, performance: Array, c: float) -> Array:
    """Return weights and bias [D + 1] of one LLM; zeros where it was always right, always wrong, or never seen."""
    from sklearn.svm import LinearSVC

    seen = ~np.isnan(performance)
    known, y = features[seen], performance[seen].astype(np.float64)
    right, wrong = y > 0, y < 1
    if not right.any() or not wrong.any():
        return np.zeros(features.shape[1] + 1)
    inputs = np.vstack([known[right], known[wrong]])
    targets = np.repeat([1, -1], [right.sum(), wrong.sum()])
    weights = np.concatenate([y[right], 1 - y[wrong]])
    machine = LinearSVC(C=c, dual=False, max_iter=1000, tol=1e-3).fit(inputs, targets, sample_weight=weights)
    return np.append(machine.coef_[0], machine.intercept_[0])
