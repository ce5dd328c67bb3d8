"""Matrix factorisation (EmbedLLM): an LLM's embedding times the query's projected vector."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from graphrouter.members import MemberLinear
from graphrouter.ranges import NOT_NEGATIVE, Range
from graphrouter.routers.parts.logits import LogitRouter


class Factors(nn.Module):
    """``logit[q, m] = w . (p_m * (A (x_q + noise) + c)) + b``: element-wise product, then a linear classifier.

    The source's classifier has two outputs under a softmax; one output under a sigmoid is the same model.

    Args:
        inputs: D', length of a query's row.
        dimensions: K, length of an LLM's embedding.
        llms: M.
        noise: Standard deviation of what is added to each entry of the rows in training.
        dropout: Share of the projected entries dropped in training.
        members: E, models side by side.
    """

    def __init__(self, inputs: int, dimensions: int, llms: int, noise: float, dropout: float, members: int) -> None:
        super().__init__()
        self.noise, self.members = noise, members
        self.embedding = nn.Parameter(torch.randn(members, llms, dimensions))
        self.project = MemberLinear(members, inputs, dimensions)
        self.dropout = nn.Dropout(dropout)
        self.classifier = MemberLinear(members, dimensions, 1)

    def forward(self, rows: Tensor) -> Tensor:
        """Map rows [B, D'] to logits [E, B, M]."""
        rows = rows.expand(self.members, -1, -1)
        if self.training:
            rows = rows + self.noise * torch.randn_like(rows)
        weighted = self.dropout(self.project(rows)) * self.classifier.weight.transpose(1, 2)
        return weighted @ self.embedding.transpose(1, 2) + self.classifier.bias


@dataclass(eq=False)
class MatrixFactorisation(LogitRouter):
    """Matrix factorisation of the outcomes, with what is read of the query as the query's side.

    The source steps 50 times over 4 million (query, LLM) pairs at a rate of 1e-4. Logs here are a hundred times
    smaller, so the default rate is higher and validation decides when to stop; outcomes may be graded.

    Attributes:
        dimensions: Length of an LLM's embedding.
        noise: Standard deviation of the noise on the inputs in training (the source's alpha).
        dropout: Share of the projected inputs dropped in training; the source has none.
        steps: Optimiser steps, at most; see `graphrouter.training.Schedule`.
        patience: Steps without a better validation loss before training stops.
        batch_size: Queries per step, at most a sixteenth of the training queries.
        learning_rate: Highest learning rate of AdamW.
        weight_decay: Weight decay of AdamW.
    """

    dimensions: int = 232
    noise: float = 0.05
    dropout: float = 0.0
    steps: int = 2000
    patience: int = 200
    batch_size: int = 256
    learning_rate: float = 1e-3
    weight_decay: float = 1e-5

    ranges: ClassVar[dict[str, Range]] = {"noise": NOT_NEGATIVE}
    source: ClassVar[str] = (
        "EmbedLLM, arXiv:2410.02223, section 4.2; github.com/richardzhuang0412/EmbedLLM, algorithm/mf.py"
    )
    search_space: ClassVar[tuple[dict[str, Any], ...]] = (
        {},
        {"dimensions": 64, "dropout": 0.1},
        {"noise": 0.0},
        {"learning_rate": 3e-3},
        {"weight_decay": 1.0},
        {"weight_decay": 1.0, "inputs": ["vector"]},
    )

    def _sizes(self) -> dict[str, Any]:
        return {"dimensions": self.dimensions, "noise": self.noise, "dropout": self.dropout}

    def build(self, **sizes: Any) -> Factors:
        """Make the module from its sizes."""
        return Factors(**sizes)
