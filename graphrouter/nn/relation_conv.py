"""torch_geometric's convolutions by name, for one relation between two kinds of nodes."""

from __future__ import annotations

from torch import nn
from torch_geometric.nn import GATv2Conv, GeneralConv, SAGEConv, TransformerConv

from graphrouter.errors import UserError, suggest

AGGREGATIONS = {
    "sage": ("mean", "sum", "max"),
    "gatv2": ("attention",),
    "transformer": ("attention",),
    "hgt": ("attention",),
    "general": ("mean", "sum", "max", "attention"),
}
"""The convolutions, and how each can aggregate; the first is its default."""

READS_EDGES = ("gatv2", "transformer", "general")
"""Convolutions that read attributes of edges. For the others a relation is split by them instead."""


def find_aggregation(conv: str, aggregation: str) -> str:
    """Return how a convolution aggregates.

    Args:
        conv: One of `AGGREGATIONS`.
        aggregation: ``auto`` for the convolution's default, or one that it allows.

    Raises:
        UserError: If there is no such convolution, or it cannot aggregate so.
    """
    if conv not in AGGREGATIONS:
        raise UserError(f"unknown convolution {conv!r}{suggest(conv, list(AGGREGATIONS))}")
    allowed = AGGREGATIONS[conv]
    if aggregation == "auto":
        return allowed[0]
    if aggregation not in allowed:
        others = [name for name, known in AGGREGATIONS.items() if aggregation in known]
        hint = f", or a convolution that can: {', '.join(others)}" if others else ""
        raise UserError(
            f"the aggregation of {conv} must be auto or one of {', '.join(allowed)}, but is {aggregation!r}; choose one of "
            f"these{hint}"
        )
    return aggregation


def relation_conv(conv: str, aggregation: str, hidden: int, heads: int, edge_width: int) -> nn.Module:
    """Make the convolution of one relation, ``conv((x_source, x_target), edge_index[, edge_attr])``.

    Without weights for the target itself, where the convolution can do without; `RelationLayer` adds these once.

    Args:
        conv: ``sage`` (arXiv:1706.02216), ``gatv2`` (arXiv:2105.14491), ``transformer`` (arXiv:2009.03509) or ``general``
            (arXiv:2011.08843, what GraphRouter uses).
        aggregation: From `find_aggregation`.
        hidden: Width of both nodes.
        heads: Attention heads; they share the width.
        edge_width: Width of the edges' attributes, 0 for none.
    """
    edge_dim = edge_width or None
    if conv == "sage":
        return SAGEConv((hidden, hidden), hidden, aggr=aggregation, root_weight=False)
    if conv == "gatv2":
        return GATv2Conv((hidden, hidden), hidden // heads, heads, edge_dim=edge_dim, add_self_loops=False)
    if conv == "transformer":
        return TransformerConv((hidden, hidden), hidden // heads, heads, edge_dim=edge_dim, root_weight=False)
    attention = aggregation == "attention"
    return GeneralConv(
        (hidden, hidden), hidden, edge_dim, aggr="sum" if attention else aggregation, attention=attention
    )
