"""Losses that the GNN's network is trained and validated by."""

from __future__ import annotations

import torch
from torch import Tensor

from graphrouter.dataset import RoutingData
from graphrouter.nn.losses import LOSSES, output_cost_loss
from graphrouter.nn.query_network import AskedQueries, QueryNetwork
from graphrouter.routers.gnn.query_graph import QueryGraph
from graphrouter.routers.parts.outcomes import ensemble_loss, outcomes

WHOLE_TASK = 0.5
"""Share of the queries without their task whose neighbours of that task are hidden too, so that the task is a new one to them."""
MIXES = 21
"""Shares of the graph path that are compared on validation: 0, 0.05, ..., 1."""


class TrainingObjective:
    """The loss of a batch of logged queries, which the others send messages to.

    The queries of the batch, and those of their text groups, are hidden: their outcomes are in no mean and in no message.

    Args:
        module: The network.
        graph: The N queries.
        loss: One of `graphrouter.nn.losses.LOSSES`.
        cost_weight: Weight of the loss of the output cost.
        task_dropout: Share of queries shown without their task.
    """

    def __init__(
        self, module: QueryNetwork, graph: QueryGraph, loss: str, cost_weight: float, task_dropout: float
    ) -> None:
        self.module, self.graph, self.edges = module, graph, graph.edges()
        self.target, self.draws = outcomes(graph.data_, graph.device_)
        self.output_cost = torch.as_tensor(graph.output_cost_, device=graph.device_)
        self.loss, self.cost_weight, self.task_dropout = LOSSES[loss], cost_weight, task_dropout

    def __call__(self, batch: Tensor) -> Tensor:
        """Return the loss of the queries in rows [B]."""
        graph = self.graph
        hidden = torch.isin(graph.group, graph.group[batch])
        with torch.no_grad():
            logged = graph.logged(hidden)
        logits, log_output_cost = self.module(self._asked(batch, hidden), logged)
        flat = logits.flatten(0, 1)
        weight = self.draws[batch].expand_as(flat)
        quality = self.loss(flat, self.target[batch], weight)
        return quality + self.cost_weight * output_cost_loss(log_output_cost, self.output_cost[batch])

    def _asked(self, batch: Tensor, hidden: Tensor) -> AskedQueries:
        graph, draws = self.graph, torch.rand(2, len(batch), device=batch.device)
        unlabelled = draws[0] < self.task_dropout
        task = graph.task[batch].masked_fill(unlabelled, len(graph.tasks_))
        near = None
        if self.edges is not None:
            near = self.edges.take(batch)
            same_task = graph.task[near.rows] == graph.task[batch, None]
            near = near.hide(hidden[near.rows] | (same_task & (unlabelled & (draws[1] < WHOLE_TASK))[:, None]))
        return AskedQueries(graph.x[batch], task, near)


class ValidationObjective:
    """The negative log-likelihood of the members' mean on the validation queries, whatever the training loss.

    Args:
        module: The network.
        graph: The N training queries, all of which send messages.
        data: The validation queries and outcomes.
        block: Queries that are predicted at once.
    """

    def __init__(self, module: QueryNetwork, graph: QueryGraph, data: RoutingData, block: int) -> None:
        self.module, self.logged = module, graph.all
        starts = range(0, len(data.queries), block)
        self.asked = [graph.asked(data.queries.take(slice(start, start + block))) for start in starts]
        self.target, self.draws = outcomes(data, graph.device_)

    def __call__(self) -> float:
        """Return the loss, weighted by draws."""
        return self._loss(self._logits())

    def _logits(self) -> Tensor:
        """Return [P, E, Q, M] of the paths."""
        return torch.cat([self.module(asked, self.logged)[0] for asked in self.asked], dim=2)

    def _loss(self, logits: Tensor) -> float:
        return ensemble_loss(self.module.quality(logits), self.target, self.draws)

    @torch.no_grad()
    def choose_mix(self) -> None:
        """Set the network's share of the graph path to the one with the best likelihood."""
        logits = self._logits()
        if len(logits) == 1:
            return
        losses = []
        shares = torch.linspace(0, 1, MIXES).tolist()
        for share in shares:
            self.module.mix.fill_(share)
            losses.append(self._loss(logits))
        self.module.mix.fill_(shares[losses.index(min(losses))])
