"""Runs a sweep here, several trials at a time, and goes on where it was cut off.

What is on disk is the state: ``OUT/trials.json`` holds what the search has asked for, written before a trial starts, and
``OUT/runs/ID/run.json`` what a run came to, written whole or not at all. A trial whose runs are there is not run again;
one that failed or was stopped stays so.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Protocol

from experiments.runs.config import RunConfig, run_id
from experiments.runs.configuration import Configuration, read_configs
from experiments.runs.wandb_log import Logging, mean_metrics
from experiments.sweeps.early import Hyperband, Watch
from experiments.sweeps.file import Sweep
from experiments.sweeps.metric import check_metric
from experiments.sweeps.search import Asked, Told, make_search
from graphrouter.errors import UserError, first_line
from graphrouter.files import check_writable, replace_file
from graphrouter.settings import read_yaml, to_yaml

Record = dict[str, Any]
FILE, TRIALS = "sweep.yaml", "trials.json"
MAY_CHANGE = ("run_cap", "name", "description", "project", "entity")
"""Keys of a sweep file that may differ when a sweep goes on."""


class Workers(Protocol):
    """What runs configurations beside each other."""

    def submit(self, configuration: Configuration) -> Future[list[Record]]:
        """Start one when there is room."""


@dataclass(eq=False)
class Trial:
    """One configuration of a sweep.

    Attributes:
        asked: What it is.
        configs: One run for each seed.
        records: What the runs came to; empty until the end.
    """

    asked: Asked
    configs: tuple[RunConfig, ...]
    records: list[Record] = field(default_factory=list)

    def same_as(self, other: Trial) -> bool:
        """Whether both run the same."""
        return [run_id(config) for config in self.configs] == [run_id(config) for config in other.configs]

    def told(self, metric: str) -> Told:
        """Return what the search is told.

        Raises:
            UserError: If a finished run has no such metric.
        """
        status = self.records[-1]["status"]
        if status == "finished":
            value = mean_metrics(self.records).get(metric)
            if value is None:
                known = [name for name in self.records[0]["metrics"] if name.startswith("validation/")]
                raise UserError(
                    f"metric.name must be a metric of the run, but is {metric!r}; there are {', '.join(known)}"
                )
            return Told(status, value, self.losses)
        return Told(status, math.nan, self.losses)

    @property
    def losses(self) -> list[float]:
        """The first network's validation loss on the first seed, one per epoch."""
        history = self.records[0].get("history", [])
        return [epoch["validation_loss"] for epoch in history if epoch["label"] == history[0]["label"]]


