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
from experiments.sweeps.parameter import frozen
from graphrouter.errors import UserError

Values = dict[str, Any]
DRAWS = 20
"""How often a configuration is drawn until it is a new one, the latter half of them at random."""


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

    def ask(self, known: Asked | None) -> Asked | None:
        """Return the next trial, which is no earlier one again; None where all have been.

        Args:
            known: What was asked for in an earlier session: that is returned, as it is.
        """

    def tell(self, told: Told) -> None:
        """Take in the result of the first trial that has none yet."""


class Grid:
    """Every combination; the last parameter by name changes fastest, as with W&B."""

    def __init__(self, sweep: Sweep) -> None:
        self.names = [parameter.name for parameter in sweep.parameters]
        self.rest = enumerate(itertools.product(*(parameter.all_values() for parameter in sweep.parameters)))

    def ask(self, known: Asked | None) -> Asked | None:
        """Return the next combination."""
        number, values = next(self.rest, (None, ()))
        return None if number is None else Asked(number, dict(zip(self.names, values, strict=True)), {})

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
        self.seen: set[Any] = set()

    def ask(self, known: Asked | None) -> Asked | None:
        """Draw the next configuration."""
        found = self._redrawn(known) if known is not None else self._new()
        if found is None:
            return None
        trial, values = found
        self.trials.append(trial)
        self.seen.add(frozen(values))
        return Asked(len(self.trials) - 1, values, dict(trial.params))

    def _redrawn(self, known: Asked) -> tuple[Any, Values]:
        self.study.enqueue_trial(known.drawn)
        return self._draw()

    def _new(self) -> tuple[Any, Values] | None:
        """Draw until a configuration is new; the estimator likes to come back to the best of a few."""
        size = self.sweep.size
        if size is not None and len(self.seen) >= size:
            return None
        for attempt in range(DRAWS):
            self.study.sampler = self._sampler(len(self.trials), attempt)
            trial, values = self._draw()
            if frozen(values) not in self.seen:
                return trial, values
            self._forget(trial)
        if size is None:
            return None
        self.study.enqueue_trial(self._unseen(size))
        return self._draw()

    def _draw(self) -> tuple[Any, Values]:
        trial = self.study.ask()
        return trial, {parameter.name: parameter.draw(trial) for parameter in self.sweep.parameters}

    def _forget(self, trial: Any) -> None:
        from optuna.trial import TrialState

        self.study.tell(trial, state=TrialState.FAIL)  # which tells the estimator nothing

    def _unseen(self, size: int) -> Values:
        """Return what is drawn of a configuration that was not asked for: the first one from a place by chance on."""
        fixed = {parameter.name: parameter.value_of(None) for parameter in self.sweep.parameters if parameter.fixed}
        choices = {parameter.name: parameter.choices() or [] for parameter in self.sweep.searched}
        place = int(np.random.default_rng([self.seed, len(self.trials)]).integers(size))
        while True:
            rest, drawn, values = place, {}, dict(fixed)
            for name, pairs in choices.items():
                rest, digit = divmod(rest, len(pairs))
                drawn[name], values[name] = pairs[digit]
            if frozen(values) not in self.seen:
                return drawn
            place = (place + 1) % size

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

    def _sampler(self, number: int, attempt: int) -> Any:
        from optuna.samplers import RandomSampler, TPESampler

        words = [self.seed, number, attempt] if attempt else [self.seed, number]
        seed = int(np.random.default_rng(words).integers(2**32))
        if self.sweep.method == "random" or attempt >= DRAWS // 2:
            return RandomSampler(seed=seed)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # what is experimental in Optuna
            return TPESampler(seed=seed, constant_liar=True)


def make_search(sweep: Sweep, seed: int) -> Search:
    """Return the search of a sweep's method."""
    return Grid(sweep) if sweep.method == "grid" else Optuna(sweep, seed)
