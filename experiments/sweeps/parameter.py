"""One parameter of a sweep: what is drawn, by Optuna, and which values there are.

The meanings of distributions are those of https://docs.wandb.ai/models/sweeps/sweep-config-keys.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import accumulate
from typing import TYPE_CHECKING, Any

from graphrouter.errors import UserError

if TYPE_CHECKING:
    from optuna import Trial

TAIL = 1e-6
"""Share of a normal or beta distribution that is never drawn, at either end."""


MOST_CHOICES = 10_000
"""Values of one parameter from which they are taken for endless, as a search does not come to an end of them."""


@dataclass(frozen=True)
class Parameter:
    """One parameter.

    Attributes:
        name: A key of a run, such as ``gnn.dropout``.
        distribution: A key of `experiments.sweeps.parameters.DISTRIBUTIONS`.
        keys: Keys of the distribution, such as ``min`` and ``max``.
    """

    name: str
    distribution: str
    keys: dict[str, Any]

    @property
    def fixed(self) -> bool:
        """Whether there is nothing to choose."""
        return self.distribution == "constant"

    def draw(self, trial: Trial) -> Any:
        """Let Optuna choose.

        Returns:
            The value, as a run takes it: an int, where W&B gives an int.
        """
        return self.value_of(None if self.fixed else self._suggest(trial))

    def _suggest(self, trial: Trial) -> Any:
        if self.distribution == "categorical":
            return trial.suggest_categorical(self.name, range(len(self.keys["values"])))  # Optuna's are no lists
        if self.distribution == "int_uniform":
            return trial.suggest_int(self.name, self.keys["min"], self.keys["max"])
        low, high, log = self._bounds() or (TAIL, 1 - TAIL, False)
        return trial.suggest_float(self.name, low, high, log=log)

    def value_of(self, drawn: Any) -> Any:
        """Return the value that comes of what Optuna has drawn."""
        if self.fixed:
            return self.keys["value"]
        if self.distribution == "categorical":
            return self.keys["values"][drawn]
        return drawn if self.distribution == "int_uniform" else self._rounded(self._unrounded(drawn))

    def _unrounded(self, drawn: float) -> Any:
        """Return a drawn number, or of a shape without bounds the value below which the drawn share lies."""
        return drawn if "min" in self.keys else self.quantile(drawn)

    def _drawn_for(self, value: float) -> float:
        """Return the value before rounding that a drawn value comes from."""
        return value if "min" in self.keys else float(self._shape().cdf(value))

    def _bounds(self) -> tuple[float, float, bool] | None:
        """Return the lowest and the highest value and whether the logarithm is uniform; None for other shapes."""
        if "min" not in self.keys:
            return None
        low, high, kind = float(self.keys["min"]), float(self.keys["max"]), self.distribution.removeprefix("q_")
        if kind == "log_uniform":
            return math.exp(low), math.exp(high), True
        if kind == "inv_log_uniform":
            return math.exp(-high), math.exp(-low), True
        return low, high, kind != "uniform"

    def quantile(self, share: float) -> Any:
        """Return the value below which a share of a normal, log-normal, beta or weighted categorical distribution lies."""
        if self.distribution == "categorical_w_probabilities":
            return self._weighted(share)
        return float(self._shape().ppf(share))

    def _shape(self) -> Any:
        from scipy import stats

        kind, keys = self.distribution.removeprefix("q_"), self.keys
        if kind == "normal":
            return stats.norm(keys["mu"], keys["sigma"])
        if kind == "log_normal":
            return stats.lognorm(s=keys["sigma"], scale=math.exp(keys["mu"]))
        return stats.beta(keys["a"], keys["b"])

    def _weighted(self, share: float) -> Any:
        reached = 0.0
        pairs = [(value, chance) for value, chance in zip(*self.keys.values(), strict=True) if chance > 0]
        for value, chance in pairs:
            reached += chance
            if share < reached:
                return value
        return pairs[-1][0]

    def _rounded(self, value: Any) -> Any:
        step = self.keys.get("q")
        if step is None:
            return value
        return round(value / step) * step if isinstance(step, int) else round(round(value / step) * step, 12)

    def ends(self) -> list[Any]:
        """Return the values that show whether all are in range: each one of a list, else the lowest and the highest."""
        if "values" in self.keys or self.fixed:
            return list(self.keys["values"]) if "values" in self.keys else [self.keys["value"]]
        if self.distribution == "int_uniform":
            return [self.keys["min"], self.keys["max"]]
        low, high, _ = self._bounds() or (TAIL, 1 - TAIL, False)
        return [self.value_of(low), self.value_of(high)]

    def choices(self) -> list[tuple[Any, Any]] | None:
        """Return each value that can be drawn, once; None where there is no end to them, or there are too many.

        Returns:
            Pairs of what Optuna draws, and the value that comes of it.
        """
        drawn = self._all_drawn()
        if drawn is None:
            return None
        found = {frozen(value): (one, value) for one in reversed(drawn) for value in [self.value_of(one)]}
        return list(reversed(found.values()))

    def _all_drawn(self) -> list[Any] | None:
        """Return the distribution for Optuna, which covers every value."""
        keys = self.keys
        if self.distribution == "categorical":
            return list(range(len(keys["values"])))
        if self.distribution == "categorical_w_probabilities":
            pairs = zip(accumulate(keys["probabilities"]), keys["probabilities"], strict=True)
            return [end - chance / 2 for end, chance in pairs if chance]
        if self.distribution == "int_uniform":
            return list(range(keys["min"], keys["max"] + 1)) if keys["max"] - keys["min"] < MOST_CHOICES else None
        if "q" not in keys:
            return None
        bounds = self._bounds()
        low, high = bounds[:2] if bounds else (TAIL, 1 - TAIL)
        first, last = (round(self._unrounded(end) / keys["q"]) for end in (low, high))
        if last - first >= MOST_CHOICES:
            return None
        return [min(max(self._drawn_for(step * keys["q"]), low), high) for step in range(first, last + 1)]

    def all_values(self) -> list[Any]:
        """Return the values of a grid, each once.

        Raises:
            UserError: If there is no end to it.
        """
        keys = self.keys
        if self.fixed:
            return [keys["value"]]
        if self.distribution == "categorical":
            return [value for place, value in enumerate(keys["values"]) if value not in keys["values"][:place]]
        if self.distribution == "int_uniform":
            return list(range(keys["min"], keys["max"] + 1))
        if self.distribution == "q_uniform":  # as W&B does, without the maximum
            count = math.ceil((keys["max"] - keys["min"]) / keys["q"] - 1e-9)
            return [round(keys["min"] + place * keys["q"], 12) for place in range(count)]
        raise UserError(
            f"a grid goes over value, values, int_uniform and q_uniform, but {self.name} is {self.distribution}; "
            "list its values, or use method: random"
        )


def frozen(value: Any) -> Any:
    """Return a value as it can be looked up; numbers that are equal are one, whole or not."""
    if isinstance(value, dict):
        return frozenset((key, frozen(item)) for key, item in value.items())
    return tuple(map(frozen, value)) if isinstance(value, list) else value
