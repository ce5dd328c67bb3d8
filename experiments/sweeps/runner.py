"""Runs a sweep here, several trials at a time, and goes on where it was cut off.

What is on disk is the state: ``OUT/study.log`` is Optuna's journal of what was asked for and what came of it, and
``OUT/runs/ID/run.json`` what a run came to, written whole or not at all. A trial whose runs are there is not run again;
one that failed or was stopped stays so.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import FIRST_COMPLETED, Future, wait
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from experiments.launch import DIED, ProcessDiedError
from experiments.runs.config import RunConfig, run_id
from experiments.runs.configuration import SeedRuns, read_configs
from experiments.runs.wandb_log import Logging, mean_metrics
from experiments.sweeps.file import Sweep
from experiments.sweeps.metric import check_metric
from experiments.sweeps.pruning import Pruning
from experiments.sweeps.study import AskedTrial, SweepStudy
from graphrouter.errors import UserError
from graphrouter.files import check_writable, replace_file
from graphrouter.settings import read_yaml, to_yaml
from graphrouter.typing import Record

FILE, STUDY = "sweep.yaml", "study.log"
OLD = "trials.json"
"""File in a folder of a sweep that was made before the study had a journal."""
MAY_CHANGE = ("run_cap", "name", "description", "project", "entity")
"""Keys of a sweep file that may differ when a sweep goes on."""


class Workers(Protocol):
    """Places for calls; see `experiments.launch.Launcher`."""

    def submit(self, function: Callable[..., Any], *args: Any) -> Future[Any]:
        """Start one when there is room."""


@dataclass(eq=False)
class SweepTrial:
    """One configuration of a sweep.

    Attributes:
        asked: Its place in the study; None for the default.
        configs: One run for each seed.
        records: Results of the runs; empty until the end.
        fresh: Whether it is run now, and was not before.
    """

    asked: AskedTrial | None
    configs: tuple[RunConfig, ...]
    records: list[Record] = field(default_factory=list)
    fresh: bool = False

    @property
    def name(self) -> str:
        """Name in tables: ``trial 3``, or ``default``."""
        return "default" if self.asked is None else f"trial {self.asked.number}"

    @property
    def status(self) -> str:
        """How it ended: ``finished``, ``failed`` or ``stopped``."""
        return str(self.records[-1]["status"])

    def same_as(self, other: SweepTrial) -> bool:
        """Whether both run the same."""
        return [run_id(config) for config in self.configs] == [run_id(config) for config in other.configs]

    def value(self, metric: str) -> float | None:
        """Return the mean of a metric over seeds; None where the trial has not finished."""
        return mean_metrics(self.records).get(metric) if self.records and self.status == "finished" else None


@dataclass(eq=False)
class SweepRun:
    """A sweep on its way.

    Args:
        sweep: Search space and method.
        out: Results folder.
        jobs: Trials at a time.
        logging: To W&B.
        say: Takes a line for each trial that has ended, empty where it was run before.

    Attributes:
        default: The router as it comes, but for the values that the sweep fixes: what the trials are compared with.
        trials: In the order in which they were asked for.
        exhausted: Whether the search ended because every configuration has been run.
    """

    sweep: Sweep
    out: Path
    jobs: int
    logging: Logging = field(default_factory=Logging)
    say: Callable[[str], None] = lambda _: None
    trials: list[SweepTrial] = field(default_factory=list, init=False)
    exhausted: bool = field(default=False, init=False)

    def __post_init__(self) -> None:
        self.base = read_configs(self.sweep.fixed, (), self.sweep.name)
        probe = self.sweep.fixed | {parameter.name: parameter.ends()[0] for parameter in self.sweep.searched}
        for parameter in self.sweep.searched:
            # A mistyped name and a value out of range show before anything is written.
            for value in parameter.ends():
                read_configs(probe | {parameter.name: value}, (), self.sweep.name)
        self.default = SweepTrial(None, self.base)

    def begin(self) -> None:
        """Write the sweep's file.

        Raises:
            UserError: If no run has the sweep's metric, or the folder holds another sweep.
        """
        check_metric(self.sweep, self.base[0])
        check_writable(self.out, "the sweep")
        file = self.out / FILE
        if file.exists() and _searched(read_yaml(file)) != _searched(self.sweep.source):
            raise UserError(f"{file} must be this sweep, but is another; name another --out, or remove the folder")
        if (self.out / OLD).exists() and not (self.out / STUDY).exists():
            raise UserError(
                f"{self.out} holds a sweep of an earlier version ({OLD}), which cannot go on, as a sweep is now kept in "
                f"{STUDY}; name another --out; its runs are still read by the report"
            )
        replace_file(file, to_yaml(self.sweep.source).encode())

    def run(self, workers: Workers) -> None:
        """Run what is not yet there, the default configuration first."""
        study = SweepStudy(self.sweep, self.base[0].seed, self.out / STUDY)
        known = study.trials()
        first = self._start(workers, self.default, study)
        running = [(first, self.default)]
        while running:
            done = wait([future for future, _ in running], return_when=FIRST_COMPLETED).done
            for future, trial in [pair for pair in running if pair[0] in done]:
                self._end(future, trial, study)
            running = [pair for pair in running if pair[0] not in done]
            while len(running) < self.jobs and (following := self._next(study, known)) is not None:
                same = following.same_as(self.default)
                if same:
                    self.say(f"{following.name}: the default, which is not run twice")
                running.append((first if same else self._start(workers, following, study), following))

    def _next(self, study: SweepStudy, known: list[AskedTrial]) -> SweepTrial | None:
        """Return the next trial, first those of an earlier session; None where there are enough."""
        number, metric = len(self.trials), self.sweep.metric
        values = [trial.value(metric.name) for trial in self.trials]
        if self.exhausted or number >= (self.sweep.run_cap or self.sweep.runs) or any(map(metric.reached, values)):
            return None
        asked = known[number] if number < len(known) else study.ask()
        if asked is None:
            self.exhausted = True
            return None
        self.trials.append(SweepTrial(asked, read_configs(asked.values, (), f"trial {number}")))
        return self.trials[-1]

    def _start(self, workers: Workers, trial: SweepTrial, study: SweepStudy) -> Future[list[Record]]:
        """Run a trial, or take what it came to before."""
        made = self._configuration(trial, study)
        if (kept := made.kept()) is None:
            trial.fresh = True
            return workers.submit(SeedRuns.run, made)
        self.say("")
        future: Future[list[Record]] = Future()
        future.set_result(kept)
        return future

    def _pruning(self, trial: SweepTrial, study: SweepStudy) -> Pruning | None:
        if self.sweep.early is None or trial.asked is None or trial.asked.ended:
            return None
        return Pruning(self.sweep.early, study.file, trial.asked.id, self.sweep.metric.minimise)

    def _configuration(self, trial: SweepTrial, study: SweepStudy) -> SeedRuns:
        pruning, asked = self._pruning(trial, study), trial.asked
        return SeedRuns(
            trial.configs,
            self.out,
            prefix="default-" if asked is None else f"t{asked.number:03d}-",
            about={"kind": "sweep", "name": trial.name, "base": asked is None},
            logging=self.logging,
            on_evaluation=pruning.on_evaluation if pruning else None,
        )

    def _end(self, future: Future[list[Record]], trial: SweepTrial, study: SweepStudy) -> None:
        """Take in what a trial came to."""
        try:
            trial.records = future.result()
        except ProcessDiedError:
            trial.records = self._configuration(trial, study).record_failure(DIED)
        value = trial.value(self.sweep.metric.name)
        if trial.fresh:
            note = trial.records[-1]["error"] if value is None else f"{self.sweep.metric.name} {value:.5f}"
            self.say(f"{trial.name}: {trial.status}, {note}")
        elif (pruning := self._pruning(trial, study)) is not None:
            pruning.replay(trial.records[0].get("history", []))  # of the default, which is not run twice
        if trial.asked is not None:
            study.tell(trial.asked, trial.status, value)


def _searched(source: dict[str, Any]) -> dict[str, Any]:
    """Return the parts of a sweep file that decide what is searched."""
    return {key: value for key, value in source.items() if key not in MAY_CHANGE}
