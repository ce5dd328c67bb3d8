"""Study of a sweep: which configuration comes next, by Optuna, kept in one file that the processes of a sweep share.

Random numbers of a trial depend on the seed and on the trial's number alone. So a grid and a random search have the same
trials whatever the number of jobs, and a Bayesian search has the same trials with one job, also after it was cut off. With
several jobs a Bayesian search (and early termination) knows what has ended by then, which differs from run to run; it takes
those that still run for bad ones (a constant liar), so that configurations that run at the same time are not alike.
"""

from __future__ import annotations

import itertools
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from experiments.sweeps.file import Sweep
from experiments.sweeps.parameter import frozen
from graphrouter.errors import UserError, first_line
from graphrouter.typing import Record

if TYPE_CHECKING:
    from optuna import Study, Trial

NAME, VALUES = "sweep", "values"
DRAWS = 6
"""How often a configuration is drawn until it is a new one, the latter half of them at random. Each is kept in the file."""


@dataclass(frozen=True)
class AskedTrial:
    """Trial of a study.

    Attributes:
        number: From 0, among those that were to be run.
        id: In the study.
        place: In the study, as Optuna numbers trials.
        values: Values of all parameters by name.
        ended: Whether its result is known.
    """

    number: int
    id: int
    place: int
    values: Record
    ended: bool


def open_study(file: Path, minimise: bool, pruner: Any = None) -> Study:
    """Open the study of a file, which is made where it is absent.

    Raises:
        UserError: If Optuna is not installed, or the file is none of its journals.
    """
    try:
        import optuna
        from optuna.storages.journal import JournalFileBackend
    except ImportError:
        raise UserError("a sweep needs the package optuna; install graphrouter[experiments]") from None
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    try:
        return optuna.create_study(
            storage=optuna.storages.JournalStorage(JournalFileBackend(str(file))),
            study_name=NAME,
            direction="minimize" if minimise else "maximize",
            pruner=pruner,
            load_if_exists=True,
        )
    except (ValueError, KeyError, AssertionError) as error:
        raise UserError(
            f"{file} must be what a sweep wrote, but is not ({first_line(error)}); remove the folder"
        ) from None


class SweepStudy:
    """Trials of a sweep.

    Args:
        sweep: Search space and method.
        seed: Seed of every draw.
        file: File of the study. No other process writes to it yet.

    Raises:
        UserError: If Optuna is not installed, or the file is none of its journals.
    """

    def __init__(self, sweep: Sweep, seed: int, file: Path) -> None:
        self.sweep, self.seed, self.file = sweep, seed, file
        file.with_name(f"{file.name}.lock").unlink(missing_ok=True)  # of a process that was killed
        if file.exists() and not (content := file.read_bytes()).endswith(b"\n"):
            file.write_bytes(content[: content.rfind(b"\n") + 1])  # a line that was cut off
        self.study = open_study(file, sweep.metric.minimise)
        for trial in self.study.get_trials(deepcopy=False):
            if not trial.state.is_finished() and VALUES not in trial.user_attrs:
                self._discard(trial.number)  # cut off while it was drawn

    def trials(self) -> list[AskedTrial]:
        """Return the trials that were asked for, in order."""
        asked = [trial for trial in self.study.get_trials(deepcopy=False) if VALUES in trial.user_attrs]
        return [
            AskedTrial(number, one._trial_id, one.number, one.user_attrs[VALUES], one.state.is_finished())
            for number, one in enumerate(asked)
        ]

    def ask(self) -> AskedTrial | None:
        """Return the next trial, which is no earlier one again; None where all configurations have been asked for."""
        known = self.trials()
        found = self._next_of_grid(len(known)) if self.sweep.method == "grid" else self._new(known)
        if found is None:
            return None
        trial, values = found
        trial.set_user_attr(VALUES, values)
        return AskedTrial(len(known), trial._trial_id, trial.number, values, False)

    def _next_of_grid(self, number: int) -> tuple[Trial, Record] | None:
        """Return a combination; the last parameter by name changes fastest, as with W&B."""
        names = [parameter.name for parameter in self.sweep.parameters]
        combinations = itertools.product(*(parameter.all_values() for parameter in self.sweep.parameters))
        found = next(itertools.islice(combinations, number, None), None)
        return None if found is None else (self.study.ask(), dict(zip(names, found, strict=True)))

    def _new(self, known: list[AskedTrial]) -> tuple[Trial, Record] | None:
        """Draw until a configuration is new; the estimator likes to come back to the best of a few."""
        seen, size = {frozen(trial.values) for trial in known}, self.sweep.size
        if size is not None and len(seen) >= size:
            return None
        for attempt in range(DRAWS):
            self.study.sampler = self._sampler(len(known), attempt)
            trial, values = self._draw()
            if frozen(values) not in seen:
                return trial, values
            self._discard(trial.number)
        if size is None:
            return None
        self.study.enqueue_trial(self._unseen(size, seen))
        return self._draw()

    def _draw(self) -> tuple[Trial, Record]:
        trial = self.study.ask()
        return trial, {parameter.name: parameter.draw(trial) for parameter in self.sweep.parameters}

    def _discard(self, place: int) -> None:
        from optuna.trial import TrialState

        self.study.tell(place, state=TrialState.FAIL)  # which tells the estimator nothing

    def _unseen(self, size: int, seen: set[Any]) -> Record:
        """Return the drawn values of a configuration that was not asked for: the first one from a random place on."""
        choices = {parameter.name: parameter.choices() or [] for parameter in self.sweep.searched}
        place = int(np.random.default_rng([self.seed, len(seen)]).integers(size))
        while True:
            rest, drawn, values = place, {}, dict(self.sweep.fixed)
            for name, pairs in choices.items():
                rest, digit = divmod(rest, len(pairs))
                drawn[name], values[name] = pairs[digit]
            if frozen(values) not in seen:
                return drawn
            place = (place + 1) % size

    def _sampler(self, number: int, attempt: int) -> Any:
        from optuna.samplers import RandomSampler, TPESampler

        words = [self.seed, number, attempt] if attempt else [self.seed, number]
        seed = int(np.random.default_rng(words).integers(2**32))
        if self.sweep.method == "random" or attempt >= DRAWS // 2:
            return RandomSampler(seed=seed)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # what is experimental in Optuna
            return TPESampler(seed=seed, constant_liar=True)

    def tell(self, trial: AskedTrial, status: str, value: float | None) -> None:
        """Take in a result; a stopped trial counts by its last loss, behind the finished ones.

        Args:
            trial: That has ended.
            status: ``finished``, ``failed`` or ``stopped``.
            value: Value of the sweep's metric, the mean over seeds; None where it is not finished.
        """
        from optuna.trial import TrialState

        if trial.ended:
            return
        state = {"finished": TrialState.COMPLETE, "stopped": TrialState.PRUNED}.get(status, TrialState.FAIL)
        self.study.tell(trial.place, value, state)
