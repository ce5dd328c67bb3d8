"""Matrix factorisation (EmbedLLM): an LLM's embedding times the query's projected vector."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from graphrouter.ranges import NOT_NEGATIVE, Range
from graphrouter.routers.parts.logits import LogitRouter


class Factors(nn.Module):
    """``logit[q, m] = w . (p_m * (A (x_q + noise) + c)) + b``: element-wise product, then a linear classifier.

    The source's classifier has two outputs under a softmax; one output under a sigmoid is the same model.

    Args:
        inputs: D, length of a query's vector.
        dimensions: K, length of an LLM's embedding.
        llms: M.
        noise: Standard deviation of what is added to each entry of the vectors in training.
    """

    def __init__(self, inputs: int, dimensions: int, llms: int, noise: float) -> None:
        super().__init__()
        self.noise = noise
        self.embedding = nn.Embedding(llms, dimensions)
        self.project = nn.Linear(inputs, dimensions)
        self.classifier = nn.Linear(dimensions, 1)

    def forward(self, vectors: Tensor) -> Tensor:
        """Map vectors [B, D] to logits [B, M]."""
        if self.training:
            vectors = vectors + self.noise * torch.randn_like(vectors)
        weighted = self.project(vectors) * self.classifier.weight[0]
        logits: Tensor = weighted @ self.embedding.weight.T + self.classifier.bias
        return logits


@dataclass(eq=False)
class MatrixFactorisation(LogitRouter):
    """Matrix factorisation of the outcomes, with the query's vector as the query's side.

    The source steps 50 times over 4 million (query, LLM) pairs at a rate of 1e-4. Logs here are a hundred times
    smaller, so the default rate is higher and validation decides when to stop; outcomes may be graded.

    Attributes:
        dimensions: Length of an LLM's embedding.
        noise: Standard deviation of the noise on the vectors in training (the source's alpha).
        steps: Optimiser steps, at most; see `graphrouter.training.Schedule`.
        patience: Steps without a better validation loss before training stops.
        batch_size: Queries per step, at most a sixteenth of the training queries.
        learning_rate: Highest learning rate of AdamW.
        weight_decay: Weight decay of AdamW.
    """

    dimensions: int = 232
    noise: float = 0.05
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
        {"dimensions": 64},
        {"noise": 0.0},
        {"learning_rate": 3e-3},
        {"weight_decay": 1.0},
        {"weight_decay": 3.0, "noise": 0.0},
    )

    def _sizes(self) -> dict[str, Any]:
        return {"dimensions": self.dimensions, "noise": self.noise}

    def build(self, **sizes: Any) -> Factors:
        """Make the module from its sizes."""
        return Factors(**sizes)
