"""Client of a server of the OpenAI chat-completions API, which asks again where that may help."""

from __future__ import annotations

import asyncio
import json
import re
import time
from asyncio import sleep
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from itertools import count
from typing import Any

import aiohttp
import yarl

from fusion.engines.api_errors import Kind, Trouble
from fusion.engines.api_hope import Hope
from fusion.engines.api_options import ServerOptions
from fusion.engines.api_reply import read_reply
from fusion.engines.api_retry import Pace, backoff
from fusion.engines.background import Answering
from fusion.engines.base import Answer, Completion, Failure, Request, Waste
from fusion.text import encodable
from graphrouter.errors import printable

CONNECT_S = 10.0
"""Most seconds to make a connection."""
IDLE_S = 4.0
"""Seconds that an unused connection is kept; uvicorn, which most local servers run on, closes it after 5."""
PROBES = 4
PROBE_S = 1.0
"""Until there is an answer, so few requests are under way at once, but no longer than a second: what a server does not
take it says at once, and then the rest is not asked in vain."""
TOKEN_BYTES = 1024
"""Room for a token in a reply: it takes 5 bytes as text, 300 as a chunk of a stream, and 1,000 with alternatives."""
NO_ROOM = "not asked again: its earlier tries may have cost, and the budget has no room for a further one"
REASON_CHARS = 400
REAL_KEY_CHARS = 20
"""A key shorter than this is a placeholder for a local server, such as EMPTY; a response may well hold that word."""


@asynccontextmanager
async def open_client(settings: ServerOptions, key: str) -> AsyncIterator[Answering[Request, Answer]]:
    """Open the connections of a run, and close them afterwards.

    Args:
        settings: Options of the server.
        key: Secret that goes into the header; empty for none.

    Yields:
        An asynchronous function from request to answer.
    """
    connector = aiohttp.TCPConnector(limit=settings.concurrency, keepalive_timeout=IDLE_S, ttl_dns_cache=300)
    timeout = aiohttp.ClientTimeout(total=settings.timeout_s, sock_connect=CONNECT_S)
    headers = {"Content-Type": "application/json", **({"Authorization": f"Bearer {key}"} if key else {})}
    async with aiohttp.ClientSession(
        connector=connector,
        timeout=timeout,
        headers=headers,
        cookie_jar=aiohttp.DummyCookieJar(),
        trust_env=settings.proxy_from_env,
    ) as session:
        yield Client(settings, key, session).answer


