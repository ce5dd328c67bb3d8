"""RoutingData -> torch_geometric HeteroData: queries, LLMs and tasks as nodes, outcomes on the edges.

Relations (source, verb, target):

- ``("query", "answered_by", "llm")``: one edge per observed cell; ``edge_attr`` holds its outcomes;
- ``("query", "belongs_to", "task")``, and ``("new_query", "belongs_to", "task")``;
- ``("query", "similar_to", "new_query")``: from the nearest queries of the log to a query that is to be predicted;
- ``rev_answered_by`` and ``rev_belongs_to``, the same edges the other way.

A query that is to be predicted, in training too, is a ``new_query``. That node type has no ``answered_by`` edges, so
none of its outcomes can reach its prediction, by whatever layers run on the graph.
"""

from __future__ import annotations

import copy

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional
from torch_geometric.data import HeteroData

from graphrouter.dataset import Queries, RoutingData

ANSWERED_BY = ("query", "answered_by", "llm")
BELONGS_TO = ("query", "belongs_to", "task")
SIMILAR_TO = ("query", "similar_to", "new_query")
NEW_BELONGS_TO = ("new_query", "belongs_to", "task")
CHUNK = 2048


def build_graph(
    data: RoutingData, tasks: list[str], outcomes: dict[str, np.ndarray], device: torch.device
) -> HeteroData:
    """Build the graph of a log whose outcomes are all visible.

    Args:
        data: Q queries, M LLMs.
        tasks: T names; a query of another task, or of none, has no ``belongs_to`` edge.
        outcomes: What the edges carry: named matrices [Q, M], NaN where missing. The first decides which edges exist.
        device: Where the tensors go.

    Returns:
        Node stores ``query`` (``x`` [Q, D], ``unit`` the same at length 1, ``group`` [Q], ``task`` [Q]), ``llm`` (``x`` [M, L]), ``task`` (``num_nodes`` T), and the
        relations of the module but ``similar_to``; ``answered_by.edge_attr`` is [E, len(outcomes)].
    """
    graph = HeteroData()
    graph["query"].x = torch.as_tensor(data.queries.vectors)
    graph["query"].unit = functional.normalize(graph["query"].x, dim=1)
    graph["query"].group = torch.as_tensor(data.queries.groups)
    graph["llm"].x = torch.as_tensor(data.llms.vectors)
    graph["task"].num_nodes = len(tasks)
    first = next(iter(outcomes.values()))
    edges = np.stack(np.nonzero(~np.isnan(first)))
    attributes = np.stack([values[edges[0], edges[1]] for values in outcomes.values()], axis=1)
    _add_both_ways(graph, ANSWERED_BY, torch.as_tensor(edges), torch.as_tensor(attributes, dtype=torch.float32))
    task_of = task_positions(data.queries.tasks, tasks)
    graph["query"].task = torch.as_tensor(task_of)
    member = np.flatnonzero(task_of < len(tasks))
    _add_both_ways(graph, BELONGS_TO, torch.as_tensor(np.stack([member, task_of[member]])))
    return graph.to(device)


def _add_both_ways(
    graph: HeteroData, relation: tuple[str, str, str], edge_index: Tensor, edge_attr: Tensor | None = None
) -> None:
    source, verb, target = relation
    for key, index in ((relation, edge_index), ((target, f"rev_{verb}", source), edge_index.flip(0))):
        graph[key].edge_index = index
        if edge_attr is not None:
            graph[key].edge_attr = edge_attr


def task_positions(names: np.ndarray, tasks: list[str]) -> np.ndarray:
    """Return [Q] int64, the position of each query's task in ``tasks``; T where it is unknown or None."""
    position = {name: row for row, name in enumerate(tasks)}
    return np.array([position.get(name, len(tasks)) for name in names], dtype=np.int64)


def attach(graph: HeteroData, queries: Queries, tasks: list[str], neighbours: int) -> HeteroData:
    """Attach queries that are to be predicted; the tensors of the graph are shared, not copied.

    A query of the same wording is never a neighbour, so no query is a neighbour of itself.

    Args:
        graph: Of N queries, from `build_graph`.
        queries: B queries, their vectors from the same encoder.
        tasks: T names, as the graph was built with.
        neighbours: K, at most.

    Returns:
        The graph with the node store ``new_query`` (``x`` [B, D], ``task`` [B]) and ``similar_to`` edges sorted by
        target, nearest first; ``edge_attr`` [E, 2] is the cosine similarity, and 1 where both have the same task.
    """
    attached = copy.copy(graph)
    device = graph["query"].x.device
    task = torch.as_tensor(task_positions(queries.tasks, tasks), device=device)
    attached["new_query"].x = torch.as_tensor(queries.vectors, device=device)
    attached["new_query"].task = task
    source, cosine = _nearest(graph, queries, neighbours)
    allowed = cosine > -torch.inf
    target = torch.arange(len(queries), device=device)[:, None].expand_as(source)[allowed]
    source, cosine = source[allowed], cosine[allowed]
    same = (graph["query"].task[source] == task[target]) & (task[target] < len(tasks))
    attached[SIMILAR_TO].edge_index = torch.stack([source, target])
    attached[SIMILAR_TO].edge_attr = torch.stack([cosine, same.float()], dim=1)
    member = (task < len(tasks)).nonzero().flatten()
    attached[NEW_BELONGS_TO].edge_index = torch.stack([member, task[member]])
    return attached


def forget_tasks(attached: HeteroData, tasks: int) -> HeteroData:
    """Return what `attach` gives for the same queries without their tasks; the search for neighbours is not repeated.

    Args:
        attached: From `attach`.
        tasks: T, the number of tasks that the graph was built with.
    """
    untold = copy.copy(attached)
    untold["new_query"].task = torch.full_like(attached["new_query"].task, tasks)
    similar = attached[SIMILAR_TO].edge_attr
    untold[SIMILAR_TO].edge_attr = torch.stack([similar[:, 0], torch.zeros_like(similar[:, 1])], dim=1)
    untold[NEW_BELONGS_TO].edge_index = attached[NEW_BELONGS_TO].edge_index[:, :0]
    return untold


def _nearest(graph: HeteroData, queries: Queries, neighbours: int) -> tuple[Tensor, Tensor]:
    """Return rows [B, K] of the graph's nearest queries, and cosines [B, K]; -inf where the wording is the same."""
    known, groups = graph["query"].x, graph["query"].group
    neighbours = min(neighbours, len(known))
    index = torch.empty((len(queries), neighbours), dtype=torch.int64, device=known.device)
    cosine = torch.empty((len(queries), neighbours), device=known.device)
    for start in range(0, len(queries), CHUNK):
        part = slice(start, start + CHUNK)
        same = torch.as_tensor(queries.groups[part], device=known.device)[:, None] == groups
        vectors = functional.normalize(torch.as_tensor(queries.vectors[part], device=known.device), dim=1)
        nearest = (vectors @ graph["query"].unit.T).masked_fill_(same, -torch.inf).topk(neighbours, dim=1)
        index[part], cosine[part] = nearest.indices, nearest.values
    return index, cosine
