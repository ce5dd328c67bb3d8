"""Graph -> messages of logged outcomes to every (query, LLM) edge that is to be predicted."""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch_geometric.data import HeteroData
from torch_geometric.nn import MessagePassing

from graphrouter.graph import NEW, Edges, EdgeType, edges_of
from graphrouter.nn.contrast_conv import ContrastConv
from graphrouter.nn.dense_mean_conv import DenseMeanConv
from graphrouter.nn.kernel_conv import KernelConv
from graphrouter.nn.task_mean_conv import TaskMeanConv, overall_mean

NEIGHBOUR_STRENGTH = 3.0
"""Number of neighbours, by kernel weight, that zero counts as: a message from few is shrunk. Not tuned."""
HISTORY_STRENGTH = 20.0
"""Number of queries that a history of zero counts as. Its value hardly matters: without ``answered_by`` the likelihood stays the same
on all logs of experiments/LOG.md."""


class MessageOptions(NamedTuple):
    """Settings of the operators.

    Attributes:
        scales: Kernel widths over neighbours.
        same_task_weight: Weight of a neighbour of the same task; one of another has 1.
        task_strength: Number of observations that the additive expectation counts as, in a task's mean.
    """

    scales: tuple[float, ...]
    same_task_weight: float
    task_strength: float


OPERATORS: dict[EdgeType, Callable[[MessageOptions], nn.Module]] = {
    ("query", "belongs_to", "task"): lambda options: nn.ModuleList(
        TaskMeanConv(options.task_strength, logistic=logistic) for logistic in (True, False)
    ),
    ("query", "similar_to", NEW): lambda options: KernelConv(options.scales, options.same_task_weight),
    ("query", "answered_by", "llm"): lambda _: DenseMeanConv(HISTORY_STRENGTH),
    ("llm", "rev_answered_by", NEW): lambda _: ContrastConv(),
}
"""Operator of each relation. By its ends a relation is

- into a task: an expectation of each LLM there;
- from queries to an LLM: columns of its history, which the decoder reads;
- from queries to a new query: channels of the residual, one for each kernel width;
- from LLMs to a new query: columns of the query's state in the decoder, from the LLMs' states.
"""

RELATIONS = tuple(verb for _, verb, _ in OPERATORS)


def operators(names: Collection[str], source: str, target: str, options: MessageOptions) -> nn.ModuleDict:
    """Make the operators between two kinds of nodes, of the relations whose verbs are among the names."""
    return nn.ModuleDict(
        {
            relation[1]: make(options)
            for relation, make in OPERATORS.items()
            if (relation[0], relation[2]) == (source, target) and relation[1] in names
        }
    )


class EdgeMessages(NamedTuple):
    """Messages to the edges between B queries and M LLMs, for A = 2 attributes: performance and output cost.

    Attributes:
        prior: [A, B, M] expectation of the query's task; with no known task, that of its neighbours' tasks.
        residual: [A, B, H, M] difference of the neighbours' outcomes from what their tasks expect, in H channels.
    """

    prior: Tensor
    residual: Tensor


class PrecomputedGraph(NamedTuple):
    """All that does not depend on the query that is to be predicted, so that one query costs little.

    Attributes:
        means: [A, T + 1, M] expectation of each task, and last of no task.
        columns: [N, 3 * A * M] what a query sends to similar ones: weighted residuals, weights, task expectations.
        history: [M, D] mean of the LLM's residual performance times the query's vector.
    """

    means: Tensor
    columns: Tensor
    history: Tensor


