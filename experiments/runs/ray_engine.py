"""Runs over a Ray cluster (docs.ray.io): each bundle of jobs is a remote task with one CPU."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import ray

from experiments.runs.pool import THREADS, Job, record_death, run_bundle


def over_ray(bundles: list[list[Job]], out: Path, workers: int) -> Iterator[dict[str, str | None]]:
    """Run bundles on the cluster that RAY_ADDRESS names, or on one of this machine with so many workers.

    Args:
        bundles: Jobs that run one after another.
        out: A folder that all nodes share, like the working folder.
        workers: Tasks at a time.

    Yields:
        The error of each job of a bundle that has ended, or None.
    """
    started = not ray.is_initialized()
    if started:
        _connect(workers)
    task = ray.remote(num_cpus=1, max_retries=0)(_run_there)
    waiting = list(reversed(bundles))
    running: dict[ray.ObjectRef[Any], list[Job]] = {}
    try:
        while waiting or running:
            while waiting and len(running) < workers:
                bundle = waiting.pop()
                running[task.remote(bundle, out.absolute(), Path.cwd())] = bundle
            for done in ray.wait(list(running), num_returns=1)[0]:
                bundle = running.pop(done)
                try:
                    yield ray.get(done)
                except ray.exceptions.RayError:
                    yield record_death(bundle, out)
    finally:
        for one in running:
            ray.cancel(one, force=True)
        if started:
            ray.shutdown()


def _run_there(bundle: list[Job], out: Path, folder: Path) -> dict[str, str | None]:
    os.chdir(folder)  # paths in a config are relative to where the grid was started
    return run_bundle(bundle, out)


def _connect(workers: int) -> None:
    here = str(Path(__file__).parents[2])
    paths = [here, *filter(None, [os.environ.get("PYTHONPATH")])]
    variables = {**dict.fromkeys(THREADS, "1"), "PYTHONPATH": os.pathsep.join(paths)}
    runtime = {"env_vars": variables}
    if os.environ.get("RAY_ADDRESS"):
        ray.init(runtime_env=runtime, log_to_driver=False)
    else:
        ray.init(num_cpus=workers, include_dashboard=False, runtime_env=runtime, log_to_driver=False)
