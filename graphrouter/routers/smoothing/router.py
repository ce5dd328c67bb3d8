"""Smoothing, a baseline: outcomes of similar queries and of tasks, averaged by fixed rules, and an ensemble of small decoders."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field, fields
from typing import Any, ClassVar, Self

import numpy as np
import torch
from torch import Tensor
from torch_geometric.data import HeteroData

from graphrouter.dataset import Queries, RoutingData
from graphrouter.errors import UserError
from graphrouter.nn.edge_decoder import LLM_FEATURES, TERMS, DecoderSizes, EdgeDecoder
from graphrouter.nn.edge_head import EdgeInputs
from graphrouter.nn.losses import LOSSES
from graphrouter.nn.messages import RELATIONS
from graphrouter.ranges import COUNT, NOT_NEGATIVE, POSITIVE, SHARE, Range
from graphrouter.routers.parts.added_llms import AddedLLM, AddedLLMs
from graphrouter.routers.parts.ensemble import EnsembleRouter
from graphrouter.routers.parts.logged_data import VECTOR_LENGTH
from graphrouter.routers.parts.logits import schedule_of
from graphrouter.routers.parts.new_llm import NewLLM
from graphrouter.routers.parts.outcomes import QUALITY_RANGE
from graphrouter.routers.parts.output_cost import OutputCost
from graphrouter.routers.smoothing.objective import (
    SmoothingObjective,
    SmoothingValidation,
    bootstrap_weights,
)
from graphrouter.routers.smoothing.outcome_graph import OutcomeGraph, fold_inputs
from graphrouter.training import fit_module, pick_device
from graphrouter.typing import Array

CHUNK = 4096
"""Queries that are predicted at once, to bound the memory."""
FAST = 3
"""Pace of the head's few weights relative to the networks', so that they adapt to a log in the few hundred steps of a small one; not
tuned by itself."""


@dataclass(eq=False)
class Smoothing(EnsembleRouter):
    """Fixed kernels over similar queries and shrunk task means, precomputed, and a small decoder.

    The decoder predicts quality and cost of every (query, LLM) edge; one training serves every scenario. No message is
    learned, so it is the baseline that says what a graph network with learned messages gains at equal inputs.

    Training queries are divided into folds by text group. The messages to a query come from a graph without its fold,
    so a supervised query never sees its own outcomes, through a neighbour, a task's mean or an LLM's state. New
    queries get their messages from the graph of all training queries, by the same function.

    The network is an ensemble whose members are trained on Bayesian-bootstrap weights of the queries. The prediction
    is their mean. The decision takes ``caution`` standard deviations off it: the best of many noisy predictions is
    too often a lucky one (the winner's curse), so the decision is by a lower confidence bound.

    An LLM that joins later (`extend`) is predicted as a mixture of the known LLMs' logits with an effect of each task, both
    shrunk and learnt from its outcomes alone, and by messages of its own from similar queries. How unsure that is adds
    to the spread over the members, so a decision counts it against it. The other LLMs' predictions stay.

    Attributes:
        neighbours: K, ``similar_to`` edges into a query.
        scales: H kernel widths over them.
        same_task_weight: How much more a neighbour of the same task counts.
        task_strength: How many observations the additive expectation of task and LLM counts as, in their mean.
        folds: Parts that training queries are divided into.
        members: E networks in the ensemble.
        bootstrap: Whether members see differently weighted queries.
        caution: Standard deviations taken off in decisions.
        task_dropout: Share of training queries shown without their task, so that an unknown task is no surprise.
        rank: Width of LLM states.
        hidden: Width of query states.
        dropout: On query states.
        relations: Names of relations that carry messages; see `graphrouter.nn.messages.OPERATORS`.
        edge_attributes: Whether performance is on the edges; without it an edge says that the LLM was asked, and how
            long its answer was, but not how good.
        llm_features: Inputs of the states of LLMs: ``learned``, ``description``, both or none.
        terms: Which terms the decoder adds up.
        loss: ``soft``, ``one_hot``, ``listwise`` or ``regression``.
        cost_weight: Weight of the loss of the output cost.
        steps: See `graphrouter.training.Schedule`, like the next four.
    """

    neighbours: int = 200
    scales: list[float] = field(default_factory=lambda: [60.0, 25.0, 10.0, 3.0])
    same_task_weight: float = 2.0
    task_strength: float = 10.0
    folds: int = 10
    members: int = 8
    bootstrap: bool = True
    task_dropout: float = 0.1
    rank: int = 8
    hidden: int = 32
    dropout: float = 0.5
    relations: list[str] = field(default_factory=lambda: ["belongs_to", "similar_to", "answered_by", "rev_answered_by"])
    edge_attributes: bool = True
    llm_features: list[str] = field(default_factory=lambda: ["learned"])
    terms: list[str] = field(default_factory=lambda: list(TERMS))
    loss: str = "soft"
    cost_weight: float = 0.1
    steps: int = 2000
    patience: int = 200
    batch_size: int = 256
    learning_rate: float = 1e-3
    weight_decay: float = 0.05

    source: ClassVar[str] = "this project; GraphRouter (arXiv:2410.03834) for the graph of queries, tasks and LLMs"
    ranges: ClassVar[dict[str, Range]] = {
        "neighbours": COUNT,
        "scales": POSITIVE,
        "same_task_weight": POSITIVE,
        "task_strength": POSITIVE,
        "folds": Range(2),
        "members": COUNT,
        "caution": NOT_NEGATIVE,
        "task_dropout": SHARE,
        "rank": COUNT,
        "cost_weight": NOT_NEGATIVE,
    }
    choices: ClassVar[dict[str, Collection[str]]] = {
        "loss": LOSSES,
        "relations": RELATIONS,
        "terms": TERMS,
        "llm_features": LLM_FEATURES,
    }
    parts: ClassVar[dict[str, Any]] = {"output_cost_": OutputCost, "graph_": OutcomeGraph, "added_": AddedLLMs}
    search_space: ClassVar[tuple[dict[str, Any], ...]] = (
        {},
        {"dropout": 0.7},
        {"dropout": 0.5, "hidden": 64, "rank": 16},
        {"dropout": 0.3, "hidden": 64, "rank": 16},
    )
    extends: ClassVar[bool] = True
    baseline: ClassVar[bool] = True

    def fit(self, train: RoutingData, validation: RoutingData) -> Self:
        """Learn from the training split; validation stops early."""
        device = pick_device(self.run.device)
        train, validation = train.sorted(), validation.sorted()
        self.llms_ = list(train.llms.names)
        self.added_ = AddedLLMs([], np.arange(len(train.llms)))
        self.output_cost_ = OutputCost().fit(train)
        self.graph_ = self._outcome_graph(train).to(device)
        inputs, history = fold_inputs(self.graph_, min(self.folds, len(train.queries)))
        torch.manual_seed(self.seed)
        self.sizes_ = self._sizes(inputs, history)
        self.module_ = self.build(**self.sizes_)
        if "description" in self.llm_features:
            self.module_.description.copy_(_contrast(torch.as_tensor(train.llms.vectors)))
        self.module_ = self.module_.to(device)
        self._train(train, validation, inputs, history)
        with torch.inference_mode():
            log_output_cost = self.module_(inputs.take(slice(0, len(train.queries))), history)[1]
        self.output_cost_.calibrate(log_output_cost.cpu().numpy(), train)
        self.module_ = self.module_.cpu()
        self.graph_ = self.graph_.to(torch.device("cpu"))
        return self

    def __post_init__(self) -> None:
        super().__post_init__()
        if not self.terms:
            raise UserError("smoothing.terms must not be empty; name one or more, or leave out the key for the default")

    def _outcome_graph(self, train: RoutingData) -> OutcomeGraph:
        return OutcomeGraph(
            neighbours=self.neighbours,
            scales=tuple(self.scales),
            same_task_weight=self.same_task_weight,
            task_strength=self.task_strength,
            relations=tuple(self.relations),
            edge_attributes=self.edge_attributes,
        ).fit(train, self.output_cost_.relative(train))

    def _sizes(self, inputs: EdgeInputs, history: Tensor) -> dict[str, Any]:
        return {
            "inputs": inputs.x.shape[1],
            "llms": inputs.prior.shape[1],
            "tasks": len(self.graph_.tasks_),
            "channels": inputs.residual.shape[1],
            "members": self.members,
            "rank": self.rank,
            "hidden": self.hidden,
            "dropout": self.dropout,
            "history": history.shape[2],
            "terms": list(self.terms),
            "relations": list(self.relations),
            "llm_features": list(self.llm_features),
            "description": self.graph_.data_.llms.vectors.shape[1],
        }

    def build(self, **sizes: Any) -> EdgeDecoder:
        """Make the decoder."""
        return EdgeDecoder(DecoderSizes(**sizes))

    def _train(self, train: RoutingData, validation: RoutingData, inputs: EdgeInputs, history: Tensor) -> None:
        rows, module = len(train.queries), self.module_
        objective = SmoothingObjective(
            module,
            inputs,
            history,
            train,
            self.output_cost_.relative(train),
            bootstrap_weights(self.members, rows, self.seed) if self.bootstrap else torch.ones(self.members, rows),
            loss=LOSSES[self.loss],
            cost_weight=self.cost_weight,
            task_dropout=self.task_dropout,
        )
        validate = SmoothingValidation(module, self.graph_.inputs(validation.queries), self.graph_.history, validation)
        fit_module(
            module,
            objective,
            rows,
            validate,
            schedule_of(self, rows),
            seed=self.seed,
            run=self.run,
            label=self.name,
            parameter_groups=module.head.parameter_groups(module, lr=FAST * self.learning_rate),
            settings={one.name: getattr(self, one.name) for one in fields(self) if one.init},
        )

    def _add_llm(self, new_llm: NewLLM) -> None:
        queries = new_llm.answered.queries
        qualities, _ = self._decode_known(self.graph_.attach(queries), queries)
        llm = AddedLLM.of(new_llm, qualities, self.graph_.tasks_, self.graph_.data_.queries.ids)
        self.added_ = self.added_.extend(new_llm, llm)
        self.output_cost_ = self.output_cost_.extend(new_llm)

    def predict_members(self, queries: Queries) -> tuple[Array, Array]:
        """Return the members' qualities [E, Q, M] and the expected cost [Q, M]."""
        starts = range(0, max(len(queries), 1), CHUNK)
        parts = [self._decode_chunk(queries.take(slice(start, start + CHUNK))) for start in starts]
        qualities, log_output_costs = zip(*parts, strict=True)
        return np.concatenate(qualities, axis=1), self.output_cost_.cost(queries, np.concatenate(log_output_costs))

    def _decode_chunk(self, queries: Queries) -> tuple[Array, Array]:
        graph = self.graph_.attach(queries)
        qualities, log_output_costs = self._decode_known(graph, queries)
        if not self.added_.llms:
            return qualities, log_output_costs
        gate = self.module_.head.gate.detach().mean(dim=(0, 1)).numpy() * ("neighbours" in self.terms)

        def similar(values: Array, weights: Array) -> Array:
            added: Array = self.graph_.propagate(graph, values, weights).numpy() @ gate
            return added

        return self.added_.add(qualities, log_output_costs, queries, self.graph_.tasks_, similar)

    def _decode_known(self, graph: HeteroData, queries: Queries) -> tuple[Array, Array]:
        """Return members' qualities [E, B, M] and logarithms of output costs [B, M] of the LLMs known in `fit`."""
        with torch.inference_mode():
            logits, log_output_cost = self.module_(self.graph_.read(graph, queries.chars), self.graph_.history)
        return torch.sigmoid(logits).clamp(*QUALITY_RANGE).numpy(), log_output_cost.numpy()


def _contrast(vectors: Tensor) -> Tensor:
    """Return [M, L]: what each description differs by from their mean, in the length that query vectors are scaled to."""
    return VECTOR_LENGTH * torch.nn.functional.normalize(vectors - vectors.mean(dim=0), dim=1)
