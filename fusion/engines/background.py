"""An event loop in a thread of its own, for callers that are not asynchronous."""

from __future__ import annotations

import asyncio
import threading
from collections import deque
from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from queue import SimpleQueue
from typing import Generic, Self, TypeVar

Q = TypeVar("Q")
A = TypeVar("A")

LEAVE_S = 5.0
"""Seconds to wait for the thread; only the system's name resolver, which cannot be cancelled, can take longer."""


class Background(Generic[Q, A]):
    """Answers questions in the background, each as a task of one event loop. A context manager: the thread lives within.

    A switch between threads costs as much as a request on a busy machine. So a side that has been woken and has not
    looked yet is not woken again.

    Args:
        open_client: Makes, inside the loop, what answers: an asynchronous function from question to answer.
    """

    def __init__(self, open_client: Callable[[], AbstractAsyncContextManager[Callable[[Q], Awaitable[A]]]]) -> None:
        self._open_client = open_client
        self._questions: deque[Q] = deque()
        self._woken = False
        self._results: deque[A | BaseException] = deque()
        self._bell: SimpleQueue[None] = SimpleQueue()
        self._rung = False
        self._tasks: set[asyncio.Task[None]] = set()
        self._started = threading.Event()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread = threading.Thread(target=self._run, name="engine", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        self._started.wait()
        if self._loop is None:
            self.take()  # raises what went wrong while the client was opened
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def ask(self, question: Q) -> None:
        """Start to answer a question.

        Raises:
            RuntimeError: If it is closed.
        """
        assert self._loop is not None
        self._questions.append(question)
        if not self._woken:
            self._woken = True
            self._loop.call_soon_threadsafe(self._start)

    @property
    def ready(self) -> int:
        """How many results wait for `take`."""
        return len(self._results)

    def take(self) -> A:
        """Wait for the next answer.

        Raises:
            Exception: What the client raised for a question, or while it was opened.
            RuntimeError: If it was closed meanwhile.
        """
        while not self._results:
            self._bell.get()
            self._rung = False  # before the next look, so that no result is left behind
        result = self._results.popleft()
        if isinstance(result, BaseException):
            raise result
        return result

    def close(self) -> None:
        """Cancel what is under way, close the client and end the thread."""
        if self._loop is not None and self._thread.is_alive():
            try:
                self._loop.call_soon_threadsafe(self._stop.set)
            except RuntimeError:  # it ended by itself just now
                return
            self._thread.join(LEAVE_S)

    def _run(self) -> None:
        try:
            asyncio.run(self._serve())
        except BaseException as error:
            self._results.append(error)
        else:
            self._results.append(RuntimeError("the engine was closed"))
        self._bell.put(None)
        self._started.set()

    async def _serve(self) -> None:
        self._stop = asyncio.Event()
        async with self._open_client() as self._client:
            self._loop = asyncio.get_running_loop()
            self._started.set()
            await self._stop.wait()
            for task in self._tasks:
                task.cancel()
            await asyncio.gather(*self._tasks, return_exceptions=True)

    def _start(self) -> None:
        self._woken = False  # before the deque is emptied, so that no question is left behind
        while self._questions and not self._stop.is_set():
            task = asyncio.ensure_future(self._answer(self._questions.popleft()))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _answer(self, question: Q) -> None:
        try:
            self._results.append(await self._client(question))
        except Exception as error:
            self._results.append(error)
        if not self._rung:
            self._rung = True
            self._bell.put(None)
