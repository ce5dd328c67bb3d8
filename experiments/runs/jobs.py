"""Many runs at a time. A finished run is never run again."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import as_completed
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from tqdm import tqdm

from experiments.launch import DIED, ProcessDiedError, find_launcher
from experiments.runs.config import RunConfig, run_id
from graphrouter.errors import UserError


@dataclass(frozen=True, eq=False)
class RunJob:
    """One run of many.

    Attributes:
        config: What is run.
        about: ``id, kind, group, name, base``, see `experiments.runs.execute.execute`.
    """

    config: RunConfig
    about: dict[str, Any]

    @property
    def id(self) -> str:
        """The name of its folder."""
        return str(self.about.get("id") or run_id(self.config))

    def folder(self, out: Path) -> Path:
        """Return the run's folder in a folder of results."""
        return out / "runs" / self.id

    def is_finished(self, out: Path) -> bool:
        """Whether a folder of results holds the finished run."""
        from experiments.runs.execute import read_record

        record = read_record(self.folder(out))
        return record is not None and record["status"] == "finished"


@dataclass
class RunCounts:
    """How runs ended.

    Attributes:
        finished: In this call.
        kept: Finished before.
        failed: By id, the error.
    """

    finished: int
    kept: int
    failed: dict[str, str]


def run_all(
    jobs: Sequence[RunJob], out: Path, workers: int, engine: str = "processes", progress: bool = False
) -> RunCounts:
    """Run all jobs that are not finished, each in OUT/runs/ID.

    A job that fails is recorded and the others go on, also where its process dies. The same call again runs what is
    not finished.

    Args:
        jobs: With different ids.
        out: Folder of the results; with Ray, one that all nodes share, like the working folder.
        workers: Runs at a time, each with one thread.
        engine: ``processes``, or ``ray`` for the cluster that the environment variable RAY_ADDRESS names, or one of this
            machine where it names none.
        progress: Whether to show a progress bar.

    Raises:
        UserError: If the engine is unknown or not installed, or a log cannot be read.
    """
    launcher = find_launcher(engine)
    if workers < 1:
        raise UserError(f"the number of workers must be 1 or more, but is {workers}")
    todo = [job for job in jobs if not job.is_finished(out)]
    counts = RunCounts(0, len(jobs) - len(todo), {})
    if not todo:
        return counts
    bundles = _bundles(todo)
    with (
        launcher(min(workers, len(bundles))) as places,
        tqdm(total=len(jobs), initial=counts.kept, desc="runs", disable=not progress, smoothing=0.05) as bar,
    ):
        from experiments.runs.data import warm_up

        warm_up([job.config for job in todo], progress)
        running = {places.submit(run_bundle, bundle, out): bundle for bundle in bundles}
        for future in as_completed(running):
            try:
                done = future.result()
            except ProcessDiedError:
                done = _record_death(running[future], out)
            for id_, error in done.items():
                counts.finished += error is None
                counts.failed |= {} if error is None else {id_: error}
                bar.update()
            bar.set_postfix(failed=len(counts.failed))
    return counts


def run_bundle(bundle: Sequence[RunJob], out: Path) -> dict[str, str | None]:
    """Run jobs one after another in this process; returns the error of each, or None."""
    import torch

    from experiments.runs.execute import execute

    torch.set_num_threads(1)
    return {job.id: execute(job.config, job.folder(out), about=job.about).get("error") for job in bundle}


def _bundles(jobs: Sequence[RunJob]) -> list[list[RunJob]]:
    """Put runs together that share their fit: those that differ in the shots of a new LLM only."""
    bundles: dict[str, list[RunJob]] = {}
    for job in jobs:
        shared = replace(job.config, shots=0)
        bundles.setdefault(run_id(shared) if shared.protocol == "leave_llm_out" else job.id, []).append(job)
    return list(bundles.values())


def _record_death(bundle: list[RunJob], out: Path) -> dict[str, str | None]:
    """Record the runs whose process died; those of the bundle that finished before stay as they are."""
    from experiments.runs.execute import new_record, write_record

    errors: dict[str, str | None] = {}
    for job in bundle:
        errors[job.id] = None if job.is_finished(out) else DIED
        if errors[job.id]:
            about = {"status": "failed", "error": DIED, "seconds": 0.0}
            write_record(job.folder(out), new_record(job.config, job.about) | about)
    return errors
