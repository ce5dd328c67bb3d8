"""``early_terminate: {type: hyperband}`` of a sweep file, by Optuna's successive halving (Li et al., 2018, arXiv:1810.05934).

Runs are compared after epochs min_iter, min_iter * eta, min_iter * eta**2, ..., counted from 0; with ``max_iter`` and ``s``
min_iter is max_iter / eta**s. W&B's rule (https://docs.wandb.ai/models/sweeps/sweep-config-keys) differs in that it lets
one run more go on (rank floor(n / eta) of n, here the best floor(n / eta) or the best one), and in that it takes an eta
that is not whole.

What is compared is the validation loss of the epoch, whatever the sweep's metric: the other metrics are only known when a
run has ended. Of routers that train several networks, the first counts.
"""

from __future__ import annotations

import math
import warnings
from contextlib import suppress
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from graphrouter.errors import UserError, suggest

if TYPE_CHECKING:
    from optuna import Trial

KEYS = ("type", "min_iter", "max_iter", "s", "eta", "strict")


@dataclass(frozen=True)
class Halving:
    """When to stop.

    Attributes:
        least: First epoch, counted from 0, after which a run is compared; then after ``least * eta``, and so on.
        eta: The best 1/eta of the runs that came so far go on.
        strict: Whether the loss at the epoch counts, else the lowest loss up to it.
    """

    least: int
    eta: int = 3
    strict: bool = False


@dataclass
class Pruning:
    """Reports the epochs of one run to the sweep's study, and stops the run where Optuna's pruner says so.

    It goes to the process of the run, which shares the study through its file.

    Attributes:
        rule: When to stop.
        file: Of the study.
        trial: ID of the trial there.
        minimise: Whether the study minimises; else losses are reported as their negatives.
    """

    rule: Halving
    file: Path
    trial: int
    minimise: bool
    losses: list[float] = field(default_factory=list, init=False)
    label: str | None = field(default=None, init=False)

    def on_epoch(self, label: str, metrics: dict[str, float]) -> None:
        """Report an epoch.

        Raises:
            RunStopped: If the run ends here.
        """
        from experiments.runs.execute import Stopped

        self.label = self.label or label
        if label != self.label:
            return
        self.losses.append(metrics["validation_loss"])
        loss, epoch = self.losses[-1] if self.rule.strict else min(self.losses), len(self.losses) - 1
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # a run that was cut off reports its first epochs again
            self._reported.report(loss if self.minimise else -loss, epoch)
        if self._reported.should_prune():
            raise Stopped(f"epoch {epoch}: {loss:.5g} is not among the best 1/{self.rule.eta}")

    def replay(self, history: list[dict[str, Any]]) -> None:
        """Report the epochs of a run that has ended, so that others are compared with it."""
        from experiments.runs.execute import Stopped

        with suppress(Stopped):
            for epoch in history:
                loss = epoch["validation_loss"]  # None where it is not finite, which JSON cannot say
                self.on_epoch(epoch["label"], {"validation_loss": math.inf if loss is None else loss})

    @cached_property
    def _reported(self) -> Trial:
        from optuna import Trial
        from optuna.pruners import SuccessiveHalvingPruner

        from experiments.sweeps.study import open_study

        pruner = SuccessiveHalvingPruner(min_resource=self.rule.least, reduction_factor=self.rule.eta)
        return Trial(open_study(self.file, self.minimise, pruner), self.trial)


def read_hyperband(given: Any, where: str) -> Halving:
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
        "eta must be a whole number from 2, as Optuna takes it": _is_whole(eta, 2),
        "strict must be true or false": isinstance(strict, bool),
        "either min_iter or max_iter must be set": (least is None) != (most is None),
        "min_iter must be a whole number from 1": least is None or _is_whole(least, 1),
        "max_iter must be a whole number from 1": most is None or _is_whole(most, 1),
        "s must be a whole number from 1 with max_iter, and absent without": (
            count is None if most is None else _is_whole(count, 1)
        ),
    }
    for rule, holds in rules.items():
        if not holds:
            raise UserError(f"{where}: early_terminate: {rule}, but it is {given!r}")
    if count is not None:  # the lowest bracket at epoch 1 or later; eta is 2 or more, so that there are few
        least = next((int(most // eta**place) for place in range(min(int(count), 64), 0, -1) if most >= eta**place), 0)
    if not least:
        raise UserError(f"{where}: early_terminate must have a bracket at epoch 1 or later, but {given!r} has none")
    return Halving(int(least), int(eta), strict)


def _is_whole(value: Any, least: int) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and value == int(value) and value >= least
