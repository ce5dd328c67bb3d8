"""MLP router: a multilayer perceptron from what is read of a query to the quality of every LLM."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import Any, ClassVar

import numpy as np
import torch
from torch import Tensor, nn

from graphrouter.members import MemberLinear
from graphrouter.routers.parts.logits import LogitRouter
from graphrouter.routers.parts.new_llm import NewLLM
from graphrouter.routers.parts.pool_mixture import PoolMixture


class Perceptrons(nn.Module):
    """E multilayer perceptrons with rectified hidden units and one output per LLM.

    Args:
        inputs: D', length of a query's row.
        hidden: Units of a hidden layer.
        layers: Hidden layers.
        dropout: Share of hidden units dropped in training.
        llms: M.
        members: E.
    """

    def __init__(self, inputs: int, hidden: int, layers: int, dropout: float, llms: int, members: int) -> None:
        super().__init__()
        self.members = members
        widths = [inputs] + [hidden] * layers
        self.hidden = nn.ModuleList(MemberLinear(members, *pair) for pair in pairwise(widths))
        self.out = MemberLinear(members, widths[-1], llms)
        self.dropout = nn.Dropout(dropout)

    def forward(self, rows: Tensor) -> Tensor:
        """Map rows [B, D'] to logits [E, B, M]."""
        state = rows.expand(self.members, -1, -1)
        for layer in self.hidden:
            state = self.dropout(torch.relu(layer(state)))
        return self.out(state)


@dataclass(eq=False)
class MLP(LogitRouter):
    """Multilayer perceptron with one output per LLM, or an ensemble of such.

    The source fits one perceptron per LLM to its performance by least squares. Here the LLMs share the hidden layers,
    and the loss is the cross-entropy, so that the output is a probability.

    A new LLM's output is a mixture of the others', and a constant, learnt from its outcomes (`PoolMixture`), in every member;
    the hidden layers stay.

    Attributes:
        hidden: Units of a hidden layer.
        layers: Hidden layers.
        dropout: Share of hidden units dropped in training.
        steps: Optimiser steps, at most; see `graphrouter.training.Schedule`.
        patience: Steps without a better validation loss before training stops.
        batch_size: Queries per step, at most a sixteenth of the training queries.
        learning_rate: Highest learning rate of AdamW.
        weight_decay: Weight decay of AdamW.
    """

    members: int = 8
    hidden: int = 256
    layers: int = 1
    dropout: float = 0.5
    steps: int = 2000
    patience: int = 200
    batch_size: int = 256
    learning_rate: float = 3e-3
    weight_decay: float = 1e-2

    source: ClassVar[str] = (
        "RouterBench, arXiv:2403.12031, section 5; github.com/withmartian/routerbench, routers/mlp_router.py"
    )
    search_space: ClassVar[tuple[dict[str, Any], ...]] = (
        {},
        {"dropout": 0.1},
        {"dropout": 0.0, "learning_rate": 1e-3},
        {"weight_decay": 0.3},
        {"inputs": ["vector", "task"]},
        {"inputs": ["vector"]},
    )
    extends: ClassVar[bool] = True

    def _sizes(self) -> dict[str, Any]:
        return {"hidden": self.hidden, "layers": self.layers, "dropout": self.dropout}

    def build(self, **sizes: Any) -> Perceptrons:
        """Make the perceptrons: rows [B, D'] -> logits [E, B, M]."""
        return Perceptrons(**sizes)

    def _add_llm(self, new_llm: NewLLM) -> None:
        mixtures, weights = self._mixtures(new_llm), dict(self.module_.state_dict())
        known = self.sizes_["llms"]
        mixed = np.stack([mixture.weights(known) for mixture in mixtures])[:, :, None]
        constants = np.array([mixture.constant for mixture in mixtures])[:, None]
        for key, constant in (("out.weight", 0.0), ("out.bias", constants)):
            old = weights[key].numpy()
            weights[key] = torch.as_tensor(new_llm.insert(old, (old @ mixed)[..., 0] + constant))
        self.sizes_ = {**self.sizes_, "llms": len(new_llm.order)}
        self.module_ = self.build(**self.sizes_)
        self.module_.load_state_dict(weights)
        self.module_.eval()
        self.cost_ = self.cost_.extend(new_llm, new_llm.cost, new_llm.data.queries.tasks, new_llm.price_ratios)

    def _mixtures(self, new_llm: NewLLM) -> list[PoolMixture]:
        """Return the mixture of each member."""
        answered = new_llm.answered
        nowhere, outcomes = np.zeros(len(answered.queries), dtype=np.int64), answered.performance[:, new_llm.column]
        logits = self.logits(answered.queries)
        return [PoolMixture(task=0.0).fit(one, nowhere, outcomes, new_llm.weight) for one in logits]
