"""What an answer is charged by: output tokens where prices are known, else dollars."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Self

import numpy as np

from graphrouter.dataset import Queries, RoutingData
from graphrouter.routers.task_means import TaskMeans

Array = np.ndarray
SMALLEST = 1e-9


@dataclass(eq=False)
class Amounts:
    """Turns costs into log-amounts to be predicted, and predicted log-amounts into costs.

    Where the log has tokens and prices, the amount is the output tokens, and
    ``cost = input_price * input_tokens + output_price * output_tokens``, with input tokens from the length of the text
    at the LLM's own rate. Where it has only costs, the amount is the cost. A prediction of a logarithm is that of a
    median; ``smear_`` brings each LLM's mean back to its mean on train; it is NaN
    where the log has no cost, and so are all predicted costs.
    """

    def fit(self, train: RoutingData) -> Self:
        """Learn what the amount is, and the input tokens per character of each LLM and task."""
        priced = ~np.isnan(train.llms.input_price + train.llms.output_price)
        self.by_tokens_ = bool(
            priced.all() and (~np.isnan(train.output_tokens)).any() and (~np.isnan(train.input_tokens)).any()
        )
        self.prices_ = np.stack([train.llms.input_price, train.llms.output_price])
        per_char = train.input_tokens / np.maximum(train.queries.chars, 1)[:, None]
        self.input_rate_ = TaskMeans().fit(per_char, train.queries.tasks) if self.by_tokens_ else None
        known = self.by_tokens_ or bool((~np.isnan(train.cost)).any())
        self.smear_ = np.full(len(train.llms), 1.0 if known else np.nan)
        return self

    def amount(self, data: RoutingData) -> Array:
        """Return [Q, M] output tokens or dollars, NaN where not known."""
        return (data.output_tokens if self.by_tokens_ else data.cost).astype(np.float64)

    def log_amount(self, data: RoutingData) -> Array:
        """Return [Q, M] float32, the logarithm of the amount, NaN where not known."""
        smallest = 1.0 if self.by_tokens_ else SMALLEST
        return np.log(np.maximum(self.amount(data), smallest)).astype(np.float32)

    def calibrate(self, log_amount: Array, data: RoutingData) -> Self:
        """Fit each LLM's smear, so that predicted amounts have the mean of the observed ones."""
        if np.isnan(self.smear_).all():
            return self
        actual = self.amount(data)
        seen = ~np.isnan(actual)
        predicted = np.where(seen, np.exp(log_amount.astype(np.float64)), 0).sum(axis=0)
        total = np.where(seen, actual, 0).sum(axis=0)
        self.smear_ = np.where((predicted > 0) & (total > 0), total / np.where(predicted > 0, predicted, 1), 1.0)
        return self

    def cost(self, queries: Queries, log_amount: Array) -> Array:
        """Return [Q, M] expected US dollars, NaN where the log has no cost."""
        amount = np.exp(log_amount.astype(np.float64)) * self.smear_
        if self.input_rate_ is None:
            return amount
        input_tokens = self.input_rate_.lookup(queries.tasks) * queries.chars[:, None]
        return (input_tokens * self.prices_[0] + amount * self.prices_[1]) / 1e6

    def get_state(self) -> dict[str, Any]:
        """Return what was learnt."""
        rate = self.input_rate_.get_state() if self.input_rate_ else None
        return {"by_tokens_": self.by_tokens_, "prices_": self.prices_, "input_rate_": rate, "smear_": self.smear_}

    @classmethod
    def from_state(cls, state: dict[str, Any]) -> Self:
        """Rebuild from `get_state`."""
        amounts = cls()
        vars(amounts).update(state)
        rate = state["input_rate_"]
        amounts.input_rate_ = TaskMeans.from_state(rate) if rate else None
        return amounts
