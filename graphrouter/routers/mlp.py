"""MLP router: a multilayer perceptron from the query's vector to the quality of every LLM."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import torch
from torch import nn

from graphrouter.routers.parts.logits import LogitRouter, predict_logits
from graphrouter.routers.parts.new_llm import NewLLM
from graphrouter.routers.parts.pool_mixture import PoolMixture


@dataclass(eq=False)
class MLP(LogitRouter):
    """Multilayer perceptron with one output per LLM.

    The source fits one perceptron per LLM to its performance by least squares. Here the LLMs share the hidden layers,
    and the loss is the cross-entropy, so that the output is a probability.

    A new LLM's output is a mixture of the others', and a constant, learnt from its outcomes (`PoolMixture`); the hidden
    layers stay.

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

    hidden: int = 100
    layers: int = 1
    dropout: float = 0.2
    steps: int = 2000
    patience: int = 200
    batch_size: int = 256
    learning_rate: float = 1e-3
    weight_decay: float = 1e-2

    source: ClassVar[str] = (
        "RouterBench, arXiv:2403.12031, section 5; github.com/withmartian/routerbench, routers/mlp_router.py"
    )
    search_space: ClassVar[tuple[dict[str, Any], ...]] = (
        {},
        {"layers": 2},
        {"learning_rate": 3e-3},
        {"hidden": 512, "dropout": 0.5},
        {"hidden": 512, "dropout": 0.5, "learning_rate": 3e-3},
        {"hidden": 256, "dropout": 0.5, "learning_rate": 3e-3, "weight_decay": 0.3},
    )
    extends: ClassVar[bool] = True

    def _sizes(self) -> dict[str, Any]:
        return {"hidden": self.hidden, "layers": self.layers, "dropout": self.dropout}

    def build(self, **sizes: Any) -> nn.Module:
        """Make the perceptron: vectors [B, D] -> logits [B, M]."""
        layers: list[nn.Module] = []
        width = sizes["inputs"]
        for _ in range(sizes["layers"]):
            layers += [nn.Linear(width, sizes["hidden"]), nn.ReLU(), nn.Dropout(sizes["dropout"])]
            width = sizes["hidden"]
        return nn.Sequential(*layers, nn.Linear(width, sizes["llms"]))

    def _add_llm(self, new_llm: NewLLM) -> None:
        mixture, weights = self._mixture(new_llm), dict(self.module_.state_dict())
        for name, constant in (("weight", 0.0), ("bias", mixture.constant)):
            key = f"{3 * self.sizes_['layers']}.{name}"
            rows = weights[key].numpy().T
            grown = new_llm.insert(rows, rows @ mixture.weights(rows.shape[-1]) + constant)
            weights[key] = torch.as_tensor(np.ascontiguousarray(grown.T))
        self.sizes_ = {**self.sizes_, "llms": len(new_llm.order)}
        self.module_ = self.build(**self.sizes_)
        self.module_.load_state_dict(weights)
        self.module_.eval()
        self.cost_ = self.cost_.extend(new_llm, new_llm.cost, new_llm.data.queries.tasks, new_llm.price_ratios)

    def _mixture(self, new_llm: NewLLM) -> PoolMixture:
        answered = new_llm.answered
        logits = predict_logits(self.module_, answered.queries.vectors)
        nowhere = np.zeros(len(logits), dtype=np.int64)
        return PoolMixture(task=0.0).fit(logits, nowhere, answered.performance[:, new_llm.column], new_llm.weight)
