"""Item response theory: a query has a discrimination and a difficulty, an LLM has an ability."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from graphrouter.errors import UserError
from graphrouter.members import MemberLinear
from graphrouter.routers.parts.logits import LogitRouter

MODELS = ("multidimensional", "2pl")


class ItemResponse(nn.Module):
    """Response model whose item parameters are read off the query.

    Multidimensional: ``logit[q, m] = a_q . theta_m - b_q`` (arXiv:2506.01048, equation 4).
    2PL: ``logit[q, m] = a_q (theta_m - b_q)``. In both, ``a_q = softplus(A x_q + c)`` is positive.

    Args:
        inputs: D', length of a query's row.
        dimensions: K, length of an ability.
        llms: M.
        two_parameter: Whether the difficulty is on the scale of the ability (2PL).
        dropout: Share of the inputs dropped in training.
        members: E, models side by side.
    """

    def __init__(
        self, inputs: int, dimensions: int, llms: int, two_parameter: bool, dropout: float, members: int
    ) -> None:
        super().__init__()
        self.two_parameter, self.members = two_parameter, members
        self.ability = nn.Parameter(torch.randn(members, llms, dimensions))
        self.discrimination = MemberLinear(members, inputs, dimensions)
        self.difficulty = MemberLinear(members, inputs, 1)
        self.dropout = nn.Dropout(dropout)

    def forward(self, rows: Tensor) -> Tensor:
        """Map rows [B, D'] to logits [E, B, M]."""
        rows = self.dropout(rows.expand(self.members, -1, -1))
        slope, difficulty = F.softplus(self.discrimination(rows)), self.difficulty(rows)
        offset = slope * difficulty if self.two_parameter else difficulty
        return slope @ self.ability.transpose(1, 2) - offset


@dataclass(eq=False)
class IRT(LogitRouter):
    """Item response theory, with item parameters predicted from the query so that a new query has some.

    The source derives abilities from descriptions of the LLMs; here they are free, as in IRT, since every LLM of the
    log has outcomes. The weight decay is ours: logs here are smaller than the source's.

    Attributes:
        model: ``multidimensional`` or ``2pl`` (needs ``dimensions`` of 1).
        dimensions: Length of an ability.
        dropout: Share of the inputs dropped in training; the source has none.
        steps: Optimiser steps, at most; see `graphrouter.training.Schedule`.
        patience: Steps without a better validation loss before training stops.
        batch_size: Queries per step, at most a sixteenth of the training queries.
        learning_rate: Highest learning rate of AdamW.
        weight_decay: Weight decay of AdamW.
    """

    model: str = "multidimensional"
    dimensions: int = 25
    dropout: float = 0.0
    steps: int = 2000
    patience: int = 200
    batch_size: int = 256
    learning_rate: float = 1e-2
    weight_decay: float = 0.3

    choices: ClassVar[dict[str, Collection[str]]] = {**LogitRouter.choices, "model": MODELS}
    source: ClassVar[str] = "IRT-Router, arXiv:2506.01048, section 3.3 (M-IRT); 2PL: Birnbaum, 1968"
    search_space: ClassVar[tuple[dict[str, Any], ...]] = (
        {},
        {"dropout": 0.1},
        {"weight_decay": 1.0},
        {"weight_decay": 1.0, "dimensions": 8},
        {"inputs": ["vector"]},
        {"model": "2pl", "dimensions": 1},
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.model == "2pl" and self.dimensions != 1:
            raise UserError(
                f"irt: the 2pl model must have dimensions of 1, but has {self.dimensions}; set dimensions to 1"
            )

    def _sizes(self) -> dict[str, Any]:
        return {"dimensions": self.dimensions, "two_parameter": self.model == "2pl", "dropout": self.dropout}

    def build(self, **sizes: Any) -> ItemResponse:
        """Make the module from its sizes."""
        return ItemResponse(**sizes)
