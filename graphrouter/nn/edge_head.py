"""Messages of logged outcomes -> terms of the logit of every (query, LLM) edge, and its output cost."""

from __future__ import annotations

from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

PRIOR_RANGE = (0.01, 0.99)
"""Range of an expected performance before its logit is taken: a task of few queries is no certainty."""
GATE = 0.1
"""Sum of the weights of the channels before training: neighbours start as a hint that training may believe."""
SMALLEST_OUTPUT_COST = 0.02
"""Least expected output cost, relative to the LLM's mean: keeps the logarithm, and the neighbours' term, finite."""
OUTPUT_COST_RANGE = 2.0
"""Largest difference, in logarithms, between an output cost and the mean of the task: a factor of 7. Not tuned."""
LOGIT_PER_RESIDUAL = 4.0
"""Slope of the logit at one half: turns a difference of probabilities into one of logits."""


class EdgeInputs(NamedTuple):
    """Messages to B queries, and what is known of them by themselves.

    Attributes:
        x: [B, D] vector and features of the length.
        task: [B] int64, T where unknown.
        fold: [B] int64, which history may be seen.
        prior: [B, M] expected performance.
        residual: [B, H, M] residual performance of the neighbours, in H channels.
        cost_prior: [B, M] expected output cost, relative to the LLM's mean.
        cost_residual: [B, H, M] residual output cost of the neighbours.
    """

    x: Tensor
    task: Tensor
    fold: Tensor
    prior: Tensor
    residual: Tensor
    cost_prior: Tensor
    cost_residual: Tensor

    def take(self, rows: Tensor | slice) -> EdgeInputs:
        """Return these queries only."""
        return EdgeInputs(*(tensor[rows] for tensor in self))

    def logit_residuals(self) -> tuple[Tensor, Tensor]:
        """Return the residual in logits: its mean over LLMs [B, H], and each LLM's difference from that [B, H, M]."""
        residual = LOGIT_PER_RESIDUAL * self.residual
        mean = residual.mean(dim=2)
        return mean, residual - mean[:, :, None]


class EdgeHead(nn.Module):
    r"""Few global weights of E members, on top of the messages; a network adds what is special about the query.

    `EdgeDecoder` has the sum of the terms. Members share the weights of the output cost, which has messages :math:`\mu'` and :math:`r'`
    of its own, and :math:`u_q` of the query:

    .. math::
        \log y_{qm} = \log \mu'_{tm} + \sigma\Big(\sum_h g'_h \, r'_{qhm} / \mu'_{tm} + b_m + u_q\Big),
        \qquad \sigma(z) = c \tanh(z / c)

    The weights learn faster than a network's and do not decay: what they start at is a good guess, and zero is none.

    Args:
        members: E.
        llms: M.
        channels: H, 0 where no neighbours send messages.
    """

    def __init__(self, members: int, llms: int, channels: int) -> None:
        super().__init__()  # "amount" in a parameter's name is the output cost: saved routers have these names
        gate = GATE / max(channels, 1)
        self.prior_scale = nn.Parameter(torch.ones(members, 1, 1))
        self.gate = nn.Parameter(torch.full((members, 1, channels), gate))
        self.common = nn.Parameter(torch.full((members, 1, channels), gate))
        self.discrimination = nn.Parameter(torch.ones(members, 1, llms))
        self.amount_gate = nn.Parameter(torch.full((channels,), gate))
        self.amount_bias = nn.Parameter(torch.zeros(llms))

    def prior(self, prior: Tensor, own: Tensor | float = 0.0) -> Tensor:
        """Return the term [E, B, M] of ``prior`` [B, M], with the query's own scale [E, B, 1]."""
        return (self.prior_scale + own) * torch.logit(prior.clamp(*PRIOR_RANGE))

    def neighbours(self, contrast: Tensor, own: Tensor | float = 0.0) -> Tensor:
        """Return the term [E, B, M] of differences between LLMs, [B, H, M] or [E, B, H, M], with the query's own gates [E, B, H]."""
        return ((self.gate + own)[:, :, None] @ contrast)[:, :, 0]

    def difficulty(self, mean: Tensor, own: Tensor) -> Tensor:
        """Return the term [E, B, M] of means over LLMs [B, H], with the query's own difficulty [E, B, 1]."""
        return self.discrimination * (own + (self.common * mean).sum(dim=2, keepdim=True))

    def log_output_cost(self, prior: Tensor, residual: Tensor, own: Tensor | float = 0.0) -> Tensor:
        """Return logarithms of expected output costs [B, M].

        Args:
            prior: [B, M] expected output cost, relative to the LLM's mean.
            residual: [B, H, M] residual output cost of the neighbours.
            own: [B, 1], what the query adds.
        """
        prior = prior.clamp(min=SMALLEST_OUTPUT_COST)
        neighbours = torch.einsum("h,bhm->bm", self.amount_gate, residual) / prior
        shift = neighbours + self.amount_bias + own
        return prior.log() + OUTPUT_COST_RANGE * torch.tanh(shift / OUTPUT_COST_RANGE)

    def parameter_groups(self, network: nn.Module, **options: Any) -> list[dict[str, Any]]:
        """Return the parameters of a network that has this head in AdamW's groups: the head without decay, and the rest.

        Args:
            network: All of it.
            options: AdamW's, of the head alone.
        """
        own = {id(weight) for weight in self.parameters()}
        rest = [weight for weight in network.parameters() if id(weight) not in own]
        return [{"params": list(self.parameters()), "weight_decay": 0.0, **options}, {"params": rest}]
