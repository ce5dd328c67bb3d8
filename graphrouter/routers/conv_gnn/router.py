"""The GNN with learned convolutions, to compare the fixed messages of `GNN` with."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass, field, fields
from typing import Any, ClassVar, Self

import numpy as np
import torch
from torch import Tensor

from graphrouter.dataset import Queries, RoutingData
from graphrouter.errors import UserError
from graphrouter.nn.conv_network import ConvNetwork, States
from graphrouter.nn.edge_head import EdgeInputs
from graphrouter.nn.losses import LOSSES, output_cost_loss
from graphrouter.nn.relation_conv import READS_EDGES, find_aggregation
from graphrouter.ranges import COUNT, NOT_NEGATIVE, SHARE, Range
from graphrouter.routers.base import Prediction, Router
from graphrouter.routers.conv_gnn.graph import NAMES, ConvGraph
from graphrouter.routers.gnn.objective import QUALITY_RANGE, outcomes
from graphrouter.routers.gnn.outcome_graph import OutcomeGraph, fold_inputs
from graphrouter.routers.parts.output_cost import OutputCost
from graphrouter.training import Schedule, fit_module, pick_device
from graphrouter.typing import Array

CHUNK = 4096
"""Queries that are predicted at once, to bound the memory."""
MESSAGES: dict[str, Any] = {
    "scales": (60.0, 25.0, 10.0, 3.0),
    "same_task_weight": 2.0,
    "task_strength": 10.0,
    "edge_attributes": True,
}
"""The shrunk messages that the convolutions add to, as `GNN` has them by default, from its 200 nearest queries."""
MESSAGE_NEIGHBOURS = 200
"""Number of these queries. For `GNN`, 50 predict worse on mmlu_pro and 400 are level (experiments/LOG.md)."""


@dataclass(eq=False)
class ConvGNN(Router):
    """Message passing by torch_geometric's convolutions over queries, tasks and LLMs, trained from end to end.

    Each step hides a share of the training queries: they have no ``answered_by`` edges and send nothing, and their
    outcomes are what is to be predicted; the others carry messages. A new query is such a hidden query in the graph of
    all training queries. The logit is that of the shrunk messages (of task and neighbours, without the query's fold) and
    a decoder on the states of query and LLM that starts at zero.

    Attributes:
        conv: ``sage``, ``gatv2``, ``transformer``, ``hgt`` or ``general`` (the published GraphRouter's).
        aggregation: ``mean``, ``sum``, ``max`` or ``attention``, where the convolution can; ``auto`` for its default.
        layers: 1 to 4.
        hidden: Width of a node; a multiple of ``heads``.
        heads: Attention heads.
        mask_rate: Share of the training queries that a step hides, and supervises.
        neighbours: ``similar_to`` edges into a query.
        relations: Which relations carry messages. Without ``belongs_to`` there are no tasks in the graph.
        edge_attributes: Whether outcomes and similarities are on the edges. Convolutions that read none (``sage`` and
            ``hgt``) have a relation of its own for right and for wrong answers instead.
        dropout: On the query's vector and what each layer adds.
        task_dropout: Share of supervised queries shown without their task.
        folds: Parts that training queries are divided into, for the shrunk messages to them.
        loss: ``soft``, ``one_hot``, ``listwise`` or ``regression``.
        cost_weight: Weight of the loss of the output cost.
        steps: See `graphrouter.training.Schedule`, like the next three.
    """

    conv: str = "sage"
    aggregation: str = "auto"
    layers: int = 2
    hidden: int = 32
    heads: int = 4
    mask_rate: float = 0.05
    neighbours: int = 20
    relations: list[str] = field(
        default_factory=lambda: ["belongs_to", "rev_belongs_to", "similar_to", "answered_by", "rev_answered_by"]
    )
    edge_attributes: bool = True
    dropout: float = 0.5
    task_dropout: float = 0.1
    folds: int = 10
    loss: str = "soft"
    cost_weight: float = 0.1
    steps: int = 400
    patience: int = 100
    learning_rate: float = 5e-3
    weight_decay: float = 0.05

    name: ClassVar[str] = "conv_gnn"
    source: ClassVar[str] = (
        "this project; convolutions of torch_geometric, as GraphRouter (arXiv:2410.03834) has GeneralConv"
    )
    baseline: ClassVar[bool] = False
    ranges: ClassVar[dict[str, Range]] = {
        "layers": Range(1, 4),
        "heads": COUNT,
        "mask_rate": Range(0, 1, above=True, below=True),
        "neighbours": COUNT,
        "task_dropout": SHARE,
        "folds": Range(2),
        "cost_weight": NOT_NEGATIVE,
    }
    choices: ClassVar[dict[str, Collection[str]]] = {"loss": LOSSES, "relations": NAMES}
    parts: ClassVar[dict[str, Any]] = {"output_cost_": OutputCost, "graph_": OutcomeGraph}
    search_space: ClassVar[tuple[dict[str, Any], ...]] = (
        {},
        {"conv": "general"},
        {"conv": "transformer"},
        {"hidden": 64, "dropout": 0.7},
    )

    def fit(self, train: RoutingData, validation: RoutingData) -> Self:
        """Learn from the training split; validation stops early."""
        device = pick_device(self.run.device)
        train, validation = train.sorted(), validation.sorted()
        self.output_cost_ = OutputCost().fit(train)
        neighbours = max(MESSAGE_NEIGHBOURS, self.neighbours)
        graph = OutcomeGraph(neighbours=neighbours, relations=tuple(self.relations), **MESSAGES)
        self.graph_ = graph.fit(train, self.output_cost_.relative(train)).to(device)
        inputs, _ = fold_inputs(self.graph_, min(self.folds, len(train.queries)))
        self.conv_graph = self._conv_graph()
        torch.manual_seed(self.seed)
        self.sizes_ = self._sizes(inputs)
        self.module_ = self.build(**self.sizes_).to(device)
        self._train(train, validation, inputs)
        self.module_ = self.module_.cpu()
        self.graph_ = self.graph_.to(torch.device("cpu"))
        self._forget()
        self.output_cost_.calibrate(self._decode(train.queries)[1], train)
        return self

    def __post_init__(self) -> None:
        super().__post_init__()
        find_aggregation(self.conv, self.aggregation)
        if self.hidden % self.heads:
            raise UserError(f"conv_gnn.hidden must be a multiple of heads ({self.heads}), but is {self.hidden}")

    def _conv_graph(self) -> ConvGraph:
        split = self.conv not in READS_EDGES
        return ConvGraph(
            self.graph_, self.neighbours, self.relations, edge_attributes=self.edge_attributes, split=split
        )

    def _sizes(self, inputs: EdgeInputs) -> dict[str, Any]:
        return {
            "inputs": inputs.x.shape[1],
            "llms": inputs.prior.shape[1],
            "tasks": len(self.graph_.tasks_),
            "channels": inputs.residual.shape[1],
            "hidden": self.hidden,
            "layers": self.layers,
            "heads": self.heads,
            "conv": self.conv,
            "aggregation": find_aggregation(self.conv, self.aggregation),
            "relations": self.conv_graph.widths,
            "dropout": self.dropout,
        }

    def build(self, **sizes: Any) -> ConvNetwork:
        """Make the network."""
        return ConvNetwork(**sizes)

    def _train(self, train: RoutingData, validation: RoutingData, inputs: EdgeInputs) -> None:
        rows, module = len(train.queries), self.module_
        fit_module(
            module,
            self._objective(train, inputs),
            rows,
            self._validation_objective(validation),
            Schedule(
                self.steps, self.patience, max(round(self.mask_rate * rows), 1), self.learning_rate, self.weight_decay
            ),
            seed=self.seed,
            run=self.run,
            label=self.name,
            parameter_groups=module.head.parameter_groups(module),
            settings={one.name: getattr(self, one.name) for one in fields(self) if one.init},
        )

    def _objective(self, train: RoutingData, inputs: EdgeInputs) -> Callable[[Tensor], Tensor]:
        graph, module, device = self.conv_graph, self.module_, self.graph_.device_
        target, draws = outcomes(train, device)
        output_cost = torch.as_tensor(self.output_cost_.relative(train), device=device)

        def exact(batch: Tensor) -> Tensor:
            hidden, with_task = graph.hidden(batch), torch.ones(len(target), dtype=torch.bool, device=device)
            with_task[batch] = torch.rand(len(batch), device=device) >= self.task_dropout
            edges = graph.edges(~hidden, with_task)
            states = module.convolve(module.start(inputs.x[: len(target)]), edges, graph.last(edges, hidden))[-1]
            seen = inputs.take(batch + len(target) * ~with_task[batch])
            logits, log_output_cost = module.decode(seen, states["query"][batch], states["llm"])
            quality = LOSSES[self.loss](logits, target[batch], draws[batch][None])
            return quality + self.cost_weight * output_cost_loss(log_output_cost, output_cost[batch])

        def loss(batch: Tensor) -> Tensor:
            # Sums over thousands of queries need all the digits of float32.
            with torch.autocast(device.type, enabled=False):
                return exact(batch)

        return loss

    def _validation_objective(self, validation: RoutingData) -> Callable[[], float]:
        target, draws = outcomes(validation, self.graph_.device_)
        attached = self.graph_.attach(validation.queries)
        inputs, edges = self.graph_.read(attached, validation.queries.chars), self.conv_graph.edges_into(attached)

        def loss() -> float:
            precomputed = self._precompute()
            logits, _ = self.module_.decode(
                inputs, self.module_.convolve_new(inputs.x, precomputed, *edges), precomputed[-1]["llm"]
            )
            losses = torch.nn.functional.binary_cross_entropy_with_logits(logits[0], target, reduction="none") * draws
            return float(losses.sum() / draws.sum())

        return loss

    def _precompute(self) -> list[States]:
        """Return the states of all training queries, tasks and LLMs, before the first layer and after each."""
        everyone = torch.ones(self.conv_graph.count, dtype=torch.bool, device=self.graph_.device_)
        edges = self.conv_graph.edges(everyone, everyone)
        x = self.graph_.query_inputs(self.graph_.data_.queries)
        return self.module_.convolve(self.module_.start(x), edges, self.conv_graph.last(edges, ~everyone))

    def _forget(self) -> None:
        """Drop what follows from what was learnt, and is computed when it is needed."""
        for name in ("conv_graph", "precomputed"):
            vars(self).pop(name, None)

    def set_state(self, state: dict[str, Any]) -> Self:
        """Take over what ``fit`` learnt elsewhere."""
        self._forget()
        return super().set_state(state)

    def _decode(self, queries: Queries) -> tuple[Array, Array]:
        qualities, log_output_costs = [], []
        with torch.inference_mode():
            if "precomputed" not in vars(self):
                self.conv_graph = self._conv_graph()
                self.precomputed = self._precompute()
            for start in range(0, max(len(queries), 1), CHUNK):
                part = queries.take(slice(start, start + CHUNK))
                attached = self.graph_.attach(part)
                inputs, edges = self.graph_.read(attached, part.chars), self.conv_graph.edges_into(attached)
                states = self.module_.convolve_new(inputs.x, self.precomputed, *edges)
                logits, log_output_cost = self.module_.decode(inputs, states, self.precomputed[-1]["llm"])
                qualities.append(torch.sigmoid(logits[0]).clamp(*QUALITY_RANGE).numpy())
                log_output_costs.append(log_output_cost.numpy())
        return np.concatenate(qualities), np.concatenate(log_output_costs)

    def predict(self, queries: Queries) -> Prediction:
        """Predict quality and cost."""
        quality, log_output_cost = self._decode(queries)
        return Prediction(quality, self.output_cost_.cost(queries, log_output_cost))
