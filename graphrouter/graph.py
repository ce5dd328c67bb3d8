"""RoutingData -> torch_geometric HeteroData: queries, LLMs and tasks as nodes, the relations of a table as edges.

A query that is to be predicted, in training too, is a ``new_query``. Edges lead to that node type from logged queries and none
leads from it, so none of its outcomes can reach its prediction, by whatever layers run on the graph. Outcomes, the relation
``answered_by`` of queries and LLMs, are dense: routers read them as the matrices of `RoutingData`, not as edges.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional
from torch_geometric.data import HeteroData

from graphrouter.dataset import Queries, RoutingData
from graphrouter.nearest import similarities

EdgeType = tuple[str, str, str]
BLOCK = 2048
"""Queries that are compared with all of the log at once."""
NEW = "new_query"


class Edges(NamedTuple):
    """Edges of one relation.

    Attributes:
        ends: [2, E] from source to target.
        attr: [E, A], or None where they have no attributes.
    """

    ends: Tensor
    attr: Tensor | None = None


class Relation(NamedTuple):
    """A line of the table.

    Attributes:
        edges: Makes the edges of some queries, from the graph and the node store of these queries, ``query`` or ``new_query``.
        width: A, number of the edges' attributes.
    """

    edges: Callable[[HeteroData, Any], Edges]
    width: int = 0


def _belongs_to(graph: HeteroData, queries: Any) -> Edges:
    member = (queries.task < graph["task"].num_nodes).nonzero().flatten()
    return Edges(torch.stack([member, queries.task[member]]))


def _similar_to(graph: HeteroData, queries: Any) -> Edges:
    """From the K nearest queries of another text group, sorted by target, nearest first; the attribute is the cosine.

    Which of equally near queries has the last place is arbitrary. `KernelConv` gives the farthest neighbour no weight, so it has no effect
    there; `NeighbourAttention` may give it some.
    """
    known = graph["query"]
    blocks = similarities(functional.normalize(queries.x, dim=1), known.unit, queries.group, known.group, block=BLOCK)
    nearest = [cosines.topk(min(graph.neighbours, len(known.x)), dim=1) for _, cosines in blocks]
    if not nearest:
        return Edges(known.group.new_empty(2, 0), known.x.new_empty(0, 1))
    cosine, source = (torch.cat(parts) for parts in zip(*nearest, strict=True))
    allowed = cosine > -torch.inf
    target = torch.arange(len(source), device=source.device)[:, None].expand_as(source)[allowed]
    return Edges(torch.stack([source[allowed], target]), cosine[allowed][:, None])


RELATIONS: dict[EdgeType, Relation] = {
    ("query", "belongs_to", "task"): Relation(_belongs_to),
    ("query", "similar_to", "query"): Relation(_similar_to, width=1),
    ("query", "similar_to", NEW): Relation(_similar_to, width=1),
}
"""The relations. One that also leads to new queries must tell none of their outcomes."""


def build(
    data: RoutingData, tasks: list[str], relations: Iterable[EdgeType], neighbours: int, device: torch.device
) -> HeteroData:
    """Build the graph of a log whose outcomes are all visible.

    Args:
        data: Q queries, M LLMs.
        tasks: T names; a query of another task, or of none, has no ``belongs_to`` edge.
        relations: Lines of `RELATIONS`; those into new queries have to wait for `attach`.
        neighbours: K, most ``similar_to`` edges into a query.
        device: Device of the tensors.

    Returns:
        Node stores ``query`` (``x`` [Q, D], ``unit`` the same at length 1, ``group`` [Q], ``task`` [Q]), ``llm`` (``x`` [M, L]) and
        ``task`` (``num_nodes`` T), and the edges.
    """
    graph = HeteroData(neighbours=neighbours, tasks=tasks)
    _add_queries(graph, "query", data.queries, device)
    graph["query"].unit = functional.normalize(graph["query"].x, dim=1)
    graph["llm"].x = torch.as_tensor(data.llms.vectors, device=device)
    graph["task"].num_nodes = len(tasks)
    return _connect(graph, (relation for relation in relations if NEW not in relation))


def attach(graph: HeteroData, queries: Queries, relations: Iterable[EdgeType]) -> HeteroData:
    """Attach queries that are to be predicted; the tensors of the graph are shared, not copied.

    Args:
        graph: Graph of N queries, from `build`.
        queries: B queries, their vectors from the same encoder.
        relations: Lines of `RELATIONS`; those that do not lead to new queries are left out.

    Returns:
        The graph with the node store ``new_query`` (``x`` [B, D], ``task`` [B], ``group`` [B]) and the edges.
    """
    attached = copy.copy(graph)
    _add_queries(attached, NEW, queries, graph["query"].x.device)
    return _connect(attached, (relation for relation in relations if NEW in relation))


def _connect(graph: HeteroData, relations: Iterable[EdgeType]) -> HeteroData:
    """Add the edges of relations, and return the graph."""
    for relation in relations:
        edges = RELATIONS[relation].edges(graph, graph[NEW if NEW in relation else "query"])
        graph[relation].edge_index = edges.ends
        if edges.attr is not None:
            graph[relation].edge_attr = edges.attr
    return graph


def edges_of(graph: HeteroData, relation: EdgeType) -> Edges:
    """Return the edges of a relation that the graph has."""
    return Edges(graph[relation].edge_index, graph[relation].get("edge_attr"))


def _add_queries(graph: HeteroData, kind: str, queries: Queries, device: torch.device) -> None:
    graph[kind].x = torch.as_tensor(queries.vectors, device=device)
    graph[kind].group = torch.as_tensor(queries.groups, device=device)
    graph[kind].task = torch.as_tensor(task_positions(queries.tasks, graph.tasks), device=device)


def task_positions(names: np.ndarray, tasks: list[str]) -> np.ndarray:
    """Return [Q] int64, the position of each query's task in ``tasks``; T where it is unknown or None."""
    position = {name: row for row, name in enumerate(tasks)}
    return np.array([position.get(name, len(tasks)) for name in names], dtype=np.int64)
