"""Many runs at a time. A finished run is never run again."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import as_completed
from dataclasses import dataclass, replace

from tqdm import tqdm

from experiments.launch import DIED, ProcessDiedError, find_launcher
from experiments.runs.config import run_id
from experiments.runs.configuration import SeedRuns
from graphrouter.errors import UserError


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


def run_all(jobs: Sequence[SeedRuns], workers: int, engine: str = "processes", progress: bool = False) -> RunCounts:
    """Run all jobs that are not finished.

    A job that fails is recorded and the others go on, also where its process dies. The same call again runs what is
    not finished.

    Args:
        jobs: With different ids. With Ray, all nodes share the folder of their results, like the working folder.
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
    todo = [job for job in jobs if not job.finished]
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
        running = {places.submit(run_bundle, bundle): bundle for bundle in bundles}
        for future in as_completed(running):
            try:
                done = future.result()
            except ProcessDiedError:
                died = [job for job in running[future] if not job.finished]
                done = dict.fromkeys((job.id for job in running[future]), None)
                done |= {job.id: job.record_failure(DIED)[-1]["error"] for job in died}
            for id_, error in done.items():
                counts.finished += error is None
                counts.failed |= {} if error is None else {id_: error}
                bar.update()
            bar.set_postfix(failed=len(counts.failed))
    return counts


def run_bundle(bundle: Sequence[SeedRuns]) -> dict[str, str | None]:
    """Run jobs one after another in this process; returns the error of each, or None."""
    import torch

    torch.set_num_threads(1)
    return {job.id: job.run()[-1]["error"] for job in bundle}


def _bundles(jobs: Sequence[SeedRuns]) -> list[list[SeedRuns]]:
    """Put runs together that share their fit: those that differ in the shots of a new LLM only."""
    bundles: dict[str, list[SeedRuns]] = {}
    for job in jobs:
        shared = replace(job.config, shots=0)
        bundles.setdefault(run_id(shared) if shared.protocol == "leave_llm_out" else job.id, []).append(job)
    return list(bundles.values())
