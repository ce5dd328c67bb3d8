"""Many runs at a time: over processes of this machine, or over a Ray cluster. A finished run is never run again."""

from __future__ import annotations

import multiprocessing
import os
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from tqdm import tqdm

from experiments.runs.config import RunConfig, run_id
from graphrouter.errors import UserError, suggest

ENGINES = ("processes", "ray")
THREADS = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "POLARS_MAX_THREADS")
"""What a worker sets to 1: several runs with several threads each are slower than the same runs with one."""


@dataclass(frozen=True, eq=False)
class Job:
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


@dataclass
class Counts:
    """How runs ended.

    Attributes:
        finished: In this call.
        kept: Finished before.
        failed: By id, the error.
    """

    finished: int
    kept: int
    failed: dict[str, str]


def run_all(jobs: Sequence[Job], out: Path, workers: int, engine: str = "processes", progress: bool = False) -> Counts:
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
    if engine not in ENGINES:
        raise UserError(f"unknown engine {engine!r}{suggest(engine, ENGINES)}")
    if workers < 1:
        raise UserError(f"the number of workers must be 1 or more, but is {workers}")
    todo = [job for job in jobs if not _is_finished(job, out)]
    counts = Counts(0, len(jobs) - len(todo), {})
    if not todo:
        return counts
    run = _over_processes if engine == "processes" else _ray_engine()
    from experiments.runs.data import warm_up

    warm_up([job.config for job in todo], progress)
    bundles = _bundles(todo)
    with tqdm(total=len(jobs), initial=counts.kept, desc="runs", disable=not progress, smoothing=0.05) as bar:
        for done in run(bundles, out, min(workers, len(bundles))):
            for id_, error in done.items():
                counts.finished += error is None
                counts.failed |= {} if error is None else {id_: error}
                bar.update()
            bar.set_postfix(failed=len(counts.failed))
    return counts


def run_bundle(bundle: Sequence[Job], out: Path) -> dict[str, str | None]:
    """Run jobs one after another in this process; returns the error of each, or None."""
    import torch

    from experiments.runs.execute import execute

    torch.set_num_threads(1)
    return {job.id: execute(job.config, _folder(job, out), about=job.about).get("error") for job in bundle}


def _folder(job: Job, out: Path) -> Path:
    return out / "runs" / job.id


def _is_finished(job: Job, out: Path) -> bool:
    from experiments.runs.execute import read_record

    record = read_record(_folder(job, out))
    return record is not None and record["status"] == "finished"


def _bundles(jobs: Sequence[Job]) -> list[list[Job]]:
    """Put runs together that share their fit: those that differ in the shots of a new LLM only."""
    bundles: dict[str, list[Job]] = {}
    for job in jobs:
        shared = replace(job.config, shots=0)
        bundles.setdefault(run_id(shared) if shared.protocol == "leave_llm_out" else job.id, []).append(job)
    return list(bundles.values())


def _over_processes(
    bundles: list[list[Job]], out: Path, workers: int, run: Callable[..., Any] = run_bundle
) -> Iterator[dict[str, str | None]]:
    """Run bundles, each worker a pool of one process, so that it is known whose process died."""
    for name in THREADS:
        os.environ[name] = "1"  # read when a worker imports torch and polars
    waiting = list(reversed(bundles))
    pools = [_pool() for _ in range(workers)]
    running: dict[Future[Any], tuple[int, list[Job]]] = {}

    def start(number: int) -> None:
        if waiting:
            bundle = waiting.pop()
            running[pools[number].submit(run, bundle, out)] = number, bundle

    try:
        for number in range(workers):
            start(number)
        while running:
            for future in wait(running, return_when=FIRST_COMPLETED).done:
                number, bundle = running.pop(future)
                try:
                    done = future.result()
                except BrokenProcessPool:
                    pools[number].shutdown()
                    pools[number] = _pool()
                    done = record_death(bundle, out)
                start(number)
                yield done
    except BaseException:
        for pool in pools:
            _kill(pool)
        raise
    for pool in pools:
        pool.shutdown()


def _pool() -> ProcessPoolExecutor:
    return ProcessPoolExecutor(1, multiprocessing.get_context("spawn"), initializer=_end_with_parent)


def _kill(pool: ProcessPoolExecutor) -> None:
    """End a pool at once: a run that is cut off writes nothing."""
    processes = list((pool._processes or {}).values())
    pool.shutdown(wait=False, cancel_futures=True)
    for process in processes:
        process.terminate()


def _end_with_parent() -> None:
    """Let this worker end when its parent is killed; otherwise it would stay, and write beside a resumed grid."""
    parent = multiprocessing.parent_process()
    if parent is None:
        return

    def follow() -> None:
        parent.join()
        os._exit(1)

    threading.Thread(target=follow, daemon=True).start()


def record_death(bundle: list[Job], out: Path) -> dict[str, str | None]:
    """Record the runs whose process died; those of the bundle that finished before stay as they are."""
    from experiments.runs.execute import new_record, write_record

    errors: dict[str, str | None] = {}
    said = "its process died, perhaps for want of memory; try fewer jobs at a time"
    for job in bundle:
        errors[job.id] = None if _is_finished(job, out) else said
        if errors[job.id]:
            about = {"status": "failed", "error": said, "seconds": 0.0}
            write_record(_folder(job, out), new_record(job.config, job.about) | about)
    return errors


def _ray_engine() -> Callable[..., Iterator[dict[str, str | None]]]:
    try:
        from experiments.runs.ray_engine import over_ray
    except ImportError:
        raise UserError("the engine ray needs the package ray; install graphrouter[ray], or use processes") from None
    return over_ray
