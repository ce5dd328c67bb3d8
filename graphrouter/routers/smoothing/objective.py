"""Losses that the smoothing's decoder is trained and validated by."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor

from graphrouter.dataset import RoutingData
from graphrouter.nn.edge_decoder import EdgeDecoder
from graphrouter.nn.edge_head import EdgeInputs
from graphrouter.nn.losses import output_cost_loss
from graphrouter.routers.parts.outcomes import ensemble_loss, outcomes
from graphrouter.typing import Array

Loss = Callable[[Tensor, Tensor, Tensor], Tensor]


class SmoothingObjective:
    """The loss of a batch of training queries.

    Args:
        module: The decoder.
        inputs: [2Q, ...] of the Q training queries, with their task and then without; see `fold_inputs`.
        history: [F, M, D].
        data: The outcomes of the Q queries.
        output_cost: [Q, M] relative output costs, NaN where not known.
        weights: [E, Q], weight of each query for each member of the ensemble.
        loss: One of `graphrouter.nn.losses.LOSSES`.
        cost_weight: Weight of the loss of the output cost.
        task_dropout: Share of queries shown without their task.
    """

    def __init__(
        self,
        module: EdgeDecoder,
        inputs: EdgeInputs,
        history: Tensor,
        data: RoutingData,
        output_cost: Array,
        weights: Tensor,
        *,
        loss: Loss,
        cost_weight: float,
        task_dropout: float,
    ) -> None:
        self.module, self.inputs, self.history = module, inputs, history
        self.target, self.draws = outcomes(data, history.device)
        self.output_cost = torch.as_tensor(output_cost, device=history.device)
        self.weights = weights.to(history.device)
        self.loss, self.cost_weight, self.task_dropout = loss, cost_weight, task_dropout

    def __call__(self, batch: Tensor) -> Tensor:
        """Return the loss of the queries in rows [B]."""
        without_task = torch.rand(len(batch), device=batch.device) < self.task_dropout
        rows = batch + len(self.target) * without_task
        logits, log_output_cost = self.module(self.inputs.take(rows), self.history)
        quality = self.loss(logits, self.target[batch], self.draws[batch] * self.weights[:, batch, None])
        return quality + self.cost_weight * output_cost_loss(log_output_cost, self.output_cost[batch])


class SmoothingValidation:
    """The negative log-likelihood of the ensemble's mean on the validation queries, whatever the training loss.

    Args:
        module: The decoder.
        inputs: Decoder inputs of the validation queries, from the graph of all training queries.
        history: [1, M, D].
        data: The validation outcomes.
    """

    def __init__(self, module: EdgeDecoder, inputs: EdgeInputs, history: Tensor, data: RoutingData) -> None:
        self.module, self.inputs, self.history = module, inputs, history
        self.target, self.draws = outcomes(data, history.device)

    def __call__(self) -> float:
        """Return the loss, weighted by draws."""
        return ensemble_loss(torch.sigmoid(self.module(self.inputs, self.history)[0]), self.target, self.draws)


def bootstrap_weights(members: int, rows: int, seed: int) -> Tensor:
    """Return [E, Q] exponential weights: the Bayesian bootstrap (Rubin, 1981), one for every member."""
    random = np.random.default_rng([seed, 7])
    return torch.as_tensor(random.exponential(size=(members, rows)), dtype=torch.float32)