class Client:
    """Run against one server; lives in one event loop.

    Args:
        settings: Options of the server.
        key: Secret, which is cut out of all that leaves, in the escapes of JSON, URLs and HTML too; empty for none.
        session: Open connections.
    """

    def __init__(self, settings: ServerOptions, key: str, session: aiohttp.ClientSession) -> None:
        self._settings = settings
        self._key, self._key_chars = find_key(key), len(key)
        self._session = session
        self._url = yarl.URL(settings.url)
        self._pace = Pace(settings.requests_per_minute, settings.backoff_s)
        self._hope = Hope(settings)
        self._probes: asyncio.Semaphore | None = None
        self._opened = False

    async def answer(self, request: Request) -> Answer:
        """Return the completion, or the failure after all tries.

        Raises:
            UserError: If no request has been answered yet, and none ever can be.
        """
        begin = time.monotonic()
        try:
            async with self._probing():
                completion = await self._try(request)
        except Trouble as trouble:
            self._hope.failed(trouble)
            return Failure(request.key, trouble.reason, time.monotonic() - begin, trouble.waste)
        self._hope.answered()
        self._open_up()
        return completion

    def _probing(self) -> asyncio.Semaphore:
        """Return the semaphore that holds requests up until there is an answer, or a second has gone."""
        if self._probes is None:
            self._probes = asyncio.Semaphore(PROBES)
            asyncio.get_running_loop().call_later(PROBE_S, self._open_up)
        return self._probes

    def _open_up(self) -> None:
        """Let all requests through from now on."""
        if self._probes and not self._opened:
            self._opened = True
            for _ in range(self._settings.concurrency):
                self._probes.release()

    async def _try(self, request: Request) -> Completion:
        settings = self._settings
        waste = Waste()
        for tries in count(1):
            await self._pace.turn()
            self._hope.check(waste)
            if settings.before_try and not settings.before_try(request, waste):
                raise Trouble(NO_ROOM, Kind.REQUEST, waste=waste, of_prompt=True)
            came = await self._ask(request)
            if isinstance(came, Completion):
                return replace(came, waste=waste) if waste else came
            self._hope.check_start(came, tries)
            waste += came.waste
            came.waste = waste
            if came.kind is not Kind.AGAIN:
                raise came
            if tries > settings.max_retries or self._hope.gone:
                came.reason = f"after {tries} tries: {came.reason}" if tries > 1 else came.reason
                raise came
            await sleep(self._wait(came, tries))
        raise AssertionError

    def _wait(self, trouble: Trouble, tries: int) -> float:
        """Return the seconds to wait before the next try; what the server asks for holds all requests up, this one too."""
        settings = self._settings
        if trouble.retry_after is None:
            return backoff(tries, settings.backoff_s, settings.backoff_cap_s)
        self._pace.close_for(min(trouble.retry_after, settings.retry_after_cap_s))
        return 0.0

    async def _ask(self, request: Request) -> Completion | Trouble:
        """Ask once. Trouble is returned and not raised: a traceback would hold the body, what was parsed, and headers."""
        data = json.dumps(request_body(self._settings, request)).encode()
        begin = time.monotonic()
        try:
            async with self._session.post(self._url, data=data, allow_redirects=False) as reply:
                self._hope.reached = True
                body = await self._read(reply, request)
            latency_s = time.monotonic() - begin
            completion = read_reply(request, self._settings, reply.status, reply.headers, body, latency_s)
            return self._without_key(completion)
        except Trouble as error:
            trouble = replace(error)  # without the traceback
        except aiohttp.ServerTimeoutError as error:  # of the connection
            trouble = Trouble(f"no connection: {error}", unreachable=True)
        except TimeoutError:
            trouble = Trouble(f"no answer within {self._settings.timeout_s:g} s", waste=Waste(unknown=1))
        except (aiohttp.ClientError, OSError, ValueError) as error:
            unreachable = isinstance(error, aiohttp.ClientConnectorError)
            text = f"the connection broke: {str(error) or type(error).__name__}"
            trouble = Trouble(text, unreachable=unreachable, waste=Waste(unknown=int(not unreachable)))
        trouble.reason = self._line(trouble.reason) + (f"; {trouble.remedy}" if trouble.remedy else "")
        return trouble

    async def _read(self, reply: aiohttp.ClientResponse, request: Request) -> bytes:
        """Read a body up to the longest that an answer can be. Leaving before its end closes the connection.

        Raises:
            Trouble: If it is longer.
        """
        most = (self._settings.reply_mib << 20) + TOKEN_BYTES * request.sampling.max_tokens
        parts: list[bytes] = []
        size = reply.content_length or 0
        if size <= most:
            size = 0
            async for part in reply.content.iter_any():
                parts.append(part)
                size += len(part)
                if size > most:
                    break
        if size > most:
            text = f"the reply is longer than {most >> 20} MiB; where that is right, raise reply_mib"
            raise Trouble(text, Kind.ODD, reply.status, waste=Waste(unknown=1))
        return b"".join(parts)

    def _without_key(self, completion: Completion) -> Completion:
        """Cut the key out of a response, should a server echo it."""
        if self._key is None or self._key_chars < REAL_KEY_CHARS:
            return completion
        return replace(
            completion,
            text=self._redact(completion.text),
            finish_reason=self._redact(completion.finish_reason),
            reasoning=self._redact(completion.reasoning or "") or None,
            model=self._redact(completion.model or "") or None,
        )

    def _redact(self, text: str) -> str:
        return self._key.sub("[key]", text) if self._key else text

    def _line(self, reason: str) -> str:
        """Return a reason as one line without the key. The key goes first, so that no part of it is left by the cut."""
        line = printable(" ".join(self._redact(encodable(reason)).split()))
        return line if len(line) <= REASON_CHARS else f"{line[:REASON_CHARS]}…"


def find_key(key: str) -> re.Pattern[str] | None:
    """Return a pattern of a key, each character as it is or escaped as in JSON, URLs or HTML; None without a key."""

    def forms(one: str) -> str:
        code = ord(one)
        return rf"(?:\\?{re.escape(one)}|(?i:\\u{code:04x}|%{code:02x}|&\#0*{code};|&\#x0*{code:x};))"

    return re.compile("".join(map(forms, key))) if key else None


def request_body(settings: ServerOptions, request: Request) -> dict[str, Any]:
    """Return the JSON body of a request: only the sampling fields that the server takes, then the extra ones."""
    sampling = request.sampling
    fields: dict[str, Any] = {
        "max_tokens": sampling.max_tokens,
        "temperature": sampling.temperature,
        "top_p": sampling.top_p,
        "stop": list(sampling.stop),
        "seed": sampling.seed,
    }
    names = {"max_tokens": settings.token_field}
    sent = {names.get(name, name): fields[name] for name in settings.send if fields[name] != []}
    return {"model": settings.model, "messages": list(request.messages), **sent, **settings.extra}
