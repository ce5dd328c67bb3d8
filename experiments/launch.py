"""Calls in other processes, a given number at a time: on this machine, or on a Ray cluster (docs.ray.io).

Each place is a thread here that waits for one process of its own, so that it is known whose process died.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
from abc import ABC, abstractmethod
from collections.abc import Callable
from concurrent.futures import Future, ProcessPoolExecutor, ThreadPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from multiprocessing.connection import Connection
from pathlib import Path
from queue import SimpleQueue
from types import TracebackType
from typing import Any, Self, TypeVar

from graphrouter.errors import UserError, suggest

T = TypeVar("T")
ENGINES = ("processes", "ray")
THREADS = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "POLARS_MAX_THREADS")
"""Variables that are 1 for a worker: several runs with several threads each are slower than the same runs with one."""
DIED = "its process died, perhaps for want of memory; try fewer jobs at a time"


class ProcessDiedError(UserError):
    """Raised by the result of a call whose process ended before it."""


class Launcher(ABC):
    """Places for calls; leave the context after an error, such as Ctrl-C, and what still runs ends at once.

    Args:
        places: Calls at a time.
    """

    def __init__(self, places: int) -> None:
        self._ending = False
        self._threads = ThreadPoolExecutor(places)

    def submit(self, function: Callable[..., T], *args: Any) -> Future[T]:
        """Start a call as soon as a place is free.

        Args:
            function: Function at the top of a module, so that another process finds it.
            args: Arguments that can be pickled.

        Returns:
            The call's future; its result raises `ProcessDiedError` where the process died.
        """
        return self._threads.submit(self._call, function, args)

    @abstractmethod
    def _call(self, function: Callable[..., T], args: tuple[Any, ...]) -> T:
        """Make a call elsewhere, and wait for it."""

    @abstractmethod
    def _stop(self) -> None:
        """End the calls that run."""

    @abstractmethod
    def _close(self) -> None:
        """Give back what is held; no call runs any more."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        if kind is not None:
            self._ending = True
            self._stop()
        self._threads.shutdown(cancel_futures=True)
        self._close()


class Processes(Launcher):
    """Processes of this machine with one thread each. They end when this process does, however that ends."""

    def __init__(self, places: int) -> None:
        super().__init__(places)
        for name in THREADS:
            os.environ[name] = "1"  # the workers inherit it
        self._context = multiprocessing.get_context("spawn")
        self._heard, self._alive = self._context.Pipe(duplex=False)
        self._idle: SimpleQueue[ProcessPoolExecutor] = SimpleQueue()
        for _ in range(places):
            self._idle.put(self._pool())

    def _pool(self) -> ProcessPoolExecutor:
        return ProcessPoolExecutor(1, mp_context=self._context, initializer=_ready, initargs=(self._heard,))

    def _call(self, function: Callable[..., T], args: tuple[Any, ...]) -> T:
        pool = self._idle.get()
        try:
            return pool.submit(function, *args).result()
        except BrokenProcessPool:
            pool.shutdown()
            if not self._ending:
                pool = self._pool()
            raise ProcessDiedError(DIED) from None
        finally:
            self._idle.put(pool)

    def _stop(self) -> None:
        self._alive.close()

    def _close(self) -> None:
        while not self._idle.empty():
            self._idle.get().shutdown()
        self._alive.close()
        self._heard.close()


def _ready(parent: Connection) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent ends its workers itself
    threading.Thread(target=_end_with_parent, args=(parent,), daemon=True).start()


def _end_with_parent(parent: Connection) -> None:
    """End when the other side of the pipe is closed, as it is when the parent was killed."""
    parent.poll(None)
    os._exit(1)


class Ray(Launcher):
    """Remote tasks with one CPU each, on the cluster that RAY_ADDRESS names, or on one of this machine.

    All nodes share the working folder and the folder of the results.

    Raises:
        UserError: If ray is not installed.
    """

    def __init__(self, places: int) -> None:
        super().__init__(places)
        try:
            import ray
        except ImportError:
            raise UserError(
                "the engine ray needs the package ray; install graphrouter[ray], or use processes"
            ) from None
        self._ray, self._running = ray, set[Any]()
        self._started = not ray.is_initialized()
        if self._started:
            paths = [str(Path(__file__).parents[1]), *filter(None, [os.environ.get("PYTHONPATH")])]
            variables = {**dict.fromkeys(THREADS, "1"), "PYTHONPATH": os.pathsep.join(paths)}
            local = {} if os.environ.get("RAY_ADDRESS") else {"num_cpus": places, "include_dashboard": False}
            ray.init(runtime_env={"env_vars": variables}, log_to_driver=False, **local)
        self._task = ray.remote(num_cpus=1, max_retries=0)(_call_in)

    def _call(self, function: Callable[..., T], args: tuple[Any, ...]) -> T:
        task = self._task.remote(Path.cwd(), function, args)
        self._running.add(task)
        try:
            done: T = self._ray.get(task)
        except self._ray.exceptions.RayError:
            raise ProcessDiedError(DIED) from None
        finally:
            self._running.discard(task)
        return done

    def _stop(self) -> None:
        for task in list(self._running):
            self._ray.cancel(task, force=True)

    def _close(self) -> None:
        if self._started:
            self._ray.shutdown()


def _call_in(folder: Path, function: Callable[..., T], args: tuple[Any, ...]) -> T:
    os.chdir(folder)  # paths in a config are relative to where the command was started
    return function(*args)


def find_launcher(engine: str) -> type[Launcher]:
    """Return the launcher of a name in `ENGINES`.

    Raises:
        UserError: If there is none.
    """
    if engine not in ENGINES:
        raise UserError(f"unknown engine {engine!r}{suggest(engine, ENGINES)}")
    return Processes if engine == "processes" else Ray
