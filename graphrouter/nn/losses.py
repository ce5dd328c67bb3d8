"""Losses of predicted logits against observed performance; each switchable by name."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn import functional

TINY = 1e-12
"""Least sum of weights: a batch without any label has a loss of 0, not of NaN."""


def soft(logits: Tensor, target: Tensor, weight: Tensor) -> Tensor:
    """Cross-entropy with performance as a probability; right for graded performance too.

    Args:
        logits: [E, B, M].
        target: [B, M] performance, 0 where missing.
        weight: [E, B, M], 0 where missing.

    Returns:
        Scalar, the weighted mean over edges; 0 where the batch has no outcome.
    """
    losses = functional.binary_cross_entropy_with_logits(logits, target.expand_as(logits), reduction="none")
    return _mean(losses, weight)


def one_hot(logits: Tensor, target: Tensor, weight: Tensor) -> Tensor:
    """Cross-entropy with the first best LLM as the only right one, as GraphRouter publishes it (arXiv:2410.03834)."""
    seen = (weight > 0).any(dim=0)
    best = target.masked_fill(~seen, -1).argmax(dim=1)
    return soft(logits, functional.one_hot(best, target.shape[1]).float(), weight)


def listwise(logits: Tensor, target: Tensor, weight: Tensor) -> Tensor:
    """`soft`, plus the cross-entropy between softmax(logits) and the best LLMs of the query, ties sharing (ListNet)."""
    seen = (weight > 0).any(dim=0)
    masked = target.masked_fill(~seen, -1)
    best = (masked == masked.max(dim=1, keepdim=True).values).float()
    best = best / best.sum(dim=1, keepdim=True)
    informative = (best * seen).gt(0).sum(dim=1) < seen.sum(dim=1)
    log_share = torch.log_softmax(logits.masked_fill(~seen, -1e4), dim=2)
    ranking = -(best * log_share).sum(dim=2) * informative
    return soft(logits, target, weight) + ranking.sum() / informative.sum().clamp(min=1) / len(logits)


def regression(logits: Tensor, target: Tensor, weight: Tensor) -> Tensor:
    """Squared error of the probability."""
    return _mean((torch.sigmoid(logits) - target) ** 2, weight)


def _mean(losses: Tensor, weight: Tensor) -> Tensor:
    return (losses * weight).sum() / weight.sum().clamp(min=TINY)


def output_cost_loss(log_output_cost: Tensor, output_cost: Tensor) -> Tensor:
    """Gamma deviance, whose best prediction is the mean output cost, not its median as with an error of logarithms.

    Args:
        log_output_cost: [B, M], logarithms of expected output costs.
        output_cost: [B, M], not negative, NaN where not known.

    Returns:
        Scalar, the mean of ``output_cost / expected + log expected`` over known output costs; 0 where none is known.
    """
    known = ~torch.isnan(output_cost)
    if not known.any():
        return log_output_cost.sum() * 0
    return (output_cost[known] * torch.exp(-log_output_cost[known]) + log_output_cost[known]).mean()


LOSSES: dict[str, Callable[[Tensor, Tensor, Tensor], Tensor]] = {
    loss.__name__: loss for loss in (soft, one_hot, listwise, regression)
}
