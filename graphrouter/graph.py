"""RoutingData -> torch_geometric HeteroData: queries, LLMs and tasks as nodes, the relations of a table as edges.

A query that is to be predicted, in training too, is a ``new_query``. `RELATIONS` has no ``answered_by`` edges of that
node type, so none of its outcomes can reach its prediction, by whatever layers run on the graph.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Collection, Iterable
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
HALF = 0.5


class Edges(NamedTuple):
    """Edges of one relation.

    Attributes:
        ends: [2, E] from source to target.
        attr: [E, A], or None where they have no attributes.
    """

    ends: Tensor
    attr: Tensor | None = None

    def keep(self, rows: Tensor | slice) -> Edges:
        """Return the edges in ``rows``, [E] bool or positions."""
        return Edges(self.ends[:, rows], None if self.attr is None else self.attr[rows])


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


def _rev_belongs_to(graph: HeteroData, queries: Any) -> Edges:
    return Edges(_belongs_to(graph, queries).ends.flip(0))


def _similar_to(graph: HeteroData, queries: Any) -> Edges:
    """From the K nearest queries of another text group, sorted by target, nearest first; the attribute is the cosine.

    A tie for the last place has no effect: `KernelConv` gives the farthest neighbour no weight.
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


def _answered_by(graph: HeteroData, queries: Any) -> Edges:
    """One edge for each observed cell; attributes: performance less one half, and less the query's mean."""
    row, column = (~queries.performance.isnan()).nonzero().T
    performance = queries.performance[row, column]
    total = performance.new_zeros(2, len(queries.performance))
    total = total.index_add(1, row, torch.stack([performance, torch.ones_like(performance)]))
    mean = (total[0] / total[1].clamp(min=1))[row]
    return Edges(torch.stack([row, column]), torch.stack([performance - HALF, performance - mean], dim=1))


def _rev_answered_by(graph: HeteroData, queries: Any) -> Edges:
    ends, attr = _answered_by(graph, queries)
    return Edges(ends.flip(0), attr)


RELATIONS: dict[EdgeType, Relation] = {
    ("query", "belongs_to", "task"): Relation(_belongs_to),
    ("task", "rev_belongs_to", "query"): Relation(_rev_belongs_to),
    ("task", "rev_belongs_to", NEW): Relation(_rev_belongs_to),
    ("query", "similar_to", "query"): Relation(_similar_to, width=1),
    ("query", "similar_to", NEW): Relation(_similar_to, width=1),
    ("query", "answered_by", "llm"): Relation(_answered_by, width=2),
    ("llm", "rev_answered_by", "query"): Relation(_rev_answered_by, width=2),
}
"""The relations. One that also leads to new queries must tell none of their outcomes."""


def relations_of(names: Collection[str]) -> list[EdgeType]:
    """Return the lines of the table whose verbs are among the names, in the order of the names."""
    return [relation for name in names for relation in RELATIONS if relation[1] == name]


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
        Node stores ``query`` (``x`` [Q, D], ``unit`` the same at length 1, ``group`` [Q], ``task`` [Q], ``performance`` [Q, M],
        NaN where missing), ``llm`` (``x`` [M, L]) and ``task`` (``num_nodes`` T), and the edges.
    """
    graph = HeteroData(neighbours=neighbours, tasks=tasks)
    _add_queries(graph, "query", data.queries, device)
    graph["query"].unit = functional.normalize(graph["query"].x, dim=1)
    graph["query"].performance = torch.as_tensor(data.performance, device=device)
    graph["llm"].x = torch.as_tensor(data.llms.vectors, device=device)
    graph["task"].num_nodes = len(tasks)
    return connect(graph, (relation for relation in relations if NEW not in relation))


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
    return connect(attached, (relation for relation in relations if NEW in relation))


def connect(graph: HeteroData, relations: Iterable[EdgeType]) -> HeteroData:
    """Add the edges of relations that the graph does not have yet, and return it."""
    for relation in relations:
        if relation not in graph.edge_types:
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