class OutcomeMessages(nn.Module):
    """Propagates logged outcomes to the edges that are to be predicted; has no parameters to learn.

    First come the relations into tasks and LLMs, which are the same for all new queries, then those into new queries.

    Args:
        relations: Names; a relation that is not among them has no operator.
        options: Options of the operators.
    """

    def __init__(self, relations: Collection[str], options: MessageOptions) -> None:
        super().__init__()
        self.into_tasks = operators(relations, "query", "task", options)
        self.into_llms = operators(relations, "query", "llm", options)
        self.into_new = operators(relations, "query", NEW, options)
        self.channels = len(options.scales) * len(self.into_new)

    def edge_types(self) -> list[EdgeType]:
        """Return the relations whose edges are read; a dense operator reads outcomes as a matrix."""
        made = {**self.into_tasks, **self.into_llms, **self.into_new}
        sparse = [name for name, one in made.items() if any(isinstance(part, MessagePassing) for part in one.modules())]
        return [relation for relation in OPERATORS if relation[1] in sparse]

    def precompute(self, graph: HeteroData, values: Tensor, weights: Tensor) -> PrecomputedGraph:
        """Propagate to tasks and LLMs, and prepare what queries send to new ones.

        Args:
            graph: Graph of N queries, M LLMs and T tasks, from `graphrouter.graph.build`.
            values: [A, N, M] performance and output cost, 0 where missing.
            weights: [A, N, M], 0 where missing.
        """
        means = torch.stack([overall_mean(v, w)[None] for v, w in zip(values, weights, strict=True)])
        for name, layers in self.into_tasks.items():
            index, tasks = graph["query", name, "task"].edge_index, graph["task"].num_nodes
            means = torch.stack(
                [layer(v, w, index, tasks) for layer, v, w in zip(layers.children(), values, weights, strict=True)]
            )
        expected = means[:, graph["query"].task]
        residual = (values - expected) * weights
        columns = torch.stack([residual, weights, expected], dim=1).permute(2, 0, 1, 3).flatten(1)
        unit = graph["query"].unit
        history = [conv(unit, residual[0], weights[0]) for conv in self.into_llms.values()]
        return PrecomputedGraph(
            means, columns, torch.cat(history, dim=1) if history else unit.new_zeros(values.shape[2], 0)
        )

    def forward(self, precomputed: PrecomputedGraph, graph: HeteroData) -> EdgeMessages:
        """Propagate to new queries.

        Args:
            precomputed: States of the graph without the new queries.
            graph: The same with B new queries, from `graphrouter.graph.attach`.
        """
        task, (attributes, known, llms) = graph[NEW].task, precomputed.means.shape
        sums = self._propagate(precomputed.columns, graph)
        sums = sums.view(len(task), self.channels, attributes, 3, llms).permute(3, 2, 0, 1, 4)
        residual = sums[0] / (sums[1] + NEIGHBOUR_STRENGTH)
        prior, unknown = precomputed.means[:, task], (task == known - 1)[:, None]
        if self.channels and self.into_tasks and unknown.any():
            ones = precomputed.columns.new_ones(len(precomputed.columns), 1)
            expected = sums[2].mean(dim=2) + precomputed.means[:, -1:]
            inferred = expected / (self._propagate(ones, graph).mean(dim=1) + 1)
            prior = torch.where(unknown, inferred, prior)
        return EdgeMessages(prior, residual)

    def propagate(self, columns: Tensor, graph: HeteroData) -> Tensor:
        """Propagate other outcomes than the graph's to new queries.

        Args:
            columns: [N, 2] weighted residual and weight of each query of the graph.
            graph: With B new queries, from `graphrouter.graph.attach`.

        Returns:
            [B, H], the residual of each new query.
        """
        sums = self._propagate(columns, graph)
        return sums[..., 0] / (sums[..., 1] + NEIGHBOUR_STRENGTH)

    def _propagate(self, columns: Tensor, graph: HeteroData) -> Tensor:
        """Return the kernel sums [B, H, C] of columns [N, C]."""
        targets = len(graph[NEW].x)
        sums = [columns.new_zeros(targets, 0, columns.shape[1])] if not self.into_new else []
        for name, conv in self.into_new.items():
            edges = edges_of(graph, ("query", name, NEW))
            sums.append(conv(columns, edges.ends, _with_same_task(graph, edges), targets))
        return torch.cat(sums, dim=1) if len(sums) != 1 else sums[0]


def _with_same_task(graph: HeteroData, edges: Edges) -> Tensor:
    """Return the edges' attribute, and 1 beside it where query and new query have one task that is known."""
    source, target = graph["query"].task[edges.ends[0]], graph[NEW].task[edges.ends[1]]
    same = (source == target) & (target < graph["task"].num_nodes)
    assert edges.attr is not None
    return torch.cat([edges.attr, same[:, None].float()], dim=1)
