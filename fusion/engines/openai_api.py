"""Any server of the OpenAI chat-completions API: a provider, a gateway, or vLLM, llama.cpp, Ollama on this machine."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import ClassVar

from fusion.engines.api_options import ServerOptions
from fusion.engines.background import Background
from fusion.engines.base import Answer, Request

PATIENCE_S = 0.01
"""Seconds that requests may be drawn while an answer waits for the caller."""


@dataclass(eq=False)
class OpenAIEngine(ServerOptions):
    """Asks a server of the OpenAI chat-completions API, with many requests under way at once.

    Tried again, with exponential backoff and full jitter: statuses 408, 409, 425, 429 and from 500, time-outs, broken
    connections, and replies that are broken off. ``Retry-After`` holds for all requests. Any other status fails its
    request at once, and so does a whole reply that is no chat completion: another one would cost as much. A refused key
    or account, an unknown model, a wrong address and the same refusal of the first five requests are a `UserError` as
    long as nothing has been answered, and failures later. After `give_up_after` failures in a row the rest are not asked.

    What a try may have cost that gave no answer is counted (`Waste`): the tokens that its reply states; else it is a try
    of unknown cost if it was sent and timed out, broke off, got status 200 or a gateway's 408, 502, 504, 520 or 524. Other
    errors are taken to cost nothing.

    The key is read from the environment when a run starts, goes into the Authorization header only, and is cut out of
    every reason and response. A completion's ``latency_s`` is that of the try that was answered, without the waits.
    """

    concurrent: ClassVar[bool] = True
    answers_depend_on: ClassVar[tuple[str, ...]] = ("extra", "send")

    def __post_init__(self) -> None:
        """Check the settings; see `ServerOptions`."""
        super().__post_init__()
        self._runs: set[Background[Request, Answer]] = set()

    def generate(self, requests: Iterable[Request]) -> Iterator[Answer]:
        """Answer requests; see `Engine.generate`. Requests are drawn in the caller's thread.

        Raises:
            UserError: If the key is not set, or before any answer: no server, a refused key or an unknown model.
        """
        from fusion.engines.api_client import open_client

        key = self.key()
        with Background(lambda: open_client(self, key)) as run:
            self._runs.add(run)
            try:
                yield from self._exchange(run, iter(requests))
            finally:
                self._runs.discard(run)

    def close(self) -> None:
        """Cancel what is under way."""
        for run in list(self._runs):
            run.close()

    def _exchange(self, run: Background[Request, Answer], source: Iterator[Request]) -> Iterator[Answer]:
        """Keep the server busy, and hand out answers: neither a slow caller nor a slow source holds up the other much."""
        pending, more = 0, True  # pending: drawn and not handed out yet
        while True:
            begin = time.monotonic()
            while more and run.ready < self.concurrency and pending - run.ready < self.concurrency:
                if run.ready and time.monotonic() - begin > PATIENCE_S:
                    break
                try:
                    request = next(source)
                except StopIteration:
                    more = False
                    break
                run.ask(request)
                pending += 1
            if not pending:
                return
            answer = run.take()
            pending -= 1
            yield answer
