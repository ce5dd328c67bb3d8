"""A chat-completions server for tests that can be nasty. It runs in a thread and notes all that it was asked."""

from __future__ import annotations

import asyncio
import json
import threading
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Self

from aiohttp import web


@dataclass
class Say:
    """What the server does with a request.

    Attributes:
        body: JSON or bytes; None for a completion whose text is the prompt in capitals.
        status: HTTP status.
        headers: Further headers.
        delay_s: Seconds before it.
        cut: Where the connection breaks: ``before`` any byte, or in the ``middle`` of the body.
        repeat_s: Seconds between the bodies of a reply that never ends; None for one that does.
    """

    body: dict[str, Any] | bytes | None = None
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    delay_s: float = 0.0
    cut: str = ""
    repeat_s: float | None = None


@dataclass
class Call:
    """A request that came: its prompt, how often the prompt had come before, JSON body, headers and time."""

    prompt: str
    before: int
    body: dict[str, Any]
    headers: dict[str, str]
    at: float


def completion(text: object, **changes: Any) -> dict[str, Any]:
    """Return the JSON of a chat completion. Token counts are characters."""
    count = len(text) if isinstance(text, str) else 0
    message = {"role": "assistant", "content": text}
    return {
        "model": "tiny",
        "choices": [{"index": 0, "message": message, "finish_reason": "stop"}],
        "usage": {"prompt_tokens": count, "completion_tokens": count + 1},
        **changes,
    }


class ChatServer:
    """A context manager around the server's thread.

    Args:
        react: From a call to what is done; None answers every prompt.
        port: To listen on; 0 for a free one.

    Attributes:
        url: Base URL, with ``/v1``.
        calls: All that came, in order.
        now, most: Requests at this moment, and the most there ever were.
        address: Path that is served.
    """

    def __init__(self, react: Callable[[Call], Say] | None = None, port: int = 0) -> None:
        self.react = react or (lambda call: Say())
        self.calls: list[Call] = []
        self.tries: Counter[str] = Counter()
        self.now = self.most = 0
        self.port = port
        self._up = threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._serve()), daemon=True)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/v1"

    def __enter__(self) -> Self:
        self._thread.start()
        assert self._up.wait(10)
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def stop(self) -> None:
        """Stop listening and break all connections."""
        if self._thread.is_alive():
            self._loop.call_soon_threadsafe(self._end.set)
            self._thread.join()

    async def _serve(self) -> None:
        self._loop, self._end = asyncio.get_running_loop(), asyncio.Event()
        app = web.Application()
        app.router.add_post("/v1/chat/completions", self._handle)
        runner = web.AppRunner(app, shutdown_timeout=0.0, access_log=None, handler_cancellation=True)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", self.port).start()
        self.port = runner.addresses[0][1]
        self._up.set()
        await self._end.wait()
        await runner.cleanup()

    async def _handle(self, request: web.Request) -> web.StreamResponse:
        body = json.loads(await request.read())
        prompt = body["messages"][-1]["content"]
        call = Call(prompt, self.tries[prompt], body, dict(request.headers), time.monotonic())
        self.calls.append(call)
        self.tries[prompt] += 1
        self.now += 1
        self.most = max(self.most, self.now)
        try:
            say = self.react(call)
            await asyncio.sleep(say.delay_s)
        finally:
            self.now -= 1
        return await self._say(request, prompt, say)

    async def _say(self, request: web.Request, prompt: str, say: Say) -> web.StreamResponse:
        body = completion(prompt.upper()) if say.body is None else say.body
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        assert request.transport is not None
        if say.cut == "before":
            request.transport.abort()
        if say.repeat_s is not None:
            return await self._repeat(request, say, data)
        if not say.cut:
            return web.Response(body=data, status=say.status, headers=say.headers)
        reply = web.StreamResponse(status=say.status, headers={"Content-Length": str(len(data))})
        await reply.prepare(request)
        await reply.write(data[: len(data) // 2])
        request.transport.close()
        return reply

    async def _repeat(self, request: web.Request, say: Say, data: bytes) -> web.StreamResponse:
        reply = web.StreamResponse(status=say.status, headers=say.headers)
        await reply.prepare(request)
        while True:  # until the client leaves
            await reply.write(data)
            await asyncio.sleep(say.repeat_s or 0.0)
