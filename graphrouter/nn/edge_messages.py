"""Graph -> what reaches every (query, LLM) edge that is to be predicted, by three rounds of message passing."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch_geometric.data import HeteroData

from graphrouter.graph import ANSWERED_BY, BELONGS_TO, SIMILAR_TO
from graphrouter.nn.dense_mean_conv import DenseMeanConv
from graphrouter.nn.kernel_conv import KernelConv
from graphrouter.nn.task_mean_conv import TaskMeanConv

NEIGHBOUR_STRENGTH = 3.0
"""How many neighbours, by kernel weight, zero counts as: a message from few is shrunk."""
HISTORY_STRENGTH = 20.0
HISTORY_LENGTH = 10.0
"""Brings the history of an LLM, a mean of unit vectors times small residuals, to about one."""


class EdgeMessages(NamedTuple):
    """What reaches the edges between B queries and M LLMs, for A = 2 attributes: performance and amount of output.

    Attributes:
        prior: [A, B, M] what the query's task expects of the LLM; with no known task, what its neighbours' tasks do.
        residual: [A, B, H, M] how the neighbours' outcomes differ from what their tasks expect, at H kernel widths.
    """

    prior: Tensor
    residual: Tensor


class PrecomputedGraph(NamedTuple):
    """What does not depend on the query that is to be predicted, so that one query costs little.

    Attributes:
        graph: Of N queries, M LLMs and T tasks.
        means: [A, T + 1, M] expectation of each task, and last of no task.
        columns: [N, 3 * A * M] what a query sends to similar ones: weighted residuals, weights, task expectations.
        history: [M, D] mean of the LLM's residual performance times the query's vector.
    """

    graph: HeteroData
    means: Tensor
    columns: Tensor
    history: Tensor


class OutcomeMessages(nn.Module):
    """Carries logged outcomes to the edges that are to be predicted; has no parameters to learn.

    1. ``belongs_to``: outcomes -> tasks, the expectation of each LLM on each task;
    2. ``answered_by``: outcomes -> LLMs, which kind of query an LLM did better on than expected;
    3. ``similar_to``: residual outcomes of similar queries -> the new query.

    Args:
        scales: Kernel widths of ``similar_to``.
        same_task_weight: How much more a neighbour of the same task counts.
        task_strength: Smoothing of the task's expectation.
        use_tasks: Whether ``belongs_to`` carries messages; otherwise every query expects the LLM's overall mean.
        use_neighbours: Whether ``similar_to`` carries messages.
        use_history: Whether ``answered_by`` carries messages.
    """

    def __init__(
        self,
        scales: tuple[float, ...],
        same_task_weight: float,
        task_strength: float,
        *,
        use_tasks: bool = True,
        use_neighbours: bool = True,
        use_history: bool = True,
    ) -> None:
        super().__init__()
        self.performance_mean = TaskMeanConv(task_strength, logistic=True)
        self.amount_mean = TaskMeanConv(task_strength, logistic=False)
        self.neighbours = KernelConv(scales, same_task_weight)
        self.history = DenseMeanConv(HISTORY_STRENGTH)
        self.scales = len(scales)
        self.use_tasks, self.use_neighbours, self.use_history = use_tasks, use_neighbours, use_history

    def precompute(self, graph: HeteroData) -> PrecomputedGraph:
        """Run rounds 1 and 2, and prepare what queries send in round 3.

        Args:
            graph: From `graphrouter.graph.build_graph`; the last column of ``answered_by.edge_attr`` is the weight of
                the edge; before it come its A = 2 attributes, performance and amount of output, NaN where missing.
        """
        values, weights = _dense(graph)
        tasks = graph["task"].num_nodes
        belongs_to = graph[BELONGS_TO].edge_index
        layers = (self.performance_mean, self.amount_mean)
        means = torch.stack(
            [layer(v, w, belongs_to, tasks) for layer, v, w in zip(layers, values, weights, strict=True)]
        )
        if not self.use_tasks:
            means = means[:, -1:].expand_as(means)
        expected = means[:, graph["query"].task]
        residual = (values - expected) * weights
        columns = torch.stack([residual, weights, expected], dim=1)
        history = self.history(graph["query"].unit, residual[0], weights[0])
        return PrecomputedGraph(
            graph, means, columns.permute(2, 0, 1, 3).flatten(1), history if self.use_history else 0 * history
        )

    def forward(self, precomputed: PrecomputedGraph, graph: HeteroData) -> EdgeMessages:
        """Run round 3.

        Args:
            precomputed: Of the graph without the new queries.
            graph: The same with B new queries, from `graphrouter.graph.attach`.
        """
        targets, attributes, llms = len(graph["new_query"].x), len(precomputed.means), precomputed.means.shape[2]
        edges = graph[SIMILAR_TO]
        sums = self.neighbours(precomputed.columns, edges.edge_index, edges.edge_attr, targets)
        sums = sums.view(targets, self.scales, attributes, 3, llms).permute(3, 2, 0, 1, 4)
        residual = sums[0] / (sums[1] + NEIGHBOUR_STRENGTH)
        known = precomputed.means[:, graph["new_query"].task]
        unknown = (graph["new_query"].task == precomputed.means.shape[1] - 1)[:, None]
        prior = known
        if unknown.any():
            prior = torch.where(unknown, self._inferred_prior(precomputed, sums[2], graph), known)
        return EdgeMessages(prior, residual if self.use_neighbours else torch.zeros_like(residual))

    def propagate(self, columns: Tensor, graph: HeteroData) -> Tensor:
        """Run round 3 for other outcomes than the graph's.

        Args:
            columns: [N, 2] weighted residual and weight of each query of the graph.
            graph: With B new queries, from `graphrouter.graph.attach`.

        Returns:
            [B, H], the residual of each new query.
        """
        targets, edges = len(graph["new_query"].x), graph[SIMILAR_TO]
        if not self.use_neighbours:
            return columns.new_zeros(targets, self.scales)
        sums = self.neighbours(columns, edges.edge_index, edges.edge_attr, targets)
        return sums[..., 0] / (sums[..., 1] + NEIGHBOUR_STRENGTH)

    def _inferred_prior(self, precomputed: PrecomputedGraph, expected: Tensor, graph: HeteroData) -> Tensor:
        """Return [A, B, M]: the expectations of the neighbours' tasks, averaged, for queries without a known task."""
        overall = precomputed.means[:, -1:]
        if not self.use_neighbours or not self.use_tasks:
            return overall.expand(-1, len(graph["new_query"].x), -1)
        ones = torch.ones(len(graph["query"].x), 1, device=overall.device)
        edges = graph[SIMILAR_TO]
        totals = self.neighbours(ones, edges.edge_index, edges.edge_attr, len(graph["new_query"].x)).mean(dim=1)
        return (expected.mean(dim=2) + overall) / (totals + 1)


def _dense(graph: HeteroData) -> tuple[Tensor, Tensor]:
    """Return the edges' attributes and weights as matrices [A, N, M], 0 where missing."""
    row, column = graph[ANSWERED_BY].edge_index
    *attributes, weight = graph[ANSWERED_BY].edge_attr.T
    shape = (len(attributes), len(graph["query"].x), len(graph["llm"].x))
    values, weights = weight.new_zeros(shape), weight.new_zeros(shape)
    for position, attribute in enumerate(attributes):
        seen = ~torch.isnan(attribute)
        values[position, row[seen], column[seen]] = attribute[seen]
        weights[position, row[seen], column[seen]] = weight[seen]
    return values, weights
