"""Outcomes as tensors, and the likelihood of an ensemble's mean: what torch routers are trained and validated on."""

from __future__ import annotations

import torch
from torch import Tensor

from graphrouter.dataset import RoutingData

QUALITY_RANGE = (1e-4, 1 - 1e-4)
"""Range of a predicted quality: keeps the logarithm of the loss finite in single precision."""


def outcomes(data: RoutingData, device: torch.device) -> tuple[Tensor, Tensor]:
    """Return performance [Q, M], 0 where missing, and how many draws it is the mean of, 0 where missing; float32."""
    performance = torch.as_tensor(data.performance, dtype=torch.float32, device=device).nan_to_num(nan=0.0)
    return performance, torch.as_tensor(data.draws, dtype=torch.float32, device=device)


def observed_outcomes(data: RoutingData, device: torch.device) -> tuple[Tensor, Tensor]:
    """Return performance [Q, M], 0 where missing, and 1 where it is there, else 0, whatever the number of draws."""
    performance, draws = outcomes(data, device)
    return performance, (draws > 0).float()


def ensemble_loss(quality: Tensor, performance: Tensor, draws: Tensor) -> float:
    """Return the negative log-likelihood of the mean of the members' qualities [E, Q, M] per draw; others as `outcomes` has them."""
    mean = quality.mean(dim=0).clamp(*QUALITY_RANGE)
    losses = -(performance * mean.log() + (1 - performance) * torch.log1p(-mean)) * draws
    return float(losses.sum() / draws.sum())