@dataclass(eq=False)
class SweepRun:
    """A sweep on its way.

    Args:
        sweep: What is searched.
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
    trials: list[Trial] = field(default_factory=list, init=False)
    exhausted: bool = field(default=False, init=False)

    def __post_init__(self) -> None:
        self.base = read_configs(self.sweep.fixed, (), self.sweep.name)
        probe = make_search(self.sweep, self.base[0].seed).ask(None)
        assert probe is not None
        read_configs(probe.values, (), self.sweep.name)  # a mistyped name shows before anything is written
        for parameter in self.sweep.searched:
            for value in parameter.ends():  # and a value out of range before the first run
                read_configs(probe.values | {parameter.name: value}, (), f"{self.sweep.name}, {parameter.name}")
        self.default = Trial(Asked(-1, {}, {}), self.base)

    @property
    def lag(self) -> int:
        """How many trials may be asked for before the oldest one has ended."""
        informed = self.sweep.method == "bayes" or self.sweep.early or self.sweep.metric.target is not None
        return 2 * self.jobs if informed else self.sweep.runs

    def run(self, workers: Workers) -> None:
        """Run what is not yet there, the default configuration first."""
        search, known = make_search(self.sweep, self.base[0].seed), self._read()
        running: list[Future[list[Record]]] = []
        told: list[Told] = []
        first = self._start(workers, self.default, "default", None)
        for number in range(self.sweep.run_cap or self.sweep.runs):
            while len(told) <= number - self.lag:
                told.append(self._collect(len(told), running))
                search.tell(told[-1])
            if self._reached(told):
                break
            asked = search.ask(known[number] if number < len(known) else None)
            if asked is None:
                self.exhausted = True
                break
            self.trials.append(Trial(asked, read_configs(asked.values, (), f"trial {number}")))
            self._write(known)
            running.append(self._start(workers, self.trials[-1], f"trial {number}", self._watch(told), first))
        self.default.records = first.result()
        for number in range(len(told), len(running)):
            self._collect(number, running)

    def _start(
        self,
        workers: Workers,
        trial: Trial,
        name: str,
        watch: Watch | None,
        default: Future[list[Record]] | None = None,
    ) -> Future[list[Record]]:
        """Run a trial, or take what it came to before, or what the default comes to where it is the same."""
        made = Configuration(
            trial.configs,
            self.out,
            prefix="default-" if trial is self.default else f"t{trial.asked.number:03d}-",
            about={"kind": "sweep", "name": name, "base": trial is self.default},
            logging=self.logging,
            on_epoch=watch.on_epoch if watch else None,
        )
        if (kept := made.kept()) is not None:
            future: Future[list[Record]] = Future()
            future.set_result(kept)
            self.say("")
            return future
        if default is not None and trial.same_as(self.default):
            self.say(f"{name}: the default, which is not run twice")
            return default
        future = workers.submit(made)
        future.add_done_callback(lambda done: self._report(name, done))
        return future

    def _report(self, name: str, done: Future[list[Record]]) -> None:
        if done.cancelled() or done.exception() is not None:
            return
        records, metric = done.result(), self.sweep.metric.name
        value = mean_metrics(records).get(metric) if records[-1]["status"] == "finished" else None
        note = records[-1]["error"] if value is None else f"{metric} {value:.5f}"
        self.say(f"{name}: {records[-1]['status']}, {note}")

    def _collect(self, number: int, running: list[Future[list[Record]]]) -> Told:
        self.trials[number].records = running[number].result()
        return self.trials[number].told(self.sweep.metric.name)

    def _watch(self, told: list[Told]) -> Watch | None:
        """Compare a trial at each bracket with those before it, finished or stopped."""
        if self.sweep.early is None:
            return None
        return Watch(self.sweep.early, at_brackets(self.sweep.early, told))

    def _reached(self, told: list[Told]) -> bool:
        target, metric = self.sweep.metric.target, self.sweep.metric
        return target is not None and any(one.value == target or metric.better(one.value, target) for one in told)

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
        replace_file(file, to_yaml(self.sweep.source).encode())

    def _read(self) -> list[Asked]:
        file = self.out / TRIALS
        if not file.exists():
            return []
        try:
            return [Asked(**asked) for asked in json.loads(file.read_text())]
        except (OSError, ValueError, TypeError) as error:
            raise UserError(
                f"{file} must be what a sweep wrote, but is not ({first_line(error)}); remove the folder"
            ) from None

    def _write(self, known: list[Asked]) -> None:
        """Keep what was asked for, before it runs."""
        if len(self.trials) > len(known):
            asked = [asdict(trial.asked) for trial in self.trials]
            replace_file(self.out / TRIALS, f"{json.dumps(asked)}\n".encode())


def at_brackets(rule: Hyperband, told: list[Told]) -> dict[int, list[float]]:
    """Return by bracket what each trial that reached it is compared by."""
    found: dict[int, list[float]] = {}
    for bracket, value in _reached_brackets(rule, told):
        found.setdefault(bracket, []).append(value)
    return found


def _reached_brackets(rule: Hyperband, told: list[Told]) -> Iterator[tuple[int, float]]:
    for one in told:
        yield from rule.at(one.losses).items()


def _searched(source: dict[str, Any]) -> dict[str, Any]:
    """Return what of a sweep file decides what is searched."""
    return {key: value for key, value in source.items() if key not in MAY_CHANGE}
