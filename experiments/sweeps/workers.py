"""Processes with one thread each that run configurations, and end with the process that started them."""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
from concurrent.futures import Future, ProcessPoolExecutor, ThreadPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from multiprocessing.connection import Connection
from queue import SimpleQueue
from types import TracebackType
from typing import Any, Self

from experiments.launch import THREADS
from experiments.runs.configuration import Configuration

Records = list[dict[str, Any]]
DIED = "its process died, perhaps for want of memory; try fewer jobs at a time"


class Processes:
    """Worker processes; leave the context after an error, such as Ctrl-C, and they end at once.

    Each worker is a pool of one process with a thread here that waits for it, so that it is known whose process died.

    Args:
        jobs: How many.
    """

    def __init__(self, jobs: int) -> None:
        for name in THREADS:
            os.environ[name] = "1"  # the workers inherit it
        self.context = multiprocessing.get_context("spawn")
        self.heard, self.alive = self.context.Pipe(duplex=False)
        self.ending = False
        self.idle: SimpleQueue[ProcessPoolExecutor] = SimpleQueue()
        for _ in range(jobs):
            self.idle.put(self._pool())
        self.threads = ThreadPoolExecutor(jobs)

    def submit(self, configuration: Configuration) -> Future[Records]:
        """Run a configuration as soon as a worker is free; one whose process dies is recorded as failed."""
        return self.threads.submit(self._run, configuration)

    def _pool(self) -> ProcessPoolExecutor:
        return ProcessPoolExecutor(1, mp_context=self.context, initializer=_ready, initargs=(self.heard,))

    def _run(self, configuration: Configuration) -> Records:
        pool = self.idle.get()
        try:
            return pool.submit(_run, configuration).result()
        except BrokenProcessPool:
            if self.ending:
                raise
            pool.shutdown()
            pool = self._pool()
            return configuration.record_failure(DIED)
        finally:
            self.idle.put(pool)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        if kind is not None:
            self.ending = True
            self.alive.close()
        self.threads.shutdown(cancel_futures=True)
        while not self.idle.empty():
            self.idle.get().shutdown()
        self.alive.close()
        self.heard.close()


def _ready(heard: Connection) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent ends its workers itself
    threading.Thread(target=_end_with_parent, args=(heard,), daemon=True).start()


def _end_with_parent(heard: Connection) -> None:
    """End when the other side of the pipe is closed, as it is when the parent was killed."""
    heard.poll(None)
    os._exit(1)


def _run(configuration: Configuration) -> Records:
    return configuration.run()
