"""Streams of servers that were not asked to stream: their chunks, joined."""

from __future__ import annotations

import io
from collections.abc import Iterator, Mapping
from itertools import chain
from typing import Any

from fusion.engines.clean import parse_json

DONE = "[DONE]"
TEXTS = ("reasoning_content", "reasoning", "refusal")


class BrokenStream(ValueError):
    """Stream that ends before its answer does, or is no stream of chunks."""


def is_stream(headers: Mapping[str, str], body: bytes) -> bool:
    """Return whether a body is a stream of server-sent events, by its first line, or else by its header."""
    kind = headers.get("Content-Type", "").partition(";")[0].strip().lower()
    start = body.lstrip()[:6]
    return start.startswith((b"data:", b"event:", b":")) or (kind == "text/event-stream" and start[:1] not in b"{[")


def join_stream(body: bytes) -> dict[str, Any]:
    """Return the chat completion that a stream of chunks comes to: of several choices the first.

    Raises:
        BrokenStream: If it ends neither with ``[DONE]`` nor with a reason for its end, or a chunk is no JSON.
    """
    joined: dict[str, Any] = {"choices": []}
    message: dict[str, Any] = {}
    parts: dict[str, list[str]] = {}
    contents: list[Any] = []
    reason = None
    ended = False
    for chunk in _events(body):
        if chunk == DONE:
            ended = True
            break
        joined |= {name: chunk[name] for name in ("model", "usage", "error") if chunk.get(name)}
        for choice in chunk.get("choices") or []:
            if choice.get("index", 0) not in (0, None):
                continue
            joined["choices"] = [{"index": 0, "message": message}]
            reason = choice.get("finish_reason") or reason
            delta = choice.get("delta") or choice.get("message") or {}
            for name in TEXTS:
                if isinstance(delta.get(name), str):
                    parts.setdefault(name, []).append(delta[name])
            content = delta.get("content", choice.get("text"))
            contents += content if isinstance(content, list) else [content] if content is not None else []
    if not (ended or reason or joined.get("error")):
        raise BrokenStream("it ends without a reason")
    if joined.get("error"):
        joined["choices"] = []  # what came before the error is no answer
    message |= {name: "".join(texts) for name, texts in parts.items()}
    message["content"] = contents
    for choice in joined["choices"]:
        choice["finish_reason"] = reason
    return joined


def _events(body: bytes) -> Iterator[Any]:
    """Read the events of a stream: JSON objects, and `DONE`.

    Source: 'Server-sent events' of the HTML standard. A line ends with CR, LF or both; one that begins with a colon is
    a comment, by which servers keep a connection alive; an event may have several lines. Servers that leave out the
    blank line between events are read too.

    Raises:
        BrokenStream: If an event is neither.
    """
    lines: list[str] = []
    text = io.TextIOWrapper(io.BytesIO(body), "utf-8", "replace", newline=None)  # line by line: there may be millions
    for line in chain((line.removesuffix("\n") for line in text), [""]):
        name, _, data = line.partition(":")
        if name.strip() != "data":
            if not line and lines:
                yield _chunk("\n".join(lines))
                lines = []
            continue
        if data.strip() == DONE:
            yield DONE
            return
        if lines or not _whole(data):
            lines.append(data)  # of several lines, up to a blank one
        elif data.strip():
            yield _chunk(data)


def _whole(data: str) -> bool:
    """Return whether a line looks like a whole event. Parsing each beginning of a long event would take for ever."""
    data = data.strip()
    return not data or (data[0] == "{" and data[-1] == "}")


def _chunk(text: str) -> Any:
    try:
        chunk = parse_json(text)
    except ValueError:
        chunk = None
    if not isinstance(chunk, dict):
        raise BrokenStream("a chunk is no JSON object")
    return chunk
