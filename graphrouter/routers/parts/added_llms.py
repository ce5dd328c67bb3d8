"""LLMs that were added to a fitted router: nothing that was learnt changes, and each makes a column to the predictions."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from statistics import NormalDist
from typing import ClassVar, Self

import numpy as np

from graphrouter.dataset import Queries
from graphrouter.graph import task_positions
from graphrouter.nn.edge_head import LOGIT_PER_RESIDUAL
from graphrouter.routers.parts.fitted import Fitted
from graphrouter.routers.parts.new_llm import NewLLM
from graphrouter.routers.parts.outcomes import QUALITY_RANGE
from graphrouter.routers.parts.pool_mixture import PoolMixture
from graphrouter.typing import Array

Similar = Callable[[Array, Array], Array]
"""Values and weights [N] of the logged queries -> [B], what they add to the residual of each query that is predicted."""


@dataclass(eq=False)
class AddedLLM(Fitted):
    """One LLM that was added: a mixture of the known ones, and messages of its own over ``similar_to``.

    Attributes:
        mixture: Mixture fitted to its outcomes as a whole, and on each task.
        residual: [N], on each logged query, how its outcome differs from what the mixture says; 0 where there is none.
        weight: [N] of these; 0 where there is none.
    """

    nested: ClassVar[dict[str, type[Fitted]]] = {"mixture": PoolMixture}

    mixture: PoolMixture
    residual: Array
    weight: Array

    @classmethod
    def of(cls, new_llm: NewLLM, qualities: Array, tasks: list[str], ids: Array) -> Self:
        """Learn from the outcomes of a new LLM.

        Args:
            new_llm: The LLM, with n outcomes.
            qualities: [E, n, M] of the known LLMs, on the queries that the new one answered.
            tasks: T names.
            ids: [N] of the logged queries.
        """
        answered, weight = new_llm.answered, new_llm.weight
        performance = answered.performance[:, new_llm.column].astype(np.float64)
        task = task_positions(answered.queries.tasks, tasks)
        mixture = PoolMixture(tasks=len(tasks)).fit(_pool_logits(qualities), task, performance, weight)
        difference = performance - _sigmoid(mixture.predict(_pool_logits(qualities), task)[0])
        rows = {id_: row for row, id_ in enumerate(ids)}
        at = np.array([rows.get(id_, -1) for id_ in answered.queries.ids], dtype=np.int64)
        residual, weights = np.zeros((2, len(rows)), dtype=np.float32)
        residual[at[at >= 0]], weights[at[at >= 0]] = difference[at >= 0], weight[at >= 0]
        return cls(mixture, residual, weights)

    def logits(self, known: Array, task: Array, similar: Similar) -> tuple[Array, Array]:
        """Return mean and standard deviation [B] of its logit, from the known LLMs' logits [B, M] and the tasks' positions [B]."""
        mean, deviation = self.mixture.predict(known, task)
        return mean + LOGIT_PER_RESIDUAL * similar(self.residual, self.weight), deviation


@dataclass(eq=False)
class AddedLLMs(Fitted):
    """All LLMs that were added, in the order in which they came.

    Attributes:
        llms: J of them.
        order: [M + J] which of the M known LLMs and, behind these, the J added ones each column of a prediction is.
    """

    nested: ClassVar[dict[str, type[Fitted]]] = {"llms": AddedLLM}

    llms: list[AddedLLM]
    order: Array

    def extend(self, new_llm: NewLLM, llm: AddedLLM) -> AddedLLMs:
        """Return these with one more."""
        return AddedLLMs([*self.llms, llm], np.append(self.order, len(self.order))[new_llm.order])

    def add(
        self, qualities: Array, log_output_costs: Array, queries: Queries, tasks: list[str], similar: Similar
    ) -> tuple[Array, Array]:
        """Add what is predicted of the added LLMs.

        The uncertainty of one is spread over the members: each has a quantile of its logit. Its output costs, relative
        to its mean, are the mean of the others'.

        Args:
            qualities: [E, B, M] of the known LLMs.
            log_output_costs: [B, M], logarithms of relative output costs.
            queries: B queries.
            tasks: T names.
            similar: Sends residuals of logged queries to the B queries.

        Returns:
            [E, B, M + J] and [B, M + J].
        """
        quantiles, known = _normal_quantiles(len(qualities))[:, None], _pool_logits(qualities)
        logits = [llm.logits(known, task_positions(queries.tasks, tasks), similar) for llm in self.llms]
        chances = [_sigmoid(mean + quantiles * deviation) for mean, deviation in logits]
        columns = [chance.clip(*QUALITY_RANGE)[..., None] for chance in chances]
        output_costs = [np.log(np.exp(log_output_costs).mean(axis=1, keepdims=True))] * len(self.llms)
        return (
            np.concatenate([qualities, *columns], axis=2).astype(np.float32)[..., self.order],
            np.concatenate([log_output_costs, *output_costs], axis=1)[:, self.order],
        )


def _sigmoid(logits: Array) -> Array:
    chance: Array = 1 / (1 + np.exp(-logits))
    return chance


def _pool_logits(qualities: Array) -> Array:
    """Return the logits [B, M] of the mean of the members [E, B, M]."""
    mean = qualities.mean(axis=0, dtype=np.float64)
    logits: Array = np.log(mean / (1 - mean))
    return logits


def _normal_quantiles(count: int) -> Array:
    """Return [count] quantiles of the normal distribution, with standard deviation 1; one alone is 0."""
    quantiles = np.array([NormalDist().inv_cdf((rank + 0.5) / count) for rank in range(count)])
    scaled: Array = quantiles / (quantiles.std() or 1.0)
    return scaled
