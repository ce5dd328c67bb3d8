"""Event loop in a thread of its own, for callers that are not asynchronous."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Coroutine
from concurrent.futures import Future
from contextlib import AbstractAsyncContextManager, suppress
from queue import SimpleQueue
from typing import Any, Generic, Self, TypeVar

Q = TypeVar("Q")
A = TypeVar("A")
Answering = Callable[[Q], Coroutine[Any, Any, A]]

LEAVE_S = 5.0
"""Seconds to wait for the thread; only the system's name resolver, which cannot be cancelled, can take longer."""


class Background(Generic[Q, A]):
    """Answers questions in the background, each as a task of one event loop. A context manager: the thread lives within.

    Args:
        open_client: Makes, inside the loop, what answers: an asynchronous function from question to answer.
    """

    def __init__(self, open_client: Callable[[], AbstractAsyncContextManager[Answering[Q, A]]]) -> None:
        self._open_client = open_client
        self._loop = asyncio.new_event_loop()
        self._stop = asyncio.Event()
        self._answer: Future[Answering[Q, A]] = Future()
        self._done: SimpleQueue[Future[A] | None] = SimpleQueue()
        self._thread = threading.Thread(target=self._run, name="engine", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        self._answer.result()  # raises what went wrong while the client was opened
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def ask(self, question: Q) -> None:
        """Start to answer a question.

        Raises:
            RuntimeError: If it is closed.
        """
        answer = self._answer.result()(question)
        try:
            asyncio.run_coroutine_threadsafe(answer, self._loop).add_done_callback(self._done.put)
        except RuntimeError:
            answer.close()
            raise

    @property
    def ready(self) -> int:
        """Results that wait for `take`."""
        return self._done.qsize()

    def take(self) -> A:
        """Wait for the next answer.

        Raises:
            Exception: The client's error for a question.
            RuntimeError: If it was closed meanwhile.
        """
        future = self._done.get()
        if future is None or future.cancelled():
            raise RuntimeError("the engine was closed")
        return future.result()

    def close(self) -> None:
        """Cancel what is under way, close the client and end the thread."""
        with suppress(RuntimeError):  # it has ended by itself
            self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join(LEAVE_S)

    def _run(self) -> None:
        with asyncio.Runner(loop_factory=lambda: self._loop) as runner:
            runner.run(self._serve())
        self._done.put(None)

    async def _serve(self) -> None:
        try:
            async with self._open_client() as answer:
                self._answer.set_result(answer)
                await self._stop.wait()
                tasks = asyncio.all_tasks() - {asyncio.current_task()}
                for task in tasks:
                    task.cancel()
                await asyncio.gather(*tasks, return_exceptions=True)
        except Exception as error:
            if self._answer.done():
                raise
            self._answer.set_exception(error)
