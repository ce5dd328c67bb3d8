"""The GNN router: learned messages from similar queries, their tasks and their LLMs to every (query, LLM) edge."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field, fields
from typing import Any, ClassVar, Self

import numpy as np
import torch
from torch import Tensor

from graphrouter.dataset import Queries, RoutingData
from graphrouter.nn.losses import LOSSES
from graphrouter.nn.query_network import AskedQueries, NetworkSizes, QueryNetwork, message
from graphrouter.ranges import COUNT, NOT_NEGATIVE, POSITIVE, SHARE, Range
from graphrouter.routers.gnn.objective import TrainingObjective, ValidationObjective
from graphrouter.routers.gnn.query_graph import QueryGraph
from graphrouter.routers.parts.added_llms import AddedLLM, AddedLLMs
from graphrouter.routers.parts.ensemble import EnsembleRouter
from graphrouter.routers.parts.logits import schedule_of
from graphrouter.routers.parts.new_llm import NewLLM
from graphrouter.routers.parts.outcomes import QUALITY_RANGE
from graphrouter.routers.parts.output_cost import OutputCost
from graphrouter.training import fit_module, pick_device
from graphrouter.typing import Array

CHUNK = 512
"""Queries that are predicted at once, to bound the memory: with 4 members, heads and 128 neighbours about 100 MB."""
RELATIONS = ("belongs_to", "similar_to")


@dataclass(eq=False)
class GNN(EnsembleRouter):
    """Predicts quality and cost of every (query, LLM) edge; one training serves every scenario.

    Each step hides a few per cent of the training queries and predicts them from the others, which are nodes of a graph with edges
    to their tasks, to similar queries and to the LLMs that answered them. A new query is such a hidden query in the graph of all
    training queries; so a supervised query never sees its own outcomes, through a neighbour, a task's mean or an LLM's. Messages
    are learned: an attention over similar queries in a metric of its own, of which `QueryNetwork` has the formula, beside a
    perceptron that reads the query and its task alone. How much of the two is believed is chosen on validation.

    The prediction is the mean of an ensemble that differs in initial weights. The decision takes ``caution`` standard deviations off
    it: the best of many noisy predictions is too often a lucky one (the winner's curse).

    An LLM that joins later (`extend`) is predicted as a mixture of the known LLMs' logits with an effect of each task, both
    shrunk and learnt from its outcomes alone, and by messages of its own from similar queries. The other LLMs' predictions stay.

    Attributes:
        neighbours: K, ``similar_to`` edges into a query.
        heads: H, of the attention.
        metric: Width of a head's learned metric; with 0 the frozen cosine alone tells neighbours apart.
        members: E networks in the ensemble.
        caution: Standard deviations taken off in decisions.
        task_strength: How many observations the additive expectation of task and LLM counts as, in their mean.
        task_dropout: Share of training queries shown without their task, half of them without neighbours of it, so that an
            unknown task is no surprise.
        relations: Names of relations that carry messages. Without ``similar_to`` only the perceptron is left, and without
            ``belongs_to`` a task's expectation is that of all tasks; neither takes away the task's label.
        task_label: Whether the task is an input of the network.
        hidden: Width of the perceptron.
        layers: Its hidden layers.
        dropout: On the query's vector and states.
        loss: ``soft``, ``one_hot``, ``listwise`` or ``regression``.
        cost_weight: Weight of the loss of the output cost.
        steps: See `graphrouter.training.Schedule`, like the next four.
    """

    neighbours: int = 128
    heads: int = 4
    metric: int = 16
    members: int = 4
    task_strength: float = 10.0
    task_dropout: float = 0.1
    relations: list[str] = field(default_factory=lambda: list(RELATIONS))
    task_label: bool = True
    hidden: int = 256
    layers: int = 2
    dropout: float = 0.5
    loss: str = "soft"
    cost_weight: float = 0.1
    steps: int = 2000
    patience: int = 200
    batch_size: int = 128
    learning_rate: float = 1e-3
    weight_decay: float = 0.05

    source: ClassVar[str] = "this project; GraphRouter (arXiv:2410.03834) for the graph of queries, tasks and LLMs"
    ranges: ClassVar[dict[str, Range]] = {
        "neighbours": COUNT,
        "heads": COUNT,
        "metric": Range(0),
        "members": COUNT,
        "caution": NOT_NEGATIVE,
        "task_strength": POSITIVE,
        "task_dropout": SHARE,
        "cost_weight": NOT_NEGATIVE,
    }
    choices: ClassVar[dict[str, Collection[str]]] = {"loss": LOSSES, "relations": RELATIONS}
    parts: ClassVar[dict[str, Any]] = {"output_cost_": OutputCost, "graph_": QueryGraph, "added_": AddedLLMs}
    search_space: ClassVar[tuple[dict[str, Any], ...]] = (
        {},
        {"dropout": 0.0},
        {"dropout": 0.1},
        {"dropout": 0.7, "hidden": 512},
        {"layers": 1},
    )
    extends: ClassVar[bool] = True
    baseline: ClassVar[bool] = False

    def fit(self, train: RoutingData, validation: RoutingData) -> Self:
        """Learn from the training split; validation stops early, and chooses how much the messages count."""
        device = pick_device(self.run.device)
        train, validation = train.sorted(), validation.sorted()
        self.llms_ = list(train.llms.names)
        self.added_ = AddedLLMs([], np.arange(len(train.llms)))
        self.output_cost_ = OutputCost().fit(train)
        graph = QueryGraph(self.neighbours, self.task_strength, list(self.relations))
        self.graph_ = graph.fit(train, self.output_cost_.relative(train)).to(device)
        torch.manual_seed(self.seed)
        self.sizes_ = self._sizes()
        self.module_ = self.build(**self.sizes_).to(device)
        self._train(validation)
        self.module_ = self.module_.cpu()
        self.graph_ = self.graph_.to(torch.device("cpu"))
        self.output_cost_.calibrate(self._decode_known(self._asked(train.queries))[1], train)
        return self

    def _sizes(self) -> dict[str, Any]:
        return {
            "inputs": self.graph_.x.shape[1],
            "llms": len(self.llms_),
            "tasks": len(self.graph_.tasks_),
            "members": self.members,
            "heads": self.heads if "similar_to" in self.relations else 0,
            "metric": self.metric,
            "hidden": self.hidden,
            "layers": self.layers,
            "dropout": self.dropout,
            "task_label": self.task_label,
        }

    def build(self, **sizes: Any) -> QueryNetwork:
        """Make the network."""
        return QueryNetwork(NetworkSizes(**sizes))

    def _train(self, validation: RoutingData) -> None:
        objective = TrainingObjective(self.module_, self.graph_, self.loss, self.cost_weight, self.task_dropout)
        validate = ValidationObjective(self.module_, self.graph_, validation, CHUNK)
        fit_module(
            self.module_,
            objective,
            len(self.graph_.data_.queries),
            validate,
            schedule_of(self, len(self.graph_.data_.queries)),
            seed=self.seed,
            run=self.run,
            label=self.name,
            parameter_groups=self.module_.parameter_groups(self.learning_rate),
            settings={one.name: getattr(self, one.name) for one in fields(self) if one.init},
        )
        validate.choose_mix()

    def _add_llm(self, new_llm: NewLLM) -> None:
        qualities, _ = self._decode_known(self._asked(new_llm.answered.queries))
        llm = AddedLLM.of(new_llm, qualities, self.graph_.tasks_, self.graph_.data_.queries.ids)
        self.added_ = self.added_.extend(new_llm, llm)
        self.output_cost_ = self.output_cost_.extend(new_llm)

    def predict_members(self, queries: Queries) -> tuple[Array, Array]:
        """Return the members' qualities [E, Q, M] and the expected cost [Q, M]."""
        asked = self._asked(queries)
        qualities, log_output_cost = self._decode_known(asked)
        if self.added_.llms:
            qualities, log_output_cost = self.added_.add(
                qualities, log_output_cost, queries, self.graph_.tasks_, lambda *cells: self._similar(asked, *cells)
            )
        return qualities, self.output_cost_.cost(queries, log_output_cost)

    def _asked(self, queries: Queries) -> list[AskedQueries]:
        """Return the queries in chunks, with their edges from the logged ones."""
        starts = range(0, max(len(queries), 1), CHUNK)
        return [self.graph_.asked(queries.take(slice(start, start + CHUNK))) for start in starts]

    @torch.inference_mode()
    def _decode_known(self, chunks: list[AskedQueries]) -> tuple[Array, Array]:
        """Return members' qualities [E, Q, M] and logarithms of output costs [Q, M] of the LLMs known in `fit`."""
        qualities, log_output_costs = [], []
        for asked in chunks:
            logits, log_output_cost = self.module_(asked, self.graph_.all)
            qualities.append(self.module_.quality(logits).clamp(*QUALITY_RANGE).numpy())
            log_output_costs.append(log_output_cost.numpy())
        return np.concatenate(qualities, axis=1), np.concatenate(log_output_costs)

    @torch.inference_mode()
    def _similar(self, chunks: list[AskedQueries], values: Array, weights: Array) -> Array:
        """Return [Q], what the residuals of an added LLM on logged queries add to its logit.

        Args:
            chunks: Q queries.
            values: [N] residuals, 0 where there is none.
            weights: [N], 0 where there is none.
        """
        if not self.sizes_["heads"]:
            return np.zeros(sum(len(asked.x) for asked in chunks))
        cells = [torch.as_tensor(array, dtype=torch.float32)[:, None] for array in (values, weights)]
        gate = self.module_.mix * self.module_.head.gate.mean(dim=(0, 1))
        parts: list[Tensor] = []
        for asked in chunks:
            assert asked.near is not None
            attention = self.module_.attend(asked, self.graph_.all)
            parts.append(message(attention, asked.near, *cells).mean(dim=0)[..., 0] @ gate)
        return torch.cat(parts).numpy()
