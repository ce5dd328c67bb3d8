"""The LLMs added to a fitted smoothing: nothing that was learnt changes, and each makes a column to the predictions."""

from __future__ import annotations

from dataclasses import dataclass
from statistics import NormalDist
from typing import ClassVar, Self

import numpy as np
from torch_geometric.data import HeteroData

from graphrouter.graph import task_positions
from graphrouter.nn.edge_head import LOGIT_PER_RESIDUAL
from graphrouter.routers.parts.fitted import Fitted
from graphrouter.routers.parts.new_llm import NewLLM
from graphrouter.routers.parts.pool_mixture import PoolMixture
from graphrouter.routers.smoothing.objective import QUALITY_RANGE
from graphrouter.routers.smoothing.outcome_graph import OutcomeGraph
from graphrouter.typing import Array


@dataclass(eq=False)
class AddedLLM(Fitted):
    """One LLM that was added: a mixture of the known ones, and messages of its own over ``similar_to``.

    Attributes:
        mixture: Mixture fitted to its outcomes as a whole, and on each task.
        residual: [N], on each query of the graph, how its outcome differs from what the mixture says; 0 where there is
            none.
        weight: [N] of these; 0 where there is none.
    """

    nested: ClassVar[dict[str, type[Fitted]]] = {"mixture": PoolMixture}

    mixture: PoolMixture
    residual: Array
    weight: Array

    @classmethod
    def of(cls, new_llm: NewLLM, qualities: Array, graph: OutcomeGraph) -> Self:
        """Learn from the outcomes of a new LLM.

        Args:
            new_llm: The LLM, with N outcomes.
            qualities: [E, N, M] of the LLMs that the graph knows, on the queries that the new one answered.
            graph: Graph of the training queries.
        """
        answered, weight = new_llm.answered, new_llm.weight
        performance = answered.performance[:, new_llm.column].astype(np.float64)
        task = task_positions(answered.queries.tasks, graph.tasks_)
        mixture = PoolMixture(tasks=len(graph.tasks_)).fit(_pool_logits(qualities), task, performance, weight)
        difference = performance - _sigmoid(mixture.predict(_pool_logits(qualities), task)[0])
        rows = {id_: row for row, id_ in enumerate(graph.data_.queries.ids)}
        at = np.array([rows.get(id_, -1) for id_ in answered.queries.ids], dtype=np.int64)
        residual, weights = np.zeros((2, len(rows)), dtype=np.float32)
        residual[at[at >= 0]], weights[at[at >= 0]] = difference[at >= 0], weight[at >= 0]
        return cls(mixture, residual, weights)

    def logits(self, known: Array, graph: OutcomeGraph, attached: HeteroData, gate: Array) -> tuple[Array, Array]:
        """Return mean and standard deviation [B] of its logit; arguments as in `AddedLLMs.add`, ``known`` [B, M] logits."""
        mean, deviation = self.mixture.predict(known, attached["new_query"].task.cpu().numpy())
        similar = graph.propagate(attached, self.residual, self.weight).cpu().numpy()
        return mean + LOGIT_PER_RESIDUAL * similar @ gate, deviation


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
        self, qualities: Array, log_output_costs: Array, graph: OutcomeGraph, attached: HeteroData, gate: Array
    ) -> tuple[Array, Array]:
        """Add what is predicted of the added LLMs.

        The uncertainty of one is spread over the members: each has a quantile of its logit. Its output costs, relative
        to its mean, are the mean of the others'.

        Args:
            qualities: [E, B, M] of the LLMs that the graph knows.
            log_output_costs: [B, M], logarithms of relative output costs.
            graph: Graph of the training queries.
            attached: The same with the B queries.
            gate: [H], what a residual of similar queries counts.

        Returns:
            [E, B, M + J] and [B, M + J].
        """
        quantiles, known = _normal_quantiles(len(qualities))[:, None], _pool_logits(qualities)
        logits = [llm.logits(known, graph, attached, gate) for llm in self.llms]
        columns = [_sigmoid(mean + quantiles * deviation).clip(*QUALITY_RANGE)[..., None] for mean, deviation in logits]
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
