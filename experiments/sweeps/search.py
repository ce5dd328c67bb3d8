"""Which configuration comes next: the whole grid, at random, or by Optuna's tree-structured Parzen estimator.

The same seed asks for the same configurations, also with several runs at a time and after a sweep was cut off: every
trial is drawn with random numbers of its own, and knows the results of the trials before it up to a fixed lag, in order,
whichever ended first. The estimator takes the trials within the lag for bad ones (a constant liar), so that
configurations that run at the same time are not alike.
"""

from __future__ import annotations

import itertools
import warnings
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from experiments.sweeps.file import Sweep
from graphrouter.errors import UserError

Values = dict[str, Any]


@dataclass(frozen=True)
class Asked:
    """What a trial is to be.

    Attributes:
        number: From 0.
        values: Of all parameters by name.
        drawn: What the search needs to know it again; empty in a grid.
    """

    number: int
    values: Values
    drawn: Values


@dataclass(frozen=True)
class Told:
    """What a trial came to.

    Attributes:
        status: ``finished``, ``failed`` or ``stopped``.
        value: Of the sweep's metric, the mean over seeds; NaN where it is not finished.
        losses: One per epoch of the first seed.
    """

    status: str
    value: float
    losses: list[float]


class Search(Protocol):
    """Asked for one trial after another, in order."""

    def ask(self, known: Asked | None) -> Asked:
        """Return the next trial; where it was asked for in an earlier session, that one again."""

    def tell(self, told: Told) -> None:
        """Take in the result of the first trial that has none yet."""


class Grid:
    """Every combination; the last parameter by name changes fastest, as with W&B."""

    def __init__(self, sweep: Sweep) -> None:
        self.names = [parameter.name for parameter in sweep.parameters]
        self.rest = enumerate(itertools.product(*(parameter.all_values() for parameter in sweep.parameters)))

    def ask(self, known: Asked | None) -> Asked:
        """Return the next combination."""
        number, values = next(self.rest)
        return Asked(number, dict(zip(self.names, values, strict=True)), {})

    def tell(self, told: Told) -> None:
        """A grid does not look at results."""


class Optuna:
    """Random or Bayesian search.

    Args:
        sweep: What is searched.
        seed: Of every draw.

    Raises:
        UserError: If Optuna is not installed.
    """

    def __init__(self, sweep: Sweep, seed: int) -> None:
        try:
            import optuna
        except ImportError:
            raise UserError(
                f"method: {sweep.method} needs the package optuna; install graphrouter[experiments], or use grid"
            ) from None
        optuna.logging.set_verbosity(optuna.logging.WARNING)
        self.sweep, self.seed = sweep, seed
        direction = optuna.study.StudyDirection
        self.study = optuna.create_study(direction=direction.MINIMIZE if sweep.metric.minimise else direction.MAXIMIZE)
        self.trials: list[optuna.Trial] = []
        self.told = 0

    def ask(self, known: Asked | None) -> Asked:
        """Draw the next configuration."""
        self.study.sampler = self._sampler(len(self.trials))
        if known is not None:
            self.study.enqueue_trial(known.drawn)
        trial = self.study.ask()
        self.trials.append(trial)
        values = {parameter.name: parameter.draw(trial) for parameter in self.sweep.parameters}
        return Asked(trial.number, values, dict(trial.params))

    def tell(self, told: Told) -> None:
        """Take in a result; a stopped trial counts by its last loss, behind the finished ones."""
        from optuna.trial import TrialState

        trial = self.trials[self.told]
        self.told += 1
        if told.status == "finished":
            self.study.tell(trial, told.value)
        elif told.status == "stopped" and told.losses:
            sign = 1 if self.sweep.metric.minimise else -1  # a loss is better when it is lower, whatever the metric
            for epoch, loss in enumerate(told.losses):
                trial.report(sign * loss, epoch)
            self.study.tell(trial, state=TrialState.PRUNED)
        else:
            self.study.tell(trial, state=TrialState.FAIL)

    def _sampler(self, number: int) -> Any:
        from optuna.samplers import RandomSampler, TPESampler

        seed = int(np.random.default_rng([self.seed, number]).integers(2**32))
        if self.sweep.method == "random":
            return RandomSampler(seed=seed)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # what is experimental in Optuna
            return TPESampler(seed=seed, constant_liar=True)


def make_search(sweep: Sweep, seed: int) -> Search:
    """Return the search of a sweep's method."""
    return Grid(sweep) if sweep.method == "grid" else Optuna(sweep, seed)
