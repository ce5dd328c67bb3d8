"""What a hostile server can do: the parts that `hostile_kinds` puts together."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

MIB = 1 << 20
MOST_BYTES = 256 * MIB
"""Of one connection: an endless reply ends here by itself."""
MOST_S = 15.0
"""Of one connection."""
ANSI = "\x1b[31mred\x1b[0m \x1b]0;title\x07 \b\b\x00 \u202e \x9b2J \r\n two"


@dataclass
class Peer:
    """A client that has asked.

    Attributes:
        writer: To the client.
        key: That it sent.
        question: Number of the question that it asks.
        trap: Port of another server, where no client may come.
    """

    writer: asyncio.StreamWriter
    key: str
    question: int
    trap: int

    async def send(self, *parts: bytes, wait_s: float = 0.0) -> None:
        """Send parts, with a wait behind each."""
        for part in parts:
            self.writer.write(part)
            await self.writer.drain()
            if wait_s:
                await asyncio.sleep(wait_s)

    async def repeat(self, part: bytes, wait_s: float = 0.0) -> None:
        """Send a part again and again, until the client leaves or so much is sent as one connection may get."""
        for _ in range(MOST_BYTES // len(part)):
            await self.send(part, wait_s=wait_s)


Play = Callable[[Peer], Awaitable[None]]


@dataclass(frozen=True)
class Kind:
    """What a server does with each request.

    Attributes:
        play: Does it. The connection is closed behind it.
        timeout_s: That the client has for a try.
        questions: That the client asks.
    """

    play: Play
    timeout_s: float = 1.0
    questions: int = 3


def completion(text: Any = "WORD", **changes: Any) -> dict[str, Any]:
    """Return a chat completion."""
    choice = {"index": 0, "message": {"role": "assistant", "content": text}, "finish_reason": "stop"}
    usage = {"prompt_tokens": 5, "completion_tokens": 2, "total_tokens": 7}
    return {"id": "x", "object": "chat.completion", "model": "m", "choices": [choice], "usage": usage} | changes


def head(
    status: str = "200 OK", *lines: str | bytes, length: int | None = None, kind: str = "application/json"
) -> bytes:
    """Return the head of a reply that closes its connection."""
    told = [f"HTTP/1.1 {status}", f"Content-Type: {kind}", "Connection: close", *lines]
    told += [] if length is None else [f"Content-Length: {length}"]
    return b"".join((line if isinstance(line, bytes) else line.encode("latin-1")) + b"\r\n" for line in told) + b"\r\n"


def reply(body: Any, status: str = "200 OK", *lines: str | bytes, kind: str = "application/json") -> bytes:
    """Return a whole reply; a body that is no bytes goes as JSON."""
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    return head(status, *lines, length=len(data), kind=kind) + data


def says(*parts: bytes, wait_s: float = 0.0) -> Play:
    """Return what sends so many bytes."""

    async def play(peer: Peer) -> None:
        await peer.send(*parts, wait_s=wait_s)

    return play


def echoes(answer: Callable[[str], bytes]) -> Play:
    """Return what sends bytes that hold the key."""

    async def play(peer: Peer) -> None:
        await peer.send(answer(peer.key))

    return play


def makes(make: Callable[[], bytes]) -> Play:
    """Return what sends bytes that are large, and are made for each request alone."""

    async def play(peer: Peer) -> None:
        await peer.send(make())

    return play


def endless(first: bytes, part: bytes, wait_s: float = 0.0) -> Play:
    """Return what sends a part for ever."""

    async def play(peer: Peer) -> None:
        await peer.send(first)
        await peer.repeat(part, wait_s)

    return play


async def silent(peer: Peer) -> None:
    """Say nothing, and keep the connection."""
    await asyncio.sleep(MOST_S)


async def reset(peer: Peer) -> None:
    """Break the connection at once, with a reset."""
    peer.writer.transport.abort()


def resets_after(data: bytes) -> Play:
    """Return what sends something and then resets the connection."""

    async def play(peer: Peer) -> None:
        await peer.send(data, wait_s=0.05)
        peer.writer.transport.abort()

    return play


def holds_after(data: bytes) -> Play:
    """Return what sends something and then nothing more, while the connection stays."""

    async def play(peer: Peer) -> None:
        await peer.send(data)
        await asyncio.sleep(MOST_S)

    return play


def redirects(status: str, to: Callable[[Peer], str]) -> Play:
    """Return what sends the client elsewhere."""

    async def play(peer: Peer) -> None:
        await peer.send(reply(b"moved", status, f"Location: {to(peer)}"))

    return play


def event(data: Any) -> bytes:
    """Return an event of a stream."""
    return b"data: " + (data if isinstance(data, bytes) else json.dumps(data).encode()) + b"\n\n"


def delta(text: Any, **changes: Any) -> bytes:
    """Return the event of a piece of text."""
    return event({"choices": [{"index": 0, "delta": {"content": text}, **changes}]})


def stream(*events: bytes) -> bytes:
    """Return a stream that ends with its connection."""
    return head(kind="text/event-stream") + b"".join(events)


def bomb(size: int, wrap: Callable[[bytes], bytes]) -> bytes:
    """Return a completion of a gigantic text, compressed."""
    return wrap(json.dumps(completion("0" * size)).encode())


def chunked(*chunks: bytes) -> bytes:
    """Return a reply whose body is these raw bytes of the chunked coding."""
    return head("200 OK", "Transfer-Encoding: chunked") + b"".join(chunks)


def by_question(answers: list[bytes]) -> Play:
    """Return what answers each question in a way of its own; the first should be good, so that the rest are asked too."""

    async def play(peer: Peer) -> None:
        await peer.send(answers[peer.question])

    return play


def answered(body: dict[str, Any]) -> bytes:
    """Return the reply of a completion, or of a stream whose first event is what stands under ``stream``."""
    return stream(event(body["stream"]), delta("W"), event(b"[DONE]")) if "stream" in body else reply(body)
