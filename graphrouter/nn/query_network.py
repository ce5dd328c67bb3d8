"""The network of the GNN: messages from similar queries and their LLMs, beside a perceptron that reads the query alone."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

from graphrouter.members import MemberLinear
from graphrouter.nn.edge_head import LOGIT_PER_RESIDUAL, PRIOR_RANGE, EdgeHead
from graphrouter.nn.neighbour_attention import NeighbourAttention, Neighbours

ATTENTION_RATE = 0.3
"""Pace of the attention relative to the perceptron's, so that both are at their best after about as many steps: alone, at one pace, the
attention is after a third of them (experiments/LOG.md, 'a learned GNN')."""
HEAD_RATE = 3.0
"""Pace of the few weights that all queries share, relative to their path's; as in the smoothing, not tuned by itself."""
TINY = 1e-12
"""Least sum of weights that a mean is divided by."""
STATE = 32
"""Width of the query's state from which its own gates are read; 64 was no better (experiments/LOG.md, 'a learned GNN')."""


class LoggedQueries(NamedTuple):
    """The N queries that send messages.

    Attributes:
        x: [N, D] vector and features of the length.
        task: [N] int64, T where not known.
        residual: [N, M] performance less what is expected on the task; 0 where missing.
        weight: [N, M], 0 where missing; None where all weigh the same.
        cost_residual: [N, M] output cost less what is expected, relative to the LLM's mean; 0 where missing, and
            None where no cost is known.
        cost_weight: [N, M], or None.
        means: [2, T + 1, M] expectation of performance and of output cost of each task, and last of no task.
    """

    x: Tensor
    task: Tensor
    residual: Tensor
    weight: Tensor | None
    cost_residual: Tensor | None
    cost_weight: Tensor | None
    means: Tensor


class AskedQueries(NamedTuple):
    """B queries that are to be predicted.

    Attributes:
        x: [B, D].
        task: [B] int64, T where not known.
        near: Edges from logged queries; None where no messages come from similar queries.
    """

    x: Tensor
    task: Tensor
    near: Neighbours | None


@dataclass(frozen=True)
class NetworkSizes:
    """Sizes of a `QueryNetwork`.

    Attributes:
        inputs: D.
        llms: M.
        tasks: T.
        members: E.
        heads: H, of the attention; 0 where no messages come from similar queries.
        metric: Width of a head's learned metric.
        hidden: Width of the perceptron.
        layers: Its hidden layers.
        dropout: On the query's vector and states.
        task_label: Whether the query's task is an input beside the expectation.
    """

    inputs: int
    llms: int
    tasks: int
    members: int
    heads: int
    metric: int
    hidden: int
    layers: int
    dropout: float
    task_label: bool


