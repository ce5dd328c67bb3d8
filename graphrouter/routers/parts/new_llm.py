"""An LLM that joins a fitted router: its logged outcomes, and its place among the others."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np

from graphrouter.dataset import RoutingData
from graphrouter.errors import UserError
from graphrouter.typing import Array

STRENGTH = 5.0
"""How many observations the mean of the other LLMs counts as, in the mean of a new one: a few lucky outcomes are no proof."""


@dataclass(frozen=True, eq=False)
class NewLLM:
    """One LLM more.

    Attributes:
        data: Q training queries, sorted, with M LLMs, the new one among them.
        column: Column of the new LLM in ``data``.
        order: [M] where each LLM of ``data`` stands when the new one comes last behind the known ones.
    """

    data: RoutingData
    column: int
    order: Array

    @classmethod
    def of(cls, known: Sequence[str], train: RoutingData) -> Self:
        """Find out who is new.

        Args:
            known: M - 1 names, in the order of the router's columns.
            train: With M LLMs, in any order.

        Raises:
            UserError: If it has not just one LLM more than the known ones.
        """
        names = list(train.llms.names)
        added = [name for name in names if name not in known]
        gone = [name for name in known if name not in names]
        if len(added) != 1 or gone:
            new = ", ".join(map(repr, added)) or "none that is new"
            lost = f", and without {', '.join(map(repr, gone))}" if gone else ""
            raise UserError(
                f"a router takes in one LLM at a time, beside those that it knows ({', '.join(known)}), but the data came "
                f"with {new}{lost}; pass the training split with one LLM more, or fit the router again"
            )
        place = {name: at for at, name in enumerate([*known, *added])}
        return cls(train.sorted(), names.index(added[0]), np.array([place[name] for name in names]))

    @property
    def performance(self) -> Array:
        """[Q] of the new LLM, NaN where not known."""
        column: Array = self.data.performance[:, self.column]
        return column

    @property
    def cost(self) -> Array:
        """[Q] of the new LLM in US dollars, NaN where not known."""
        column: Array = self.data.cost[:, self.column]
        return column

    @property
    def answered(self) -> RoutingData:
        """The queries that the new LLM answered."""
        return self.data.take(np.flatnonzero(self.data.observed[:, self.column]))

    @property
    def weight(self) -> Array:
        """[N] how much each of its answered queries counts: its draws, in means of all cells."""
        draws = self.data.draws
        weight: Array = self.answered.draws[:, self.column] / draws[draws > 0].mean()
        return weight.astype(np.float64)

    @property
    def price_ratios(self) -> Array:
        """[M - 1] how many times as much the new LLM takes for a token as each known one; 1 where prices are not known."""
        price = self.data.llms.input_price + self.data.llms.output_price
        known = self.others(price)
        if not ((known > 0).all() and price[self.column] > 0):
            return np.ones(len(known))
        ratios: Array = price[self.column] / known
        return ratios

    def others(self, values: Array) -> Array:
        """Return the known LLMs' entries [..., M - 1] in the router's order, of values [..., M] in the order of ``data``."""
        ordered: Array = values[..., np.argsort(self.order)]
        return ordered[..., :-1]

    def insert(self, old: Array, new: Array | float) -> Array:
        """Put the new LLM into its place: [..., M - 1] in the router's order and [...] -> [..., M] in the order of ``data``."""
        column = np.broadcast_to(np.asarray(new, dtype=old.dtype), old.shape[:-1])[..., None]
        extended: Array = np.concatenate([old, column], axis=-1)[..., self.order]
        return extended

    def insert_mean(self, old: Array, values: Array, ratios: Array | float = 1.0) -> Array:
        """Insert the shrunk mean of the new LLM.

        Args:
            old: [M - 1] means of the known LLMs.
            values: [Q] outcomes or costs of the new one, NaN where not known.
            ratios: [M - 1], what one unit of each known LLM is for the new one.
        """
        return self.insert(old, shrunk_mean(values, float((old * ratios).mean())))


def shrunk_mean(values: Array, prior: float, strength: float = STRENGTH) -> float:
    """Return the mean of values that may be NaN, with a prior that counts as ``strength`` observations."""
    seen = ~np.isnan(values)
    return float((values[seen].sum(dtype=np.float64) + strength * prior) / (seen.sum() + strength))
