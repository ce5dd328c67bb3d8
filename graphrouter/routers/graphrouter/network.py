"""The network of the published GraphRouter (arXiv:2410.03834; github.com/ulab-uiuc/GraphRouter, model/graph_nn.py)."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F


class DenseGeneralConv(nn.Module):
    """`torch_geometric.nn.GeneralConv` from queries to LLMs, as a masked matrix product, for P masks at once.

    ``x'_m = x_m + sum over the visible queries q of (W x_q + b + V e_qm + c)``. A query receives no message and stays.
    The parameters have the names that they have there.

    Args:
        channels: C, width of a node before and after.
        edge_channels: E, width of an edge's features.
    """

    def __init__(self, channels: int, edge_channels: int) -> None:
        super().__init__()
        self.lin_msg = nn.Linear(channels, channels)
        self.lin_edge = nn.Linear(edge_channels, channels)

    def forward(self, queries: Tensor, llms: Tensor, edges: Tensor, visible: Tensor) -> Tensor:
        """Return [P, M, C], the LLMs after their messages.

        Args:
            queries: [P or 1, Q, C].
            llms: [P or 1, M, C].
            edges: [M, Q, E].
            visible: [M, P, Q], 1 where an edge carries a message and 0 elsewhere.
        """
        summed = visible.transpose(0, 1) @ queries
        summed_edges = (visible @ edges).transpose(0, 1)
        degree = visible.sum(dim=2).T[:, :, None]
        messages = summed @ self.lin_msg.weight.T + summed_edges @ self.lin_edge.weight.T
        return llms + messages + degree * (self.lin_msg.bias + self.lin_edge.bias)


class NodeNorm(nn.BatchNorm1d):
    """`torch.nn.BatchNorm1d` over queries and LLMs together, for P masks at once.

    Each mask has its own statistics, and they enter the running ones in turn, as if the masks came one by one.
    """

    running_mean: Tensor
    running_var: Tensor
    momentum: float

    def forward(self, queries: Tensor, llms: Tensor) -> tuple[Tensor, Tensor]:  # type: ignore[override]
        """Normalise queries [P or 1, Q, C] and LLMs [P, M, C]; return both as [P, ., C]."""
        mean, variance = self._statistics(queries, llms) if self.training else (self.running_mean, self.running_var)
        scale = self.weight / torch.sqrt(variance + self.eps)
        shift = self.bias - mean * scale
        return queries * scale + shift, llms * scale + shift

    def _statistics(self, queries: Tensor, llms: Tensor) -> tuple[Tensor, Tensor]:
        q, m = queries.shape[1], llms.shape[1]
        query_variance, query_mean = torch.var_mean(queries, dim=1, keepdim=True, correction=0)
        mean = (q * query_mean + llms.sum(dim=1, keepdim=True)) / (q + m)
        spread = q * (query_variance + (query_mean - mean) ** 2) + ((llms - mean) ** 2).sum(dim=1, keepdim=True)
        with torch.no_grad():
            for one_mean, one_spread in zip(mean, spread, strict=True):
                self.running_mean.lerp_(one_mean[0], self.momentum)
                self.running_var.lerp_(one_spread[0] / (q + m - 1), self.momentum)
        return mean, spread / (q + m)


class Graph(NamedTuple):
    """Training split as the network's input tensors.

    Attributes:
        queries: [Q, D] vectors.
        task_of: [Q] row of each query's task in ``tasks``.
        tasks: [T, D] features of the tasks.
        llms: [M, L] vectors of the descriptions.
        edges: [M, Q, E] reward, performance and, where the log has it, normalised cost; 0 where missing.
        seen: [M, Q], 1 where there is an edge and 0 elsewhere.
        sign: [M, Q] -1 for the LLM with the query's highest reward (label 1), and 1 for the others (label 0).
    """

    queries: Tensor
    task_of: Tensor
    tasks: Tensor
    llms: Tensor
    edges: Tensor
    seen: Tensor
    sign: Tensor


class EdgeNetwork(nn.Module):
    """One scenario's network: two convolutions towards the LLMs, and a product with the query.

    Args:
        inputs: D, length of a query's or a task's vector.
        llm_inputs: L, length of an LLM's vector.
        edges: E, width of an edge's features.
        hidden: Half the width of a node.
    """

    def __init__(self, inputs: int, llm_inputs: int, edges: int, hidden: int) -> None:
        super().__init__()
        self.query, self.task = nn.Linear(inputs, hidden), nn.Linear(inputs, hidden)
        self.llm = nn.Linear(llm_inputs, 2 * hidden)
        self.edge = nn.Linear(edges, edges)
        self.conv1, self.conv2 = DenseGeneralConv(2 * hidden, edges), DenseGeneralConv(2 * hidden, edges)
        self.norm1, self.norm2 = NodeNorm(2 * hidden), NodeNorm(2 * hidden)

    def query_nodes(self, queries: Tensor, task_of: Tensor, tasks: Tensor) -> Tensor:
        """Return [Q, C]: the projected task beside the projected query."""
        return torch.cat([self.task(tasks)[task_of], self.query(queries)], dim=1)

    def llm_nodes(self, graph: Graph, query_nodes: Tensor, visible: Tensor) -> Tensor:
        """Return [P, M, C], the LLMs after two convolutions over the visible edges [M, P, Q]."""
        edges = F.relu(self.edge(graph.edges))
        queries, llms = query_nodes[None], self.llm(graph.llms)[None]
        queries, llms = self.norm1(queries, self.conv1(queries, llms, edges, visible))
        queries, llms = F.relu(queries), F.relu(llms)
        return self.norm2(queries, self.conv2(queries, llms, edges, visible))[1]

    def loss(self, graph: Graph, passes: int, mask_rate: float) -> Tensor:
        """Return the mean over ``passes`` random masks of the cross-entropy of the edges that are not visible."""
        llms, queries = graph.seen.shape
        seen = graph.seen[:, None]
        visible = (torch.rand((llms, passes, queries), device=seen.device) < mask_rate).float() * seen
        hidden = (seen - visible).transpose(0, 1)
        nodes = self.query_nodes(graph.queries, graph.task_of, graph.tasks)
        logits = self.score(nodes, self.llm_nodes(graph, nodes, visible))
        total = (F.softplus(logits * graph.sign) * hidden).sum(dim=(1, 2))
        return (total / hidden.sum(dim=(1, 2)).clamp(min=1)).mean()

    def precomputed_llms(self, graph: Graph) -> Tensor:
        """Return [M, C], the LLMs after the messages of all training edges; any query is scored against them."""
        nodes = self.query_nodes(graph.queries, graph.task_of, graph.tasks)
        return self.llm_nodes(graph, nodes, graph.seen[:, None])[0]

    @staticmethod
    def score(queries: Tensor, llms: Tensor) -> Tensor:
        """Return the logits [..., M, Q] of query nodes [Q, C] and LLM nodes [..., M, C]."""
        return llms / queries.shape[-1] @ queries.T
