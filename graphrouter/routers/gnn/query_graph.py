"""The graph of logged queries, and the part of it that the queries of one step, or new ones, may see."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional
from torch_geometric.data import HeteroData

from graphrouter.dataset import Queries, RoutingData
from graphrouter.graph import NEW, EdgeType, attach, build, edges_of
from graphrouter.nn.neighbour_attention import Neighbours
from graphrouter.nn.query_network import AskedQueries, LoggedQueries
from graphrouter.nn.task_mean_conv import TaskMeanConv
from graphrouter.routers.parts.logged_data import VECTOR_LENGTH, data_of, data_state
from graphrouter.typing import Array

LONGEST = 3.0
"""Largest length of a text that is told apart, in standard deviations of its logarithm."""


@dataclass(eq=False)
class QueryGraph:
    """Logged queries as nodes, with edges to their tasks, to similar queries and to the LLMs that answered them.

    Attributes:
        neighbours: K, ``similar_to`` edges into a query.
        task_strength: How many observations the additive expectation of task and LLM counts as, in their mean.
        relations: Of ``belongs_to`` and ``similar_to``, those that carry messages.
    """

    neighbours: int
    task_strength: float
    relations: list[str]

    def fit(self, data: RoutingData, output_cost: Array) -> Self:
        """Take in the outcomes of N queries.

        Args:
            data: N queries, M LLMs.
            output_cost: [N, M] relative to the LLM's mean, NaN where not known.
        """
        self.data_, self.output_cost_ = data, output_cost
        self.tasks_ = sorted({task for task in data.queries.tasks if task is not None})
        length = np.log1p(data.queries.chars)
        self.length_ = [float(length.mean()), float(length.std()) or 1.0]
        return self.to(torch.device("cpu"))

    def to(self, device: torch.device) -> Self:
        """Move to a device, and make the tensors there."""
        self.device_ = device
        self.graph = build(self.data_, self.tasks_, [], self.neighbours, device)
        known = self.graph["query"]
        self.x, self.task, self.group = self._inputs(self.data_.queries), known.task, known.group
        self._cells = [self._cell(self.data_.performance), self._cell(self.output_cost_)]
        self._members = functional.one_hot(self.task, len(self.tasks_) + 1)[:, :-1].float()
        self._means = [TaskMeanConv(self.task_strength, logistic=logistic) for logistic in (True, False)]
        self.all = self.logged()
        return self

    def _cell(self, values: Array) -> tuple[Tensor, Tensor]:
        """Return values [N, M], 0 where missing, and their weights; the mean weight is 1."""
        seen = ~np.isnan(values)
        weight = np.where(seen, self.data_.draws, 0).astype(np.float32)
        if seen.any():
            weight = weight / weight[seen].mean()
        filled = np.where(seen, values, 0).astype(np.float32)
        return torch.as_tensor(filled, device=self.device_), torch.as_tensor(weight, device=self.device_)

    def _inputs(self, queries: Queries) -> Tensor:
        """Return [B, D], what is known of queries by themselves."""
        unit = functional.normalize(torch.as_tensor(queries.vectors, device=self.device_), dim=1)
        length = (np.log1p(queries.chars) - self.length_[0]) / self.length_[1]
        feature = torch.as_tensor(length.astype(np.float32), device=self.device_)[:, None].clamp(-LONGEST, LONGEST)
        return torch.cat([VECTOR_LENGTH * unit, feature], dim=1)

    def logged(self, hidden: Tensor | None = None) -> LoggedQueries:
        """Return the queries that send messages.

        Args:
            hidden: [N] bool, queries whose outcomes have no part in any mean; None for none. Their own residuals are
                there all the same, so edges from them have to be hidden too.
        """
        means, residuals = [], []
        for conv, (values, weight) in zip(self._means, self._cells, strict=True):
            seen = weight if hidden is None else weight * ~hidden[:, None]
            if not conv.logistic:  # multiples of the LLM's visible mean, or the unit would tell of hidden costs
                values = values / _visible_mean(values, seen)
            cells, members = values * seen, self._members if "belongs_to" in self.relations else self._members * 0
            table = conv.means(members.T @ cells, members.T @ seen, cells.sum(dim=0), seen.sum(dim=0))
            if "belongs_to" not in self.relations:
                table = table[-1:].expand(len(table), -1)
            means.append(table)
            residuals.append((values - table[self.task]) * (weight > 0))
        weights = [None if bool((weight == 1).all()) else weight for _, weight in self._cells]
        cost = residuals[1] if bool(self._cells[1][1].any()) else None
        return LoggedQueries(self.x, self.task, residuals[0], weights[0], cost, weights[1], torch.stack(means))

    def edges(self) -> Neighbours | None:
        """Return the edges between the logged queries, [N, K]."""
        if "similar_to" not in self.relations:
            return None
        relation = ("query", "similar_to", "query")
        graph = build(self.data_, self.tasks_, [relation], self.neighbours, self.device_)
        return _dense(graph, relation, len(self.x), self.neighbours)

    def asked(self, queries: Queries) -> AskedQueries:
        """Return B new queries, with their edges from all logged ones."""
        relation = ("query", "similar_to", NEW)
        with_messages = "similar_to" in self.relations
        graph = attach(self.graph, queries, [relation] if with_messages else [])
        near = _dense(graph, relation, len(queries), self.neighbours) if with_messages else None
        return AskedQueries(self._inputs(queries), graph[NEW].task, near)

    def get_state(self) -> dict[str, Any]:
        """Return the settings and the outcomes."""
        return {
            "settings": {
                "neighbours": self.neighbours,
                "task_strength": self.task_strength,
                "relations": self.relations,
            },
            **data_state(self.data_),
            "output_cost": self.output_cost_,
            "tasks": self.tasks_,
            "length": self.length_,
        }

    @classmethod
    def from_state(cls, state: dict[str, Any]) -> Self:
        """Rebuild from `get_state`."""
        graph = cls(**state["settings"])
        graph.data_, graph.output_cost_ = data_of(state), state["output_cost"]
        graph.tasks_, graph.length_ = list(state["tasks"]), list(state["length"])
        return graph.to(torch.device("cpu"))


def _visible_mean(values: Tensor, weights: Tensor) -> Tensor:
    """Return [M], each LLM's mean of values [N, M]; 1 where none is visible, or all are 0."""
    total = (values * weights).sum(dim=0)
    return torch.where(total > 0, total / weights.sum(dim=0).clamp(min=torch.finfo(total.dtype).tiny), 1.0)


def _dense(graph: HeteroData, relation: EdgeType, targets: int, neighbours: int) -> Neighbours:
    """Return edges that are sorted by target as [B, K]; a target with fewer neighbours has absent ones at the end."""
    edges = edges_of(graph, relation)
    source, target = edges.ends
    assert edges.attr is not None
    place = torch.arange(len(target), device=target.device) - torch.searchsorted(target.contiguous(), target)
    width = min(neighbours, len(graph["query"].x))
    rows = source.new_zeros(targets, width)
    cosine = edges.attr.new_full((targets, width), -torch.inf)
    rows[target, place], cosine[target, place] = source, edges.attr[:, 0]
    return Neighbours(rows, cosine)
