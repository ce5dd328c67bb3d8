"""Query vectors -> one logit per LLM: how routers of that form are fitted to the outcomes, and read."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import fields

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from graphrouter.dataset import RoutingData
from graphrouter.routers.base import Router
from graphrouter.routers.parts.arrays import as_probability
from graphrouter.training import Schedule, fit_module, pick_device
from graphrouter.typing import Array


def schedule_of(router: Router) -> Schedule:
    """Return the schedule that a router has as flat fields: ``epochs, patience, batch_size, ...``."""
    return Schedule(**{field.name: getattr(router, field.name) for field in fields(Schedule)})


def fit_logits(router: Router, module: nn.Module, train: RoutingData, validation: RoutingData) -> nn.Module:
    """Fit a module by the cross-entropy between its logits and the observed outcomes, graded ones included.

    Args:
        router: Has the fields of `Schedule`, the seed and the run options.
        module: Takes vectors [B, D] and returns logits [B, M].
        train: Missing cells have no part in the loss.
        validation: Its loss stops early and chooses the weights.

    Returns:
        The module with its best weights, on the CPU and in evaluation mode.
    """
    device = pick_device(router.run.device)
    module = module.to(device)
    batch_loss = _outcome_loss(module, train.sorted(), device)
    later = _outcome_loss(module, validation.sorted(), device)
    rows = torch.arange(len(validation.queries), device=device)
    fit_module(
        module,
        batch_loss,
        len(train.queries),
        lambda: later(rows).item(),
        schedule_of(router),
        seed=router.seed,
        run=router.run,
        label=router.name,
    )
    return module.cpu()


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