class QueryNetwork(nn.Module):
    r"""E members with two paths to the chance of success of every (query, LLM) edge, each supervised by itself.

    .. math::
        p_{qm} = \rho \, \sigma(z^{graph}_{qm}) + (1 - \rho) \, \sigma(z^{own}_{qm})

    The graph path asks similar queries: their LLMs' residuals, weighted by `NeighbourAttention`, are a message to each of the query's
    edges, and enter as `EdgeHead` has them. Nothing in it is learned of a single LLM but its discrimination. The own path is a
    perceptron on the query's vector and task, with an output for every LLM. Both add to the logit of what is expected on the
    task (a message from the task's other queries), so an untrained network predicts that. Trained on the sum of their logits, the
    paths are worse than apart: each is learned best where the other does not explain its share away.
    """

    def __init__(self, sizes: NetworkSizes) -> None:
        super().__init__()
        self.mix: Tensor
        self.sizes = sizes
        self.own = OwnPath(sizes)
        self.head = EdgeHead(sizes.members, sizes.llms, sizes.heads)
        self.cost_query = nn.Linear(sizes.inputs, 1)
        nn.init.zeros_(self.cost_query.weight)
        nn.init.zeros_(self.cost_query.bias)
        self.register_buffer("mix", torch.tensor(0.5 if sizes.heads else 0.0))
        if sizes.heads:
            self.attention = NeighbourAttention(sizes.members, sizes.inputs, sizes.tasks, sizes.heads, sizes.metric)
            self.gates = GatePath(sizes)

    def forward(self, asked: AskedQueries, logged: LoggedQueries) -> tuple[Tensor, Tensor]:
        """Return logits [P, E, B, M] of the paths, the graph's first where there is one, and log output costs [B, M]."""
        label = self._label(asked.task)
        prior, cost_prior = logged.means[:, asked.task]
        own = self.own(asked.x, label, prior)
        if asked.near is None:
            none = prior.new_zeros(len(prior), 0, prior.shape[1])
            return own[None], self.head.log_output_cost(cost_prior, none, self.cost_query(asked.x))
        weights = self.attend(asked, logged)
        prior, cost_prior = self._inferred(weights, asked, logged, prior, cost_prior)
        residual = LOGIT_PER_RESIDUAL * message(weights, asked.near, logged.residual, logged.weight)
        cost = self._cost_message(weights, asked.near, logged)
        graph = self._graph_logits(asked.x, label, prior, residual)
        return torch.stack([graph, own]), self.head.log_output_cost(cost_prior, cost, self.cost_query(asked.x))

    def _cost_message(self, weights: Tensor, near: Neighbours, logged: LoggedQueries) -> Tensor:
        """Return [B, H, M], which all members share; 0 where no cost is known."""
        if logged.cost_residual is None:
            return weights.new_zeros(*weights.shape[1:3], self.sizes.llms)
        return message(weights.mean(dim=0, keepdim=True), near, logged.cost_residual, logged.cost_weight)[0]

    def attend(self, asked: AskedQueries, logged: LoggedQueries) -> Tensor:
        """Return the weights [E, B, H, K + 1] of the neighbours, and last of nobody."""
        assert asked.near is not None
        return self.attention(asked.x, self._label(asked.task), logged.x, self._label(logged.task), asked.near)

    def _label(self, task: Tensor) -> Tensor:
        return task if self.sizes.task_label else torch.full_like(task, self.sizes.tasks)

    def _graph_logits(self, x: Tensor, label: Tensor, prior: Tensor, residual: Tensor) -> Tensor:
        """Return [E, B, M] from expectations [E or 1, B, M] and messages [E, B, H, M]."""
        mean = residual.mean(dim=3)
        gate, common = self.gates(x, label).chunk(2, dim=2)
        difficulty = self.head.difficulty(mean, (common * mean).sum(dim=2, keepdim=True))
        return self.head.prior(prior) + difficulty + self.head.neighbours(residual - mean[..., None], gate)

    def _inferred(
        self, weights: Tensor, asked: AskedQueries, logged: LoggedQueries, prior: Tensor, cost_prior: Tensor
    ) -> tuple[Tensor, Tensor]:
        """Return the expectations; where the task is not known, those of the neighbours' tasks, with nobody's from all tasks."""
        unknown = (asked.task == self.sizes.tasks).nonzero().flatten()
        prior = prior.expand(self.sizes.members, -1, -1)
        if not len(unknown):
            return prior, cost_prior
        assert asked.near is not None
        mean = weights[:, unknown].mean(dim=2)
        task = logged.task[asked.near.rows[unknown]]
        task = torch.cat([task, torch.full_like(task[:, :1], self.sizes.tasks)], dim=1)
        share = mean.new_zeros(*mean.shape[:2], self.sizes.tasks + 1)
        share = share.scatter_add(2, task.expand(len(mean), -1, -1), mean)
        inferred = share @ logged.means[0].to(share.dtype)
        costs = share.mean(dim=0) @ logged.means[1].to(share.dtype)
        return (
            prior.index_copy(1, unknown, inferred.to(prior.dtype)),
            cost_prior.index_copy(0, unknown, costs.to(cost_prior.dtype)),
        )

    def quality(self, logits: Tensor) -> Tensor:
        """Return [E, B, M], the members' chances of success from the paths' logits [P, E, B, M]."""
        chance = torch.sigmoid(logits)
        return chance[0] if len(chance) == 1 else self.mix * chance[0] + (1 - self.mix) * chance[1]

    def parameter_groups(self, lr: float) -> list[dict[str, Any]]:
        """Return AdamW's groups: each path at its pace, and the weights that all queries share without decay, at a faster one.

        Args:
            lr: Learning rate of the perceptron.
        """
        graph, shared = [], list(self.head.parameters())
        if self.sizes.heads:
            metric = [self.attention.project, self.attention.task] if self.sizes.metric else []
            graph = [*self.gates.parameters(), *metric]
            shared += [self.attention.scale, self.attention.same_task, self.attention.sink]
        fast = {"lr": HEAD_RATE * ATTENTION_RATE * lr, "weight_decay": 0.0}
        return [
            {"params": shared, **fast},
            {"params": graph, "lr": ATTENTION_RATE * lr},
            {"params": [self.own.prior_scale], "weight_decay": 0.0},
            {"params": [*self.own.layers.parameters(), self.own.task, *self.cost_query.parameters()]},
        ]


