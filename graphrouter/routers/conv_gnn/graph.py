"""The edges that learned convolutions run over, less those of the queries that are supervised."""

from __future__ import annotations

import torch
from torch import Tensor
from torch_geometric.data import HeteroData

from graphrouter.graph import ANSWERED_BY, SIMILAR_TO
from graphrouter.nn.relation_layer import Edges, Relation
from graphrouter.routers.gnn.outcome_graph import OutcomeGraph

RELATIONS = ("belongs_to", "rev_belongs_to", "similar_to", "answered_by", "rev_answered_by")
ENDS = {
    "belongs_to": ("query", "task"),
    "rev_belongs_to": ("task", "query"),
    "similar_to": ("query", "query"),
    "answered_by": ("query", "llm"),
    "rev_answered_by": ("llm", "query"),
}
ATTRIBUTES = {"similar_to": 1, "answered_by": 2, "rev_answered_by": 2}
"""Width of the edges' attributes: the cosine similarity; the performance, and how it differs from the query's mean."""
SPLIT = ("right", "wrong")
HALF = 0.5


class ConvGraph:
    """N training queries as nodes; which of them may speak changes from step to step.

    Args:
        graph: Of the N queries.
        neighbours: K, ``similar_to`` edges into a query.
        relations: Which of `RELATIONS` carry messages.
        edge_attributes: Whether outcomes and similarities are on the edges.
        split: For convolutions that read no attributes: outcomes are told by two relations instead, of performance from
            one half on (``answered_by_right``) and below (``answered_by_wrong``).
    """

    def __init__(
        self, graph: OutcomeGraph, neighbours: int, relations: list[str], *, edge_attributes: bool, split: bool
    ) -> None:
        self.graph, self.neighbours, self.relations = graph, neighbours, relations
        self.attributes, self.split = edge_attributes and not split, edge_attributes and split
        self.count = len(graph.data_.queries)
        self.answered = graph.graph[ANSWERED_BY].edge_index
        self.performance = graph.graph[ANSWERED_BY].edge_attr[:, 0]
        self.group, self.task = graph.graph["query"].group, graph.graph["query"].task
        self.similar = self._nearest(graph.attach(graph.data_.queries))

    def widths(self) -> dict[str, int]:
        """Return the relations as ``source verb target``, with the width of their edges' attributes."""
        widths = {}
        for name in self.relations:
            verbs = [f"{name}_{part}" for part in SPLIT] if self.split and "answered_by" in name else [name]
            for verb in verbs:
                widths[f"{ENDS[name][0]} {verb} {ENDS[name][1]}"] = ATTRIBUTES.get(name, 0) * self.attributes
        return widths

    def hidden(self, rows: Tensor) -> Tensor:
        """Return [N] bool: the queries in rows [B], and all of their wording."""
        return torch.isin(self.group, self.group[rows])

    def edges(self, visible: Tensor, told: Tensor) -> dict[Relation, Edges]:
        """Return the edges between the training queries, tasks and LLMs.

        Args:
            visible: [N] bool; the others have no outcomes and send nothing.
            told: [N] bool, whose task is known to them.
        """
        member = (visible & (self.task < len(self.graph.tasks_))).nonzero().flatten()
        hears = (told & (self.task < len(self.graph.tasks_))).nonzero().flatten()
        similar = self._keep(self.similar, visible[self.similar.ends[0]])
        found = {
            "belongs_to": Edges(torch.stack([member, self.task[member]]), None),
            "rev_belongs_to": Edges(torch.stack([self.task[hears], hears]), None),
            "similar_to": similar,
        }
        return self._named(found) | self._answers(visible)

    def last(self, edges: dict[Relation, Edges], read: Tensor) -> dict[Relation, Edges]:
        """Return the edges that lead to a state that is read after the last layer: to LLMs, and to some queries.

        Args:
            edges: From `edges`.
            read: [N] bool, which queries; those that are visible hear less than before, so only hidden ones may be read.
        """
        kept = {}
        for relation, given in edges.items():
            if relation[2] == "llm":
                kept[relation] = given
            elif relation[1] in ("rev_belongs_to", "similar_to"):
                kept[relation] = self._keep(given, read[given.ends[1]])
        return kept

    def edges_into(self, attached: HeteroData) -> tuple[dict[Relation, Edges], dict[Relation, Edges]]:
        """Return the edges into B new queries, which come behind the N: of every layer but the last, and of the last.

        Args:
            attached: From `OutcomeGraph.attach`.
        """
        index, attr = self._nearest(attached)
        task = attached["new_query"].task
        hears = (task < len(self.graph.tasks_)).nonzero().flatten()
        last = self._named(
            {
                "rev_belongs_to": Edges(torch.stack([task[hears], hears + self.count]), None),
                "similar_to": Edges(torch.stack([index[0], index[1] + self.count]), attr),
            }
        )
        # A relation without edges still tells a node the bias of its convolution, as it does in training.
        silent = self._answers(torch.zeros(self.count, dtype=torch.bool, device=index.device))
        return last | {relation: edges for relation, edges in silent.items() if relation[2] == "query"}, last

    def _nearest(self, attached: HeteroData) -> Edges:
        """Return the edges from the K nearest; they come sorted by target, the nearest first."""
        index, cosine = attached[SIMILAR_TO].edge_index, attached[SIMILAR_TO].edge_attr[:, :1]
        targets = torch.arange(len(attached["new_query"].x), device=index.device)
        rank = (
            torch.arange(index.shape[1], device=index.device)
            - torch.searchsorted(index[1].contiguous(), targets)[index[1]]
        )
        near = rank < self.neighbours
        return Edges(index[:, near], cosine[near] if self.attributes else None)

    def _answers(self, visible: Tensor) -> dict[Relation, Edges]:
        kept = visible[self.answered[0]]
        index, performance = self.answered[:, kept], self.performance[kept]
        total = torch.zeros(2, self.count, device=index.device)
        total = total.index_add(1, index[0], torch.stack([performance, torch.ones_like(performance)]))
        mean = (total[0] / total[1].clamp(min=1))[index[0]]
        attr = torch.stack([performance - HALF, performance - mean], dim=1) if self.attributes else None
        parts = {"": torch.ones_like(performance, dtype=torch.bool)}
        if self.split:
            parts = {"_right": performance >= HALF, "_wrong": performance < HALF}
        found: dict[Relation, Edges] = {}
        for suffix, part in parts.items():
            edges = self._keep(Edges(index, attr), part)
            found |= self._named(
                {"answered_by": edges, "rev_answered_by": Edges(edges.ends.flip(0), edges.attr)}, suffix
            )
        return found

    def _named(self, found: dict[str, Edges], suffix: str = "") -> dict[Relation, Edges]:
        return {
            (ENDS[name][0], f"{name}{suffix}", ENDS[name][1]): edges
            for name, edges in found.items()
            if name in self.relations
        }

    @staticmethod
    def _keep(edges: Edges, kept: Tensor) -> Edges:
        return Edges(edges.ends[:, kept], None if edges.attr is None else edges.attr[kept])
