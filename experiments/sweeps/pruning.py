"""A run of a sweep that reports its evaluations to the sweep's study, and stops where successive halving says so.

What is compared is the validation loss of the evaluation, whatever the sweep's metric: the other metrics are only known when a
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

from experiments.runs.execute import Stopped
from experiments.sweeps.early import Halving
from experiments.sweeps.study import open_study

if TYPE_CHECKING:
    from optuna import Trial


@dataclass
class Pruning:
    """Reports the evaluations of one run to the sweep's study, and stops the run where Optuna's pruner says so.

    It goes to the process of the run, which shares the study through its file.

    Attributes:
        rule: When to stop.
        file: File of the study.
        trial: ID of the trial there.
        minimise: Whether the study minimises; else losses are reported as their negatives.
    """

    rule: Halving
    file: Path
    trial: int
    minimise: bool
    losses: list[float] = field(default_factory=list, init=False)
    label: str | None = field(default=None, init=False)

    def on_evaluation(self, label: str, metrics: dict[str, float]) -> None:
        """Report an evaluation.

        Raises:
            Stopped: If the run ends here.
        """
        self.label = self.label or label
        if label != self.label:
            return
        self.losses.append(metrics["validation_loss"])
        loss, place = self.losses[-1] if self.rule.strict else min(self.losses), len(self.losses) - 1
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # a run that was cut off reports its first evaluations again
            self._reported.report(loss if self.minimise else -loss, place)
        if self._reported.should_prune():
            raise Stopped(f"evaluation {place}: {loss:.5g} is not among the best 1/{self.rule.eta}")

    def replay(self, history: list[dict[str, Any]]) -> None:
        """Report the evaluations of a run that has ended, so that others are compared with it."""
        with suppress(Stopped):
            for row in history:
                loss = row["validation_loss"]  # None where it is not finite, which JSON cannot say
                self.on_evaluation(row["label"], {"validation_loss": math.inf if loss is None else loss})

    @cached_property
    def _reported(self) -> Trial:
        from optuna import Trial
        from optuna.pruners import SuccessiveHalvingPruner

        pruner = SuccessiveHalvingPruner(min_resource=self.rule.least, reduction_factor=self.rule.eta)
        return Trial(open_study(self.file, self.minimise, pruner), self.trial)
