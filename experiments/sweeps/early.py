"""Early termination as W&B's ``hyperband`` does it: at set iterations, a run that is not among the best is stopped.

The brackets and the comparison follow https://docs.wandb.ai/models/sweeps/sweep-config-keys and the schema of
https://github.com/wandb/sweeps: it is successive halving (Li et al., 2018, arXiv:1603.06560) with one bracket schedule.
Here an iteration is an epoch, and what is compared is the validation loss of the epoch, whatever the sweep's metric:
the other metrics are only known when a run has ended. Of routers that train several networks, the first counts.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from graphrouter.errors import UserError, suggest

MOST_BRACKETS = 100
KEYS = ("type", "min_iter", "max_iter", "s", "eta", "strict")


@dataclass(frozen=True)
class Hyperband:
    """When to stop.

    Attributes:
        brackets: Epochs, counted from 0, after which a run is compared.
        eta: The best 1/eta of the runs that came so far go on.
        strict: Whether the loss at the bracket counts, else the lowest loss up to it.
    """

    brackets: tuple[int, ...]
    eta: float = 3.0
    strict: bool = False

    def at(self, losses: Sequence[float]) -> dict[int, float]:
        """Return what of a run's losses, one per epoch, is compared at each bracket that it reached."""
        reached = [bracket for bracket in self.brackets if bracket < len(losses)]
        return {bracket: losses[bracket] if self.strict else min(losses[: bracket + 1]) for bracket in reached}

    def stops(self, bracket: int, value: float, others: Sequence[float]) -> bool:
        """Say whether a run ends at a bracket.

        Args:
            bracket: An epoch.
            value: What is compared, from `at`.
            others: The same of the runs before it.
        """
        if math.isnan(value):
            return True
        ranked = sorted([value, *(other for other in others if not math.isnan(other))])
        return value > ranked[int(len(ranked) / self.eta)]


@dataclass
class Watch:
    """Follows one run, and stops it. Give `on_epoch` to `graphrouter.run.RunOptions`.

    Attributes:
        rule: When to stop.
        others: By bracket, what the runs before it came to.
    """

    rule: Hyperband
    others: dict[int, list[float]]
    losses: list[float] = field(default_factory=list, init=False)
    label: str | None = field(default=None, init=False)

    def on_epoch(self, label: str, metrics: dict[str, float]) -> None:
        """Note an epoch.

        Raises:
            Stopped: If the run ends here.
        """
        from experiments.runs.execute import Stopped

        self.label = self.label or label
        if label != self.label:
            return
        self.losses.append(metrics["validation_loss"])
        bracket = len(self.losses) - 1
        if bracket in self.rule.brackets:
            value = self.rule.at(self.losses)[bracket]
            if self.rule.stops(bracket, value, self.others.get(bracket, [])):
                raise Stopped(f"epoch {bracket}: {value:.5g} is not among the best 1/{self.rule.eta:g}")


def read_hyperband(given: Any, where: str) -> Hyperband:
    """Read ``early_terminate`` of a sweep file.

    Raises:
        UserError: If it is not as W&B's format wants it.
    """
    if not isinstance(given, dict) or given.get("type") != "hyperband":
        raise UserError(
            f"{where}: early_terminate must have type: hyperband, which is W&B's only one, but is {given!r}"
        )
    for key in given:
        if key not in KEYS:
            raise UserError(f"{where}: early_terminate has an unknown key {key!r}{suggest(str(key), KEYS)}")
    eta, strict = given.get("eta", 3), given.get("strict", False)
    least, most, count = (given.get(key) for key in ("min_iter", "max_iter", "s"))
    rules = {
        "eta must be a number above 1": _is_number(eta) and eta > 1,
        "strict must be true or false": isinstance(strict, bool),
        "either min_iter or max_iter must be set": (least is None) != (most is None),
        "min_iter must be a whole number from 1": least is None or (isinstance(least, int) and least >= 1),
        "max_iter must be a whole number from 1": most is None or (isinstance(most, int) and most >= 1),
        "s must be a whole number from 1 with max_iter, and absent without": (most is None and count is None)
        or (most is not None and isinstance(count, int) and count >= 1),
    }
    for rule, holds in rules.items():
        if not holds:
            raise UserError(f"{where}: early_terminate: {rule}, but it is {given!r}")
    found = _forward(least, eta) if least is not None else _backward(most, eta, count)
    if not found:
        raise UserError(f"{where}: early_terminate must have a bracket at epoch 1 or later, but {given!r} has none")
    return Hyperband(tuple(sorted(set(found))), float(eta), strict)


def _forward(least: int, eta: float) -> list[int]:
    return [int(least * eta**place) for place in range(MOST_BRACKETS) if least * eta**place < 1e9]


def _backward(most: Any, eta: float, count: Any) -> list[int]:
    return [int(most / eta**place) for place in range(1, count + 1) if most / eta**place >= 1]


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
