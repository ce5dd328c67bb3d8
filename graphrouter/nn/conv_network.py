"""Learned message passing over queries, tasks and LLMs, and a decoder on top of the shrunk messages."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from graphrouter.graph import Edges, EdgeType
from graphrouter.nn.edge_head import EdgeHead, EdgeInputs
from graphrouter.nn.relation_layer import RelationLayer, join_queries

States = dict[str, Tensor]


class ConvNetwork(nn.Module):
    r"""L layers of convolutions, and the logit of each (query, LLM) edge.

    The sum of the terms of `EdgeHead`, with one member, and of :math:`v_q \cdot e_m`. The query's difficulty :math:`d_q` and its
    vector :math:`v_q` are read off its state after the last layer, :math:`e_m` off the LLM's. Both start at zero, so the convolutions
    add only what they earn. The output cost follows from its messages.

    Args:
        inputs: D, width of a query's vector and features.
        llms: M.
        tasks: T.
        channels: H.
        hidden: Width of a node.
        layers: L.
        heads: Attention heads.
        conv: See `relation_conv`.
        aggregation: From `graphrouter.nn.relation_conv.find_aggregation`.
        relations: ``source verb target`` of each relation, and the width of its edges' attributes; without any, there
            are no layers.
        dropout: On the query's vector and what each layer adds.
    """

    def __init__(
        self,
        *,
        inputs: int,
        llms: int,
        tasks: int,
        channels: int,
        hidden: int,
        layers: int,
        heads: int,
        conv: str,
        aggregation: str,
        relations: dict[str, int],
        dropout: float,
    ) -> None:
        super().__init__()
        self.head = EdgeHead(1, llms, channels)
        self.query = nn.Linear(inputs, hidden)
        self.llm = nn.Parameter(torch.randn(llms, hidden))
        self.task = nn.Parameter(torch.randn(tasks, hidden))
        widths = {_relation(name): width for name, width in relations.items()}
        shape = (conv, aggregation, hidden, heads, widths, dropout)
        self.layers = nn.ModuleList(RelationLayer(*shape) for _ in range(layers if relations else 0))
        self.dropout = nn.Dropout(dropout)
        self.own = nn.Linear(hidden, hidden + 1)
        self.llm_head = nn.Linear(hidden, hidden)
        for weight in self.own.parameters():
            nn.init.zeros_(weight)

    def start(self, x: Tensor) -> States:
        """Return the states before the first layer, of queries [N, D]."""
        return {"query": self.query(self.dropout(x)), "task": self.task, "llm": self.llm}

    def convolve(self, states: States, edges: dict[EdgeType, Edges], last: dict[EdgeType, Edges]) -> list[States]:
        """Return the states before the first layer and after each.

        Args:
            states: From `start`.
            edges: Edges of every layer but the last.
            last: Edges of the last layer: those of ``edges`` that lead to a state that is read.
        """
        passed = [states]
        for layer in self.layers:
            passed.append(layer(passed[-1], last if layer is self.layers[-1] else edges))
        return passed

    def convolve_new(
        self, x: Tensor, precomputed: list[States], edges: dict[EdgeType, Edges], last: dict[EdgeType, Edges]
    ) -> Tensor:
        """Return the states [B, C] of new queries after the last layer; they send no messages.

        Args:
            x: [B, D].
            precomputed: From `convolve`, of N queries.
            edges: Into the new queries, which come behind the N, in every layer but the last.
            last: Edges of the last layer.
        """
        states = self.query(self.dropout(x))
        for layer, known in zip(self.layers, precomputed[:-1], strict=True):
            after = layer(join_queries(known, states), last if layer is self.layers[-1] else edges)
            states = after["query"][len(known["query"]) :]
        return states

    def decode(self, batch: EdgeInputs, queries: Tensor, llms: Tensor) -> tuple[Tensor, Tensor]:
        """Return logits [1, B, M] and logarithms of expected output costs [B, M].

        Args:
            batch: Messages to B queries.
            queries: [B, C] states.
            llms: [M, C] states.
        """
        mean, contrast = batch.logit_residuals()
        vector, difficulty = self.own(queries).split([self.llm.shape[1], 1], dim=1)
        logits = self.head.prior(batch.prior) + self.head.difficulty(mean, difficulty) + self.head.neighbours(contrast)
        return logits + vector @ self.llm_head(llms).T / llms.shape[1] ** 0.5, self.head.log_output_cost(batch)


def _relation(name: str) -> EdgeType:
    source, verb, target = name.split()
    return source, verb, target
