"""States of LLMs -> the query whose neighbours tell them apart."""

from __future__ import annotations

import torch
from torch import Tensor, nn

GAIN = 10.0
"""Brings the messages, means over LLMs of states of about 0.1 times differences of logits, to the size of the query's state."""


class ContrastConv(nn.Module):
    r"""Sum of the LLMs' states, weighted by how the outcomes of similar queries differ between LLMs.

    .. math::
        x'_{qh} = \frac{10}{M} \sum_m (r_{qhm} - \bar r_{qh}) \, e_m

    The relation is dense, from every LLM to every query, so it is one product of matrices.
    """

    def forward(self, contrast: Tensor, llms: Tensor) -> Tensor:
        """Return [E, B, H * R], of differences [B, H, M] and states [E, M, R]."""
        return torch.einsum("bhm,emr->ebhr", contrast, llms).flatten(2) * (GAIN / contrast.shape[2])
