"""The graph of the training outcomes, and the messages that it sends a query."""

from __future__ import annotations

import copy
from dataclasses import dataclass, replace
from typing import Any, Self

import numpy as np
import torch
from torch import Tensor
from torch_geometric.data import HeteroData

from graphrouter.dataset import Queries, RoutingData
from graphrouter.graph import NEW, attach, build
from graphrouter.nn.edge_head import EdgeInputs
from graphrouter.nn.messages import MessageOptions, OutcomeMessages
from graphrouter.routers.parts.logged_data import VECTOR_LENGTH, data_of, data_state
from graphrouter.typing import Array


@dataclass(eq=False)
class OutcomeGraph:
    """Builds the graph of a training split, precomputes what it can, and computes the inputs of the decoder for queries.

    Attributes:
        neighbours, scales, same_task_weight, task_strength, relations, edge_attributes: As in `Smoothing`.
    """

    neighbours: int
    scales: tuple[float, ...]
    same_task_weight: float
    task_strength: float
    relations: tuple[str, ...]
    edge_attributes: bool

    def fit(self, data: RoutingData, output_cost: Array) -> Self:
        """Take in the outcomes.

        Where ``belongs_to`` is not among the relations, the graph has no tasks, so that nothing else tells them either.

        Args:
            data: Q queries; all their outcomes become messages.
            output_cost: [Q, M] relative to the LLM's mean, NaN where not known.
        """
        self.data_, self.output_cost_ = data, output_cost
        known = {task for task in data.queries.tasks if task is not None}
        self.tasks_ = sorted(known) if "belongs_to" in self.relations else []
        length = np.log1p(data.queries.chars)
        self.length_ = (float(length.mean()), float(length.std()) or 1.0)
        self.device_ = torch.device("cpu")
        return self._precompute()

    def to(self, device: torch.device) -> Self:
        """Move to a device."""
        self.device_ = device
        return self._precompute()

    def _precompute(self) -> Self:
        options = MessageOptions(self.scales, self.same_task_weight, self.task_strength)
        self.messages = OutcomeMessages(self.relations, options)
        performance, weight, observed = self.data_.performance, self.data_.draws, self.data_.observed
        if observed.any():  # without the only text group that was ever answered, nothing is left
            weight = weight / weight[observed].mean()
            if not self.edge_attributes:
                performance = np.where(observed, np.float32(np.nanmean(performance)), np.nan)
        data = replace(self.data_, performance=performance)
        self.graph = build(data, self.tasks_, self.messages.edge_types(), self.neighbours, self.device_)
        values = np.stack([performance, np.where(observed, self.output_cost_, np.nan)]).astype(np.float32)
        seen = ~np.isnan(values)
        made = (np.where(seen, values, 0), np.where(seen, weight, 0).astype(np.float32))
        self.precomputed = self.messages.precompute(
            self.graph, *(torch.as_tensor(array, device=self.device_) for array in made)
        )
        return self

    @property
    def history(self) -> Tensor:
        """[1, M, D], the LLMs' history."""
        return self.precomputed.history[None]

    def inputs(self, queries: Queries) -> EdgeInputs:
        """Return the decoder's inputs for B queries, each on its own."""
        return self.read(self.attach(queries), queries.chars)

    def attach(self, queries: Queries) -> HeteroData:
        """Return the graph with B queries that are to be predicted."""
        return attach(self.graph, queries, self.messages.edge_types())

    def propagate(self, attached: HeteroData, values: Array, weights: Array) -> Tensor:
        """Return the weighted mean over similar queries, shrunk to 0 where they are few.

        Args:
            attached: From `attach`, of B queries.
            values: [N] of the graph's queries.
            weights: [N], 0 where there is no value.

        Returns:
            [B, H]; H is 0 without messages from neighbours.
        """
        columns = torch.as_tensor(np.stack([values * weights, weights], axis=1), dtype=torch.float32)
        return self.messages.propagate(columns.to(self.device_), attached)

    def inputs_with_and_without_task(self, queries: Queries) -> tuple[EdgeInputs, EdgeInputs]:
        """Return `inputs`, and what they are when the queries' tasks are not known."""
        attached = self.attach(queries)
        without = copy.copy(attached)
        without[NEW].task = torch.full_like(attached[NEW].task, len(self.tasks_))
        return self.read(attached, queries.chars), self.read(without, queries.chars)

    def read(self, attached: HeteroData, chars: Array) -> EdgeInputs:
        """Return the decoder's inputs for the B queries that were attached."""
        prior, residual = self.messages(self.precomputed, attached)
        new = attached[NEW]
        x = self._vectors(new.x, chars)
        return EdgeInputs(x, new.task, torch.zeros_like(new.task), prior[0], residual[0], prior[1], residual[1])

    def query_inputs(self, queries: Queries) -> Tensor:
        """Return [B, D], what is known of queries by themselves."""
        return self._vectors(torch.as_tensor(queries.vectors, device=self.device_), queries.chars)

    def _vectors(self, vectors: Tensor, chars: Array) -> Tensor:
        unit = torch.nn.functional.normalize(vectors, dim=1)
        length = torch.as_tensor((np.log1p(chars) - self.length_[0]) / self.length_[1], device=self.device_).clamp(
            -3, 3
        )
        return torch.cat([VECTOR_LENGTH * unit, length[:, None], length[:, None] ** 2], dim=1)

    def without(self, rows: Array) -> OutcomeGraph:
        """Return the graph of the other queries; tasks keep their positions.

        Output costs are multiples of the LLM's mean over the queries that are left, so that none of the others' leaks
        through it. Inputs keep their meaning: multiples of the mean of the graph that they come from.
        """
        keep = np.ones(len(self.data_.queries), dtype=bool)
        keep[rows] = False
        other = replace(self)
        other.data_, left = self.data_.take(np.flatnonzero(keep)), self.output_cost_[keep]
        total, count = np.nansum(left, axis=0, dtype=np.float64), (~np.isnan(left)).sum(axis=0)
        other.output_cost_ = (left * np.where(total > 0, count / np.where(total > 0, total, 1), 1)).astype(np.float32)
        other.tasks_, other.length_, other.device_ = self.tasks_, self.length_, self.device_
        return other._precompute()

    def get_state(self) -> dict[str, Any]:
        """Return the hyperparameters and the outcomes."""
        settings = {name: getattr(self, name) for name in self.__dataclass_fields__}
        return {
            "settings": {name: list(value) if isinstance(value, tuple) else value for name, value in settings.items()},
            **data_state(self.data_),
            "amount": self.output_cost_,
            "tasks": self.tasks_,
            "length": list(self.length_),
        }

    @classmethod
    def from_state(cls, state: dict[str, Any]) -> Self:
        """Rebuild from `get_state`."""
        settings: dict[str, Any] = {
            name: tuple(value) if isinstance(value, list) else value for name, value in state["settings"].items()
        }
        graph = cls(**settings)
        graph.data_, graph.output_cost_, graph.tasks_ = data_of(state), state["amount"], list(state["tasks"])
        graph.length_, graph.device_ = (state["length"][0], state["length"][1]), torch.device("cpu")
        return graph._precompute()


