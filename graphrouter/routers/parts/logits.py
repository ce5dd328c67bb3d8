"""Query vectors -> one logit per LLM: how routers of that form are fitted to the outcomes, and read."""

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
from graphrouter.routers.parts.task_means import TaskMeans
from graphrouter.training import Schedule, batch_of, fit_module, pick_device
from graphrouter.typing import Array


def schedule_of(router: Router, rows: int) -> Schedule:
    """Return the schedule that a router has as flat fields: ``steps, patience, batch_size, ...``, for so many training queries."""
    schedule = Schedule(**{field.name: getattr(router, field.name) for field in fields(Schedule)})
    return replace(schedule, batch_size=batch_of(schedule.batch_size, rows))


@dataclass(eq=False)
class LogitRouter(Router):
    """Router whose module turns query vectors [B, D] into one logit per LLM [B, M]; a cost is the task's mean.

    A subclass has the fields of `Schedule`, `build`, and `_sizes`.
    """

    @abstractmethod
    def _sizes(self) -> dict[str, Any]:
        """Return the arguments of `build` beside ``inputs`` (D) and ``llms`` (M)."""

    def fit(self, train: RoutingData, validation: RoutingData) -> Self:
        """Fit the module by the cross-entropy between its logits and the observed outcomes, graded ones included.

        Missing cells have no part in the loss. The loss on validation stops early and chooses the weights.
        """
        self.llms_ = list(train.llms.names)
        self.sizes_ = {"inputs": train.queries.vectors.shape[1], **self._sizes(), "llms": len(train.llms)}
        torch.manual_seed(self.seed)
        device = pick_device(self.run.device)
        module = self.build(**self.sizes_).to(device)
        loss, later = (_outcome_loss(module, part.sorted(), device) for part in (train, validation))
        rows = torch.arange(len(validation.queries), device=device)
        fit_module(
            module,
            loss,
            len(train.queries),
            lambda: later(rows).item(),
            schedule_of(self, len(train.queries)),
            seed=self.seed,
            run=self.run,
            label=self.name,
        )
        self.module_ = module.cpu()
        self.cost_ = TaskMeans().fit(train.cost, train.queries.tasks)
        return self

    def predict(self, queries: Queries) -> Prediction:
        """Predict the quality from the vectors, and the cost from the task."""
        return Prediction(quality_of(predict_logits(self.module_, queries.vectors)), self.cost_.lookup(queries.tasks))


def _outcome_loss(module: nn.Module, data: RoutingData, device: torch.device) -> Callable[[Tensor], Tensor]:
    vectors = torch.as_tensor(data.queries.vectors, device=device)
    seen = torch.as_tensor(data.observed.astype(np.float32), device=device)
    target = torch.as_tensor(np.where(data.observed, data.performance, 0).astype(np.float32), device=device)

    def loss(rows: Tensor) -> Tensor:
        total = F.binary_cross_entropy_with_logits(module(vectors[rows]), target[rows], seen[rows], reduction="sum")
        return total / seen[rows].sum().clamp(min=1)

    return loss


def predict_logits(module: nn.Module, vectors: Array) -> Array:
    """Return [Q, M] float32, the logits of a fitted module on the CPU."""
    with torch.inference_mode():
        logits: Array = module(torch.as_tensor(vectors)).numpy()
    return logits


def quality_of(logits: Array) -> Array:
    """Return the probabilities [Q, M] of logits, float32 and inside (0, 1)."""
    return as_probability(1 / (1 + np.exp(-logits.astype(np.float64))))
