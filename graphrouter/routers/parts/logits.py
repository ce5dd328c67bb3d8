"""What is read of a query -> one logit per LLM: how routers of that form are fitted to the outcomes, and read."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable
from dataclasses import dataclass, fields, replace
from typing import Any, Self

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from graphrouter.dataset import Queries, RoutingData
from graphrouter.routers.base import Prediction, Router
from graphrouter.routers.parts.arrays import as_probability
from graphrouter.routers.parts.outcomes import observed_outcomes
from graphrouter.routers.parts.query_inputs import QueryInputs, VectorRouter
from graphrouter.routers.parts.task_means import TaskMeans
from graphrouter.training import Schedule, batch_of, fit_module, pick_device
from graphrouter.typing import Array


def schedule_of(router: Router, rows: int) -> Schedule:
    """Return the schedule that a router has as flat fields: ``steps, patience, batch_size, ...``, for so many training queries."""
    schedule = Schedule(**{field.name: getattr(router, field.name) for field in fields(Schedule)})
    return replace(schedule, batch_size=batch_of(schedule.batch_size, rows))


@dataclass(eq=False)
class LogitRouter(VectorRouter):
    """Router of E networks, each of which turns rows of inputs [B, D'] into one logit per LLM; a cost is the task's mean.

    The members of the ensemble start from other random weights and are trained side by side on the same batches; the mean of
    their probabilities is the prediction, and what validation judges. A subclass has the fields of `Schedule`, `build`, whose
    module returns [E, B, M], and `_sizes`.

    Attributes:
        members: E, networks whose predictions are averaged.
    """

    members: int = 1

    @abstractmethod
    def _sizes(self) -> dict[str, Any]:
        """Return the arguments of `build` beside ``inputs`` (D'), ``llms`` (M) and ``members`` (E)."""

    def fit(self, train: RoutingData, validation: RoutingData) -> Self:
        """Fit the networks by the cross-entropy between their logits and the observed outcomes, graded ones included.

        Missing cells have no part in the loss. The loss on validation stops early and chooses the weights.
        """
        train, validation = train.sorted(), validation.sorted()
        self.llms_ = list(train.llms.names)
        self.inputs_ = QueryInputs(self.inputs).fit(train.queries)
        rows = self.inputs_.rows(train.queries)
        self.sizes_ = {"inputs": rows.shape[1], **self._sizes(), "llms": len(train.llms), "members": self.members}
        torch.manual_seed(self.seed)
        device = pick_device(self.run.device)
        module = self.build(**self.sizes_).to(device)
        fit_module(
            module,
            _training_loss(module, rows, train, device),
            len(rows),
            _validation_loss(module, self.inputs_.rows(validation.queries), validation, device),
            schedule_of(self, len(rows)),
            seed=self.seed,
            run=self.run,
            label=self.name,
        )
        self.module_ = module.cpu()
        self.cost_ = TaskMeans().fit(train.cost, train.queries.tasks)
        return self

    def predict(self, queries: Queries) -> Prediction:
        """Predict the quality from the inputs, and the cost from the task."""
        return Prediction(quality_of(self.logits(queries)).mean(axis=0), self.cost_.lookup(queries.tasks))

    def logits(self, queries: Queries) -> Array:
        """Return the members' logits, [E, Q, M] float32."""
        return predict_logits(self.module_, self.inputs_.rows(queries))


def _training_loss(
    module: nn.Module, inputs: Array, data: RoutingData, device: torch.device
) -> Callable[[Tensor], Tensor]:
    """Return the loss of a batch: the members' mean cross-entropies over the observed cells, added up, so that none slows another."""
    known, (target, seen) = torch.as_tensor(inputs, device=device), observed_outcomes(data, device)

    def loss(rows: Tensor) -> Tensor:
        logits = module(known[rows])
        wanted, weights = target[rows].expand_as(logits), seen[rows].expand_as(logits)
        total = F.binary_cross_entropy_with_logits(logits, wanted, weights, reduction="sum")
        return total / seen[rows].sum().clamp(min=1)

    return loss


def _validation_loss(module: nn.Module, inputs: Array, data: RoutingData, device: torch.device) -> Callable[[], float]:
    """Return a function that gives the cross-entropy of the members' mean probability over the observed cells."""
    known, (target, seen) = torch.as_tensor(inputs, device=device), observed_outcomes(data, device)

    def loss() -> float:
        quality = torch.sigmoid(module(known).float()).mean(dim=0)
        return (F.binary_cross_entropy(quality, target, seen, reduction="sum") / seen.sum().clamp(min=1)).item()

    return loss


def predict_logits(module: nn.Module, inputs: Array) -> Array:
    """Return the logits [..., Q, M] float32 of a fitted module on the CPU for inputs [Q, D']."""
    with torch.inference_mode():
        logits: Array = module(torch.as_tensor(inputs)).numpy()
    return logits


def quality_of(logits: Array) -> Array:
    """Return the probabilities of logits, of the same shape, float32 and inside (0, 1)."""
    return as_probability(1 / (1 + np.exp(-logits.astype(np.float64))))
