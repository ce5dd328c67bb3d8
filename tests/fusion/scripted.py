"""An engine whose answers follow from the prompt, for tests of what is around engines."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import ClassVar

from fusion.engines.base import Answer, Completion, Engine, Failure, Request
from graphrouter.errors import UserError

ASKED: list[tuple[str, str]] = []
"""(model, request key) of everything that was asked, in all runs of a test."""
ACTIVE: set[str] = set()
TOGETHER: list[int] = []


@dataclass
class Scripted(Engine):
    """Answers with the last word of the prompt; ``wrong`` models do not.

    Attributes:
        model: ``right``, ``wrong``, ``nobody`` (cannot be asked), or ``defect`` (raises what no engine should).
        fail: Prompts with this text fail.
        interrupt_after: Raises KeyboardInterrupt after so many answers.
        window: Requests that are drawn together.
        wait_s: Seconds for each answer.
        flavour: Changes what is answered, and so belongs to the digest.
    """

    model: str
    fail: str = ""
    interrupt_after: int = -1
    window: int = 1
    wait_s: float = 0.0
    flavour: str = ""
    answers_depend_on: ClassVar[tuple[str, ...]] = ("flavour",)

    def generate(self, requests: Iterable[Request]) -> Iterator[Answer]:
        if self.model == "nobody":
            raise UserError("the key must be right, but the server refused it")
        if self.model == "defect":
            raise RuntimeError("a defect")
        source = iter(requests)
        done = 0
        while window := [request for _, request in zip(range(self.window), source, strict=False)]:
            for request in window:
                ASKED.append((self.model, request.key))
            for request in window:
                if done == self.interrupt_after:
                    raise KeyboardInterrupt
                done += 1
                yield self._answer(request)

    def _answer(self, request: Request) -> Answer:
        ACTIVE.add(threading.current_thread().name)
        TOGETHER.append(len(ACTIVE))
        time.sleep(self.wait_s)
        ACTIVE.discard(threading.current_thread().name)
        prompt = request.messages[-1]["content"]
        if self.fail and self.fail in prompt:
            return Failure(request.key, "the context is too long")
        last = prompt.split()[-1]
        text = {"right": last, "wrong": "no", "judge": f"Score: {len(last) % 11}"}.get(self.model, last)
        return Completion(
            request.key, f"{text}{self.flavour}", len(prompt) // 4, 2 * len(request.messages), 0.5, model=self.model
        )


@dataclass
class ServedScripted(Scripted):
    """The same behind a server, so that several run side by side."""

    concurrent: ClassVar[bool] = True