def fold_inputs(graph: OutcomeGraph, folds: int) -> tuple[EdgeInputs, Tensor]:
    """Return the decoder's inputs for the training queries, from graphs without their fold.

    Returns:
        Inputs [2Q, ...]: the Q training queries with their task, and again without; and history [F, M, D].
    """
    queries = graph.data_.queries
    fold_of = _folds(queries.groups, folds)
    rows_of = [np.flatnonzero(fold_of == fold) for fold in range(folds)]
    parts: tuple[list[EdgeInputs], list[EdgeInputs]] = ([], [])
    history = []
    for fold, rows in enumerate(rows_of):
        others = graph.without(rows)
        history.append(others.precomputed.history)
        at = torch.full((len(rows),), fold, device=graph.device_)
        for part, inputs in zip(parts, others.inputs_with_and_without_task(queries.take(rows)), strict=True):
            part.append(inputs._replace(fold=at))
    order = torch.as_tensor(np.argsort(np.concatenate(rows_of)), device=graph.device_)
    ordered = [EdgeInputs(*(torch.cat(tensors)[order] for tensors in zip(*part, strict=True))) for part in parts]
    return EdgeInputs(*(torch.cat(pair) for pair in zip(*ordered, strict=True))), torch.stack(history)


def _folds(groups: Array, folds: int) -> Array:
    """Return the fold of each query: a text group stays together, sizes are even, and row order has no say."""
    unique, position = np.unique(groups, return_inverse=True)
    del unique
    return position % folds
