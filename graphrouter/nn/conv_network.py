"""Learned message passing over queries, tasks and LLMs, and a decoder on top of the shrunk messages."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from graphrouter.nn.edge_decoder import (
    AMOUNT_RANGE,
    GATE,
    LOGIT_PER_RESIDUAL,
    PRIOR_RANGE,
    SMALLEST_AMOUNT,
    EdgeInputs,
)
from graphrouter.nn.relation_layer import Edges, Relation, RelationLayer, join_queries

States = dict[str, Tensor]


class ConvNetwork(nn.Module):
    r"""L layers of convolutions, and the logit of each (query, LLM) edge.

    .. math::
        z_{qm} = a \, \mathrm{logit} \, \mu_{tm} + \sum_h g_h (r_{qhm} - \bar r_{qh}) + s_m \Big(d_q + \sum_h c_h \bar r_{qh}\Big)
               + v_q \cdot e_m

    :math:`\mu` and :math:`r` are the shrunk messages as in `EdgeDecoder`; :math:`d_q` and :math:`v_q` are read off the query's state after
    the last layer, :math:`e_m` off the LLM's. :math:`d_q` and :math:`v_q` start at zero, so the convolutions add only what they earn.
    The amount of output follows from its messages.

    Args:
        inputs: D, width of a query's vector and features.
        llms: M.
        tasks: T.
        scales: H.
        hidden: Width of a node.
        layers: L.
        heads: Of attention.
        conv: See `relation_conv`.
        aggregation: From `graphrouter.nn.relation_conv.find_aggregation`.
        relations: ``source verb target`` of each relation, and the width of its edges' attributes; without any, no node
            hears of another, and there are no layers.
        dropout: On the query's vector and what each layer adds.
    """

    def __init__(
        self,
        *,
        inputs: int,
        llms: int,
        tasks: int,
        scales: int,
        hidden: int,
        layers: int,
        heads: int,
        conv: str,
        aggregation: str,
        relations: dict[str, int],
        dropout: float,
    ) -> None:
        super().__init__()
        self.query = nn.Linear(inputs, hidden)
        self.llm = nn.Parameter(torch.randn(llms, hidden))
        self.task = nn.Parameter(torch.randn(tasks, hidden))
        widths = {_relation(name): width for name, width in relations.items()}
        shape = (conv, aggregation, hidden, heads, widths, dropout)
        self.layers = nn.ModuleList(RelationLayer(*shape) for _ in range(layers if relations else 0))
        self.dropout = nn.Dropout(dropout)
        self.head = nn.Linear(hidden, hidden + 1)
        self.llm_head = nn.Linear(hidden, hidden)
        self.prior_scale = nn.Parameter(torch.ones(()))
        self.gate = nn.Parameter(torch.full((scales,), GATE / scales))
        self.common = nn.Parameter(torch.full((scales,), GATE / scales))
        self.discrimination = nn.Parameter(torch.ones(llms))
        self.amount_gate = nn.Parameter(torch.full((scales,), GATE / scales))
        self.amount_bias = nn.Parameter(torch.zeros(llms))
        for weight in self.head.parameters():
            nn.init.zeros_(weight)

    def fast_parameters(self) -> list[nn.Parameter]:
        """Return the few global weights that do not decay."""
        names = ("prior_scale", "gate", "common", "discrimination", "amount_gate", "amount_bias")
        return [getattr(self, name) for name in names]

    def start(self, x: Tensor) -> States:
        """Return the states before the first layer, of queries [N, D]."""
        return {"query": self.query(self.dropout(x)), "task": self.task, "llm": self.llm}

    def convolve(self, states: States, edges: dict[Relation, Edges], last: dict[Relation, Edges]) -> list[States]:
        """Return the states before the first layer and after each.

        Args:
            states: From `start`.
            edges: Of every layer but the last.
            last: Of the last layer: those of ``edges`` that lead to a state that is read.
        """
        passed = [states]
        for layer in self.layers:
            passed.append(layer(passed[-1], last if layer is self.layers[-1] else edges))
        return passed

    def convolve_new(
        self, x: Tensor, precomputed: list[States], edges: dict[Relation, Edges], last: dict[Relation, Edges]
    ) -> Tensor:
        """Return the states [B, C] of new queries after the last layer; no node hears of them.

        Args:
            x: [B, D].
            precomputed: From `convolve`, of N queries.
            edges: Into the new queries, which come behind the N, in every layer but the last.
            last: Of the last layer.
        """
        states = self.query(self.dropout(x))
        for layer, known in zip(self.layers, precomputed[:-1], strict=True):
            told = layer(join_queries(known, states), last if layer is self.layers[-1] else edges)
            states = told["query"][len(known["query"]) :]
        return states

    def decode(self, batch: EdgeInputs, queries: Tensor, llms: Tensor) -> tuple[Tensor, Tensor]:
        """Return logits [B, M] and logarithms of expected amounts [B, M].

        Args:
            batch: Messages to B queries.
            queries: [B, C] states.
            llms: [M, C] states.
        """
        residual = LOGIT_PER_RESIDUAL * batch.residual
        mean = residual.mean(dim=2)
        vector, difficulty = self.head(queries).split([self.llm.shape[1], 1], dim=1)
        difficulty = difficulty + (self.common * mean).sum(dim=1, keepdim=True)
        logits = self.prior_scale * torch.logit(batch.prior.clamp(*PRIOR_RANGE)) + self.discrimination * difficulty
        logits = logits + torch.einsum("h,bhm->bm", self.gate, residual - mean[:, :, None])
        return logits + vector @ self.llm_head(llms).T / llms.shape[1] ** 0.5, self._amount(batch)

    def _amount(self, batch: EdgeInputs) -> Tensor:
        prior = batch.amount_prior.clamp(min=SMALLEST_AMOUNT)
        shift = torch.einsum("h,bhm->bm", self.amount_gate, batch.amount_residual) / prior + self.amount_bias
        return prior.log() + AMOUNT_RANGE * torch.tanh(shift / AMOUNT_RANGE)


def _relation(name: str) -> Relation:
    source, verb, target = name.split()
    return source, verb, target
