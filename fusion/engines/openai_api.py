"""Any server of the OpenAI chat-completions API: a provider, a gateway, or vLLM, llama.cpp, Ollama on this machine."""

from __future__ import annotations

import os
import time
from collections.abc import Iterable, Iterator
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar
from urllib.parse import urlsplit

from fusion.engines.background import Background
from fusion.engines.base import Answer, Engine, Request
from graphrouter.errors import UserError, suggest

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

SAMPLING = ("max_tokens", "temperature", "top_p", "stop", "seed")
OURS = ("model", "messages", "stream", "n")
PATIENCE_S = 0.01
"""Seconds that requests may be drawn while an answer waits for the caller."""


@dataclass(eq=False)
class OpenAIEngine(Engine):
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

    Attributes:
        model: As the server names it.
        base_url: Without ``/chat/completions``; mostly ends in ``/v1``.
        api_key_env: Environment variable that holds the key; None for a server that wants none.
        concurrency: Most requests under way at once.
        timeout_s: Most seconds for one try, connection included.
        max_retries: Further tries of a request.
        backoff_s: The first wait is drawn from 0 to so many seconds, each further one from twice as many.
        backoff_cap_s: Longest wait of that kind.
        retry_after_cap_s: Longest wait that a server may ask for; a longer one is cut to this.
        give_up_after: Requests that may fail in a row, after all their tries, before the rest are not asked.
        requests_per_minute: Most requests per minute, tries included, evenly spaced; 0 for no limit.
        send: Which of max_tokens, temperature, top_p, stop and seed are sent; some servers refuse some of them.
        token_field: The name under which max_tokens is sent; some models want ``max_completion_tokens``.
        extra: Further fields of the request body, such as ``{"reasoning_effort": "low"}``.
        reply_mib: Most MiB of a reply, beside 1 KiB for each token that was asked for; a longer one fails its request. The
            longest answers of today's models are below 1 MiB, and the memory must hold `concurrency` replies and, for a
            moment, what one of them is parsed to: up to 30 times its length, where it is lists of nothing.
        proxy_from_env: Whether to take a proxy from HTTP_PROXY, HTTPS_PROXY and NO_PROXY.
    """

    model: str
    base_url: str
    api_key_env: str | None = None
    concurrency: int = 16
    timeout_s: float = 300.0
    max_retries: int = 5
    backoff_s: float = 1.0
    backoff_cap_s: float = 60.0
    retry_after_cap_s: float = 120.0
    give_up_after: int = 50
    requests_per_minute: float = 0.0
    send: tuple[str, ...] = SAMPLING
    token_field: str = "max_tokens"
    extra: dict[str, Any] = field(default_factory=dict)
    reply_mib: int = 4
    proxy_from_env: bool = False

    concurrent: ClassVar[bool] = True
    answers_depend_on: ClassVar[tuple[str, ...]] = ("extra", "send")

    def __post_init__(self) -> None:
        """Check the settings.

        Raises:
            UserError: If one cannot be; an address is not repeated where it may hold a password.
        """
        self._runs: set[Background[Request, Answer]] = set()
        self._check_address()
        positive = ("concurrency", "timeout_s", "give_up_after", "backoff_s", "backoff_cap_s", "reply_mib")
        for name in (*positive, "max_retries", "retry_after_cap_s", "requests_per_minute"):
            if getattr(self, name) < 0 or (name in positive and not getattr(self, name)):
                least = "above 0" if name in positive else "0 or more"
                raise UserError(f"{name} of {self.model!r} must be {least}, but is {getattr(self, name)}")
        for name in self.send:
            if name not in SAMPLING:
                raise UserError(
                    f"send of {self.model!r} takes sampling fields, but holds {name!r}{suggest(name, SAMPLING)}"
                )
        for name in OURS:
            if name in self.extra:
                raise UserError(f"extra of {self.model!r} must not hold {name!r}, which the engine sets itself")

    def _check_address(self) -> None:
        try:
            parts = urlsplit(self.base_url)
            good = parts.scheme in ("http", "https") and parts.hostname and (parts.port or True)
        except ValueError:
            good = False
        if not good or parts.username is not None or parts.password is not None or parts.query or parts.fragment:
            raise UserError(
                f"base_url of {self.model!r} must be like https://HOST/v1, without user, password or query; "
                "a key goes into an environment variable, named by api_key_env"
            )

    @property
    def url(self) -> str:
        """Where requests go."""
        return f"{self.base_url.rstrip('/')}/chat/completions"

    def generate(self, requests: Iterable[Request]) -> Iterator[Answer]:
        """Answer requests; see `Engine.generate`. Requests are drawn in the caller's thread.

        Raises:
            UserError: If the key is not set, or before any answer: no server, a refused key or an unknown model.
        """
        key = self._key()
        with Background(lambda: self._open(key)) as run:
            self._runs.add(run)
            try:
                yield from self._exchange(run, iter(requests))
            finally:
                self._runs.discard(run)

    def close(self) -> None:
        """Cancel what is under way."""
        for run in list(self._runs):
            run.close()

    def _open(self, key: str) -> AbstractAsyncContextManager[Callable[[Request], Awaitable[Answer]]]:
        from fusion.engines.api_client import open_client

        return open_client(self, key)

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

    def _key(self) -> str:
        """Read the key from the environment.

        Raises:
            UserError: If it is not there, or cannot stand in a header; its value is not shown.
        """
        if not self.api_key_env:
            return ""
        key = os.environ.get(self.api_key_env, "").strip()
        if not key or not key.isascii() or not key.isprintable() or " " in key:
            state = "is no plain word" if key else "is not set"
            raise UserError(
                f"the environment variable {self.api_key_env} must hold the key of {self.model!r}, but {state}"
            )
        return key