class OwnPath(nn.Module):
    """E perceptrons on the query's vector and task, whose outputs are added to the logit of the expectation."""

    def __init__(self, sizes: NetworkSizes) -> None:
        super().__init__()
        self.prior_scale = nn.Parameter(torch.ones(sizes.members, 1, 1))
        # Labels start as large as the vector's part of the first layer, or they would be learned far more slowly.
        self.task = nn.Parameter(0.5 * torch.randn(sizes.members, sizes.tasks + 1, sizes.hidden))
        widths = [sizes.inputs] + [sizes.hidden] * sizes.layers
        layers = [MemberLinear(sizes.members, *pair) for pair in pairwise(widths)]
        self.layers = nn.ModuleList([*layers, MemberLinear(sizes.members, sizes.hidden, sizes.llms, zero=True)])
        self.dropout = nn.Dropout(sizes.dropout)

    def forward(self, x: Tensor, task: Tensor, prior: Tensor) -> Tensor:
        """Return logits [E, B, M]."""
        first, *middle, last = self.layers
        state = first(self.dropout(x.expand(len(self.task), -1, -1))) + self.task[:, task]
        state = self.dropout(functional.gelu(state))
        for layer in middle:
            state = self.dropout(state + functional.gelu(layer(state)))
        logits: Tensor = self.prior_scale * torch.logit(prior.clamp(*PRIOR_RANGE)) + last(state)
        return logits


class GatePath(nn.Module):
    """E small networks that say how much a query believes each head: [B, D] -> [E, B, 2 H], 0 before training."""

    def __init__(self, sizes: NetworkSizes) -> None:
        super().__init__()
        self.task = nn.Parameter(0.5 * torch.randn(sizes.members, sizes.tasks + 1, STATE))
        self.state = MemberLinear(sizes.members, sizes.inputs, STATE)
        self.gate = MemberLinear(sizes.members, STATE, 2 * sizes.heads, zero=True)
        self.dropout = nn.Dropout(sizes.dropout)

    def forward(self, x: Tensor, task: Tensor) -> Tensor:
        """Return the gates of the differences between LLMs, and behind them those of their mean."""
        state = self.state(self.dropout(x.expand(len(self.task), -1, -1))) + self.task[:, task]
        gates: Tensor = self.gate(self.dropout(functional.gelu(state)))
        return gates


def message(weights: Tensor, near: Neighbours, values: Tensor, known: Tensor | None) -> Tensor:
    """Return [E, B, H, M], the neighbours' values, weighted by the attention; missing cells have no part in it.

    Args:
        weights: [E, B, H, K + 1], the last of nobody, whose value is 0.
        near: Edges into the B queries.
        values: [N, M], 0 where missing.
        known: [N, M] weight of each cell, 0 where missing; None where all weigh the same.
    """
    attention, nobody = weights[..., :-1], weights[..., -1:]
    if known is None:
        return _gathered(attention, values[near.rows])
    cells, weight = values * known, _gathered(attention, known[near.rows])
    return _gathered(attention, cells[near.rows]) / (weight + nobody).clamp(min=TINY)


def _gathered(attention: Tensor, cells: Tensor) -> Tensor:
    """Return [E, B, H, M] of weights [E, B, H, K] and what the neighbours send, [B, K, M]."""
    members, count, heads, neighbours = attention.shape
    flat = attention.transpose(0, 1).reshape(count, members * heads, neighbours)
    return (flat @ cells.to(flat.dtype)).view(count, members, heads, cells.shape[2]).transpose(0, 1)
