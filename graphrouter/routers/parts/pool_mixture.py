"""The logit of a new LLM as a mixture of those of the known LLMs, learnt from few outcomes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import numpy as np

from graphrouter.routers.parts.fitted import Fitted
from graphrouter.typing import Array

STEPS = 100
"""Most steps of Newton's method; on 5 to 500 simulated outcomes of pools of 5 and 30 LLMs it needed 4 to 8."""
LARGEST_STEP = 2.0
"""Largest change of a coefficient in a step, in standard deviations of its prior: a full step may overshoot."""
TOLERANCE = 1e-9
"""Largest change of a coefficient, in standard deviations of its prior, at which the mode is found."""


@dataclass(eq=False)
class PoolMixture(Fitted):
    r"""A new LLM is taken to be of the kind of those that are known, until its outcomes say otherwise.

    .. math::
        z_{q} = \bar z_q + \sqrt{\tfrac{v}{M - 1}} \sum_{j=1}^{M} c_j (z_{qj} - \bar z_q) + \beta b + \gamma u_{t(q)},
        \qquad c_j, b, u_t \sim N(0, 1)

    :math:`z_{qj}` is the known LLMs' logit of the query. With :math:`v = 1` and without the last two terms that is a draw from a
    normal distribution with the mean and covariance of the pool: empirical Bayes, for any linear layer on top of what was
    learnt. The posterior is approximated at its mode (Laplace), so with no outcome the mean is the pool's. The defaults of one
    half are set, not tuned: no entry of ``experiments/LOG.md`` compares others.

    Attributes:
        variance: v.
        intercept: :math:`\beta`; 0 keeps the new LLM in the span of the pool.
        task: :math:`\gamma`; 0 for no effects of tasks.
        tasks: T; a query of none has no effect of its task.
    """

    variance: float = 0.5
    intercept: float = 0.5
    task: float = 0.5
    tasks: int = 0

    def fit(self, logits: Array, task: Array, performance: Array, weight: Array) -> Self:
        """Find the posterior.

        Args:
            logits: [N, M] of the known LLMs on the queries that the new one answered; N may be 0.
            task: [N] int64, T where not known.
            performance: [N] in [0, 1].
            weight: [N], how many observations each counts as.
        """
        mean, features = self._features(logits, task)
        mode = np.zeros(features.shape[1])
        for _ in range(STEPS):
            chance = 1 / (1 + np.exp(-(mean + features @ mode)))
            slope = features.T @ (weight * (performance - chance)) - mode
            step = np.linalg.solve(_curvature(features, weight, chance), slope)
            step *= min(1.0, LARGEST_STEP / max(np.abs(step).max(), TOLERANCE))
            mode = mode + step
            if np.abs(step).max() < TOLERANCE:
                break
        chance = 1 / (1 + np.exp(-(mean + features @ mode)))
        self.mode_ = mode
        self.covariance_ = np.linalg.inv(_curvature(features, weight, chance))
        return self

    def predict(self, logits: Array, task: Array) -> tuple[Array, Array]:
        """Return mean and standard deviation, [Q] each, of the new LLM's logit; arguments as in `fit`."""
        mean, features = self._features(logits, task)
        variance = ((features @ self.covariance_) * features).sum(axis=1)
        return mean + features @ self.mode_, np.sqrt(np.maximum(variance, 0))

    def weights(self, llms: int) -> Array:
        """Return [M], what each known LLM's logit counts in the mixture; they add up to 1."""
        weights = self._scale(llms) * self.mode_[:llms]
        mixed: Array = weights - weights.mean() + 1 / llms
        return mixed

    @property
    def constant(self) -> float:
        """Constant of the mixture where the task is not known."""
        return float(self.intercept * self.mode_[len(self.mode_) - self.tasks - 1])

    def _scale(self, llms: int) -> float:
        return float(np.sqrt(self.variance / max(llms - 1, 1)))

    def _features(self, logits: Array, task: Array) -> tuple[Array, Array]:
        logits = logits.astype(np.float64)
        mean = logits.mean(axis=1)
        deviations = self._scale(logits.shape[1]) * (logits - mean[:, None])
        constant = np.full((len(logits), 1), self.intercept)
        effects = self.task * (task[:, None] == np.arange(self.tasks))
        return mean, np.concatenate([deviations, constant, effects], axis=1)


def _curvature(features: Array, weight: Array, chance: Array) -> Array:
    weighted = features * (weight * chance * (1 - chance))[:, None]
    curvature: Array = features.T @ weighted + np.eye(features.shape[1])
    return curvature
