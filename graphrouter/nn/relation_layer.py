"""One layer of learned message passing over a graph of several relations."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch_geometric.nn import HGTConv

from graphrouter.graph import Edges, EdgeType
from graphrouter.nn.relation_conv import relation_conv

NODES = ("query", "task", "llm")


class RelationLayer(nn.Module):
    r"""Messages of all relations are added up, and added to the node.

    .. math::
        x'_i = \mathrm{norm}\Big(x_i + \mathrm{gelu}\big(W x_i + \sum_{r} \mathrm{conv}_r(x, N_r(i))\big)\Big)

    With ``hgt`` (arXiv:2003.01332) one convolution with attention over all relations stands in the place of the sum.

    Args:
        conv: See `relation_conv`, or ``hgt``.
        aggregation: From `graphrouter.nn.relation_conv.find_aggregation`.
        hidden: Width of a node.
        heads: Attention heads.
        relations: The relations, and the width of their edges' attributes.
        dropout: On what is added to a node.
    """

    def __init__(
        self, conv: str, aggregation: str, hidden: int, heads: int, relations: dict[EdgeType, int], dropout: float
    ) -> None:
        super().__init__()
        self.whole = HGTConv(hidden, hidden, (list(NODES), list(relations)), heads) if conv == "hgt" else None
        parts = {} if conv == "hgt" else relations
        self.convs = nn.ModuleDict(
            {_key(name): relation_conv(conv, aggregation, hidden, heads, width) for name, width in parts.items()}
        )
        self.own = nn.ModuleDict({node: nn.Linear(hidden, hidden) for node in NODES})
        self.norms = nn.ModuleDict({node: nn.LayerNorm(hidden) for node in NODES})
        self.dropout = nn.Dropout(dropout)

    def forward(self, x: dict[str, Tensor], edges: dict[EdgeType, Edges]) -> dict[str, Tensor]:
        """Propagate; kinds of nodes and relations may be absent."""
        sums = {node: self.own[node](states) for node, states in x.items()}
        for node, messages in self._messages(x, edges).items():
            sums[node] = sums[node] + messages
        return {
            node: self.norms[node](states + self.dropout(functional.gelu(sums[node]))) for node, states in x.items()
        }

    def _messages(self, x: dict[str, Tensor], edges: dict[EdgeType, Edges]) -> dict[str, Tensor]:
        if self.whole is not None:
            found = self.whole(x, {relation: given.ends for relation, given in edges.items()}) if edges else {}
            return {node: states for node, states in found.items() if states is not None}
        sums: dict[str, Tensor] = {}
        for relation, (index, attr) in edges.items():
            source, _, target = relation
            arguments = (index,) if attr is None else (index, attr)
            message = self.convs[_key(relation)]((x[source], x[target]), *arguments)
            sums[target] = sums[target] + message if target in sums else message
        return sums


def _key(relation: EdgeType) -> str:
    return "__".join(relation)


def join_queries(x: dict[str, Tensor], new: Tensor) -> dict[str, Tensor]:
    """Return the states [N, C] of the queries with those of B new ones behind them."""
    return {**x, "query": torch.cat([x["query"], new])}
