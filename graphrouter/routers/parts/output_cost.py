"""Target of the output cost: output tokens where prices are known, else dollars."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Self

import numpy as np

from graphrouter.dataset import Queries, RoutingData
from graphrouter.routers.parts.fitted import Fitted
from graphrouter.routers.parts.new_llm import NewLLM
from graphrouter.routers.parts.task_means import TaskMeans
from graphrouter.typing import Array


@dataclass(eq=False)
class OutputCost(Fitted):
    """Converts costs into output costs, which are easier to predict, and back.

    Where the log has tokens and prices, the output cost is the output tokens, and
    ``cost = input_price * input_tokens + output_price * output_tokens``, with input tokens from the length of the text
    at the LLM's own rate. Where it has only costs, the output cost is the cost. Output costs are multiples of the
    LLM's mean on train, ``means_``; that is NaN where the log has no cost, and so are all predicted costs.
    """

    nested: ClassVar[dict[str, type[Fitted]]] = {"input_rate_": TaskMeans}

    def fit(self, train: RoutingData) -> Self:
        """Learn the unit and mean of each LLM's output cost, and input tokens per character by LLM and task."""
        priced = ~np.isnan(train.llms.input_price + train.llms.output_price)
        tokens = (~np.isnan(train.output_tokens)).any() and (~np.isnan(train.input_tokens)).any()
        self.by_tokens_ = bool(priced.all() and tokens)
        self.prices_ = np.stack([train.llms.input_price, train.llms.output_price])
        per_char = train.input_tokens / np.maximum(train.queries.chars, 1)[:, None]
        self.input_rate_ = TaskMeans().fit(per_char, train.queries.tasks) if self.by_tokens_ else None
        output_costs = self._output_costs(train)
        self.means_ = TaskMeans().fit(output_costs, train.queries.tasks).overall_
        return self

    def _output_costs(self, data: RoutingData) -> Array:
        return (data.output_tokens if self.by_tokens_ else data.cost).astype(np.float64)

    def relative(self, data: RoutingData) -> Array:
        """Return [Q, M] float32, the output costs as multiples of the LLM's mean, NaN where not known."""
        return (self._output_costs(data) / np.maximum(self.means_, 1e-12)).astype(np.float32)

    def calibrate(self, log_output_cost: Array, data: RoutingData) -> Self:
        """Scale each LLM's mean, so that predicted output costs have the mean of the observed ones.

        Args:
            log_output_cost: [Q, M], predicted logarithms of relative output costs.
            data: The Q queries.
        """
        actual = self.relative(data).astype(np.float64)
        seen = ~np.isnan(actual)
        predicted = np.where(seen, np.exp(log_output_cost.astype(np.float64)), 0).sum(axis=0)
        total = np.where(seen, actual, 0).sum(axis=0)
        self.means_ = self.means_ * np.where(
            (predicted > 0) & (total > 0), total / np.where(predicted > 0, predicted, 1), 1
        )
        return self

    def extend(self, new_llm: NewLLM) -> OutputCost:
        """Return the output costs with one LLM more, whose mean is shrunk to that of the others."""
        data = new_llm.data
        extended = OutputCost()
        extended.by_tokens_ = self.by_tokens_
        extended.prices_ = np.stack([data.llms.input_price, data.llms.output_price])
        ratios = 1.0 if self.by_tokens_ else new_llm.price_ratios
        extended.means_ = new_llm.insert_mean(self.means_, self._output_costs(data)[:, new_llm.column], ratios)
        extended.input_rate_ = None
        if self.input_rate_ is not None:
            per_char = data.input_tokens[:, new_llm.column] / np.maximum(data.queries.chars, 1)
            extended.input_rate_ = self.input_rate_.extend(new_llm, per_char, data.queries.tasks)
        return extended

    def cost(self, queries: Queries, log_output_cost: Array) -> Array:
        """Return [Q, M] expected US dollars, NaN where the log has no cost."""
        output_cost = np.exp(log_output_cost.astype(np.float64)) * self.means_
        if self.input_rate_ is None:
            return output_cost
        input_tokens = self.input_rate_.lookup(queries.tasks) * queries.chars[:, None]
        return (input_tokens * self.prices_[0] + output_cost * self.prices_[1]) / 1e6
