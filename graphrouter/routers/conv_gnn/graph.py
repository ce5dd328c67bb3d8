"""The edges that learned convolutions run over, less those of the queries that are supervised."""

from __future__ import annotations

import copy

import torch
from torch import Tensor
from torch_geometric.data import HeteroData

from graphrouter.graph import NEW, RELATIONS, Edges, EdgeType, connect, edges_of, relations_of
from graphrouter.routers.gnn.outcome_graph import OutcomeGraph

NAMES = tuple(dict.fromkeys(verb for _, verb, _ in RELATIONS))
SPLIT = ("right", "wrong")


class ConvGraph:
    """N training queries as nodes; which of them send messages changes from step to step.

    Args:
        graph: Graph of the N queries.
        neighbours: K, most edges of a relation between queries into one of them.
        relations: Names, of `NAMES`.
        edge_attributes: Whether outcomes and similarities are on the edges.
        split: For convolutions that read no attributes: relations with LLMs are parted instead, by performance from one half on
            (``answered_by_right``) and below (``answered_by_wrong``).
    """

    def __init__(
        self, graph: OutcomeGraph, neighbours: int, relations: list[str], *, edge_attributes: bool, split: bool
    ) -> None:
        self.graph, self.neighbours, self.relations = graph, neighbours, relations_of(relations)
        self.attributes, self.split = edge_attributes and not split, edge_attributes and split
        self.count = len(graph.data_.queries)
        self.group, self.task = graph.graph["query"].group, graph.graph["query"].task
        known = [relation for relation in self.relations if NEW not in relation]
        log = connect(copy.copy(graph.graph), known)
        named = [self._named(relation, self._read(log, relation)) for relation in known]
        found = {name: edges for part in named for name, edges in part.items()}
        self.widths = {
            " ".join(name): 0 if edges.attr is None else edges.attr.shape[1] for name, edges in found.items()
        }
        """Each relation as ``source verb target``, and the width of its edges' attributes."""
        # HGTConv of torch_geometric 2.8 depends on the order of relations; published results have wrong answers last.
        self.known = dict(sorted(found.items(), key=lambda one: one[0][1].endswith(f"_{SPLIT[1]}")))

    def hidden(self, rows: Tensor) -> Tensor:
        """Return [N] bool: the queries in rows [B], and all of their text groups."""
        return torch.isin(self.group, self.group[rows])

    def edges(self, visible: Tensor, with_task: Tensor) -> dict[EdgeType, Edges]:
        """Return the edges between the training queries, tasks and LLMs.

        Args:
            visible: [N] bool; the others have no outcomes and send nothing.
            with_task: [N] bool, whose task is known to them.
        """
        found = {}
        for relation, edges in self.known.items():
            mask = with_task if relation[0] == "task" else visible
            found[relation] = edges.keep(mask[edges.ends[0 if relation[0] == "query" else 1]])
        return found

    def last(self, edges: dict[EdgeType, Edges], read: Tensor) -> dict[EdgeType, Edges]:
        """Return the edges that lead to a state that is read after the last layer: to LLMs, and to some queries.

        Args:
            edges: From `edges`.
            read: [N] bool, which queries; those that are visible get fewer messages than before, so only hidden ones may be read.
        """
        kept = {}
        for relation, given in edges.items():
            if relation[2] == "llm":
                kept[relation] = given
            elif (*relation[:2], NEW) in RELATIONS:
                kept[relation] = given.keep(read[given.ends[1]])
        return kept

    def edges_into(self, attached: HeteroData) -> tuple[dict[EdgeType, Edges], dict[EdgeType, Edges]]:
        """Return the edges into B new queries, which come behind the N: of every layer but the last, and of the last.

        Args:
            attached: From `OutcomeGraph.attach`.
        """
        new = [relation for relation in self.relations if NEW in relation]
        attached = connect(copy.copy(attached), new)
        behind = torch.tensor([[0], [self.count]], device=self.task.device)
        read = {(*relation[:2], "query"): self._read(attached, relation) for relation in new}
        last = {
            name: Edges(edges.ends + behind, edges.attr if self.attributes else None) for name, edges in read.items()
        }
        # A relation without edges still adds the bias of its convolution, as it does in training.
        none = {name: edges.keep(slice(0)) for name, edges in self.known.items() if name[2] == "query"}
        return none | last, last

    def _read(self, graph: HeteroData, relation: EdgeType) -> Edges:
        """Return the edges of a relation; those between queries come sorted by target, the nearest first."""
        edges = edges_of(graph, relation)
        if relation[0] == "query" and relation[2] in ("query", NEW):
            target = edges.ends[1].contiguous()
            rank = torch.arange(len(target), device=target.device) - torch.searchsorted(target, target)
            edges = edges.keep(rank < self.neighbours)
        return edges

    def _named(self, relation: EdgeType, edges: Edges) -> dict[EdgeType, Edges]:
        """Return the edges under the names that the network knows, with the attributes that it reads."""
        plain = edges if self.attributes else Edges(edges.ends)
        if not self.split or "llm" not in relation or edges.attr is None:
            return {relation: plain}
        source, verb, target = relation
        right = edges.attr[:, 0] >= 0
        return {
            (source, f"{verb}_{part}", target): plain.keep(mask)
            for part, mask in zip(SPLIT, (right, ~right), strict=True)
        }
