"""MLP router: a multilayer perceptron from the query's vector to the quality of every LLM."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar, Self

import torch
from torch import nn

from graphrouter.dataset import Queries, RoutingData
from graphrouter.routers.base import Prediction, Router
from graphrouter.routers.logits import fit_logits, predict_logits, quality_of
from graphrouter.routers.task_means import TaskMeans


@dataclass(eq=False)
class MLP(Router):
    """Multilayer perceptron with one output per LLM.

    The source fits one perceptron per LLM to its performance by least squares. Here the LLMs share the hidden layers,
    and the loss is the cross-entropy, so that the output is a probability.

    Attributes:
        hidden: Units of a hidden layer.
        layers: Hidden layers.
        dropout: Share of hidden units dropped in training.
        epochs: At most so many passes over the training queries; see `graphrouter.training.Schedule`.
        patience: Epochs without a better validation loss before training stops.
        batch_size: Queries per optimiser step.
        learning_rate: Of AdamW, at its highest.
        weight_decay: Of AdamW.
    """

    hidden: int = 100
    layers: int = 1
    dropout: float = 0.2
    epochs: int = 100
    patience: int = 10
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

    def fit(self, train: RoutingData, validation: RoutingData) -> Self:
        """Fit the perceptron; validation stops it early."""
        self.sizes_ = {
            "inputs": train.queries.vectors.shape[1],
            "hidden": self.hidden,
            "layers": self.layers,
            "dropout": self.dropout,
            "llms": len(train.llms),
        }
        torch.manual_seed(self.seed)
        self.module_ = fit_logits(self, self.build(**self.sizes_), train, validation)
        self.cost_ = TaskMeans().fit(train.cost, train.queries.tasks)
        return self

    def build(self, **sizes: Any) -> nn.Module:
        """Make the perceptron: vectors [B, D] -> logits [B, M]."""
        layers: list[nn.Module] = []
        width = sizes["inputs"]
        for _ in range(sizes["layers"]):
            layers += [nn.Linear(width, sizes["hidden"]), nn.ReLU(), nn.Dropout(sizes["dropout"])]
            width = sizes["hidden"]
        return nn.Sequential(*layers, nn.Linear(width, sizes["llms"]))

    def predict(self, queries: Queries) -> Prediction:
        """Predict the quality from the vectors, and the cost from the task."""
        return Prediction(quality_of(predict_logits(self.module_, queries.vectors)), self.cost_.lookup(queries.tasks))
