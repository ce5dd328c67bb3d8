"""Messages and replies of chat APIs, as logs hold them: the text of a reply, also of a streamed one, and a query of turns."""

from __future__ import annotations

import json
from typing import Any

from graphrouter.formats.rows import BadRow

TEXT_KEYS = ("content", "text", "output_text", "message", "output", "parts")
"""Where the text stands in the objects of chat APIs."""
LISTS = ("choices", "candidates")
"""Where the replies of one request stand; the first is taken."""
OTHER_TURNS = "\n\n[other turns]\n"
SYSTEM = ("system", "developer")
SSE = "data:"

Turns = list[tuple[str, str]]


def text_of(value: Any) -> str | None:
    """Return the text of a message's content, a chat completion or a list of these; None where it has none.

    Args:
        value: Text, a list of texts or content parts (joined by line breaks; parts without text, such as images, are
            left out), or an object of a chat API, whose chunks are joined if it was streamed. Other objects come back
            as JSON.
    """
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, list):
        if _is_stream(value):
            return _streamed(value)
        found = [text_of(part) for part in value if not _is_media(part)]
        return "\n".join(part for part in found if part) or None
    if isinstance(value, dict):
        replies = next((value[key] for key in LISTS if isinstance(value.get(key), list)), None)
        if replies is not None:
            return _streamed(replies) if _is_stream(replies) else text_of(replies[0]) if replies else None
        for key in TEXT_KEYS:
            if key in value:
                return text_of(value[key])
    return json.dumps(value, ensure_ascii=False)


def whole_reply(value: Any) -> Any:
    """Return a reply that was logged as a stream, chunk by chunk or as the server sent it, as one; others as they are.

    Args:
        value: Text (``data: {...}`` per line), a list of chunks, or anything else.

    Returns:
        Of a stream, an object with ``content``, and ``model`` and ``usage`` where a chunk has them.
    """
    if isinstance(value, str) and value.lstrip().startswith((SSE, "event:")):
        value = _sent(value) or value
    if not isinstance(value, list) or not _is_stream(value):
        return value
    reply: dict[str, Any] = {"content": _streamed(value)}
    for chunk in value:
        inside = chunk.get("message") or chunk.get("response")
        for part in (chunk, inside if isinstance(inside, dict) else {}):
            reply |= {key: part[key] for key in ("model", "usage", "error") if part.get(key)}
    return reply


def _sent(text: str) -> list[Any]:
    """Return the objects of server-sent events; empty where they are none."""
    try:
        lines = (line.partition(SSE)[2].strip() for line in text.splitlines() if line.startswith(SSE))
        return [json.loads(line) for line in lines if line and line != "[DONE]"]
    except (ValueError, RecursionError):
        return []


def _is_stream(parts: list[Any]) -> bool:
    """Whether objects are chunks of a stream: those of a choice, whole ones, or events."""
    return any(_piece(part) is not None for part in parts)


def _piece(chunk: Any) -> str | None:
    """Return the text that a chunk adds; None where it is no chunk."""
    if not isinstance(chunk, dict):
        return None
    choices = chunk.get("choices")
    if isinstance(choices, list):
        first = [choice for choice in choices if isinstance(choice, dict) and not choice.get("index")]
        pieces = [piece for choice in first if (piece := _piece(choice)) is not None]
        return "".join(pieces) if pieces else None
    delta = chunk.get("delta")
    if isinstance(delta, str):
        return delta if str(chunk.get("type")).endswith("output_text.delta") else ""
    if not isinstance(delta, dict):
        return None
    return str(delta.get("content") or delta.get("text") or "")


def _streamed(chunks: list[Any]) -> str | None:
    first = next((chunk.get("index") for chunk in chunks if isinstance(chunk, dict) and "delta" in chunk), None)
    events = any(
        isinstance(chunk, dict) and "type" in chunk for chunk in chunks
    )  # their index counts parts, not replies
    mine = (chunk for chunk in chunks if events or not isinstance(chunk, dict) or chunk.get("index") == first)
    return "".join(_piece(chunk) or "" for chunk in mine) or None


def _is_media(part: Any) -> bool:
    return isinstance(part, dict) and "type" in part and not any(key in part for key in TEXT_KEYS)


def turns_of(messages: Any) -> Turns:
    """Return role and text of each message that has a text.

    Raises:
        BadRow: If there are no messages, or none of a user. It shows nothing of them.
    """
    if not isinstance(messages, list) or not messages:
        raise BadRow(f"messages must be a list of messages, but are {kind(messages)}")
    turns = []
    for message in messages:
        if not isinstance(message, dict) or not isinstance(message.get("role"), str):
            raise BadRow(f"each message must be an object with role and content, but one is {kind(message)}")
        text = text_of(message.get("content")) or ""
        if text.strip():
            turns.append((message["role"], text))
    if not any(role == "user" for role, _ in turns):
        raise BadRow("messages must have one of the user with a text, but have none")
    return turns


def parsed(text: str) -> Any:
    """Return the messages in JSON text, or the text as the only message."""
    if text.lstrip().startswith("[") and '"role"' in text:
        try:
            return json.loads(text)
        except (ValueError, RecursionError):
            pass
    return [{"role": "user", "content": text}]


def query_of(turns: Turns) -> str:
    """Return the last message of the user; the other turns but those of the system follow below a line."""
    last = max(at for at, (role, _) in enumerate(turns) if role == "user")
    others = [f"{role}: {text}" for at, (role, text) in enumerate(turns) if at != last and role not in SYSTEM]
    return turns[last][1] + (OTHER_TURNS + "\n".join(others) if others else "")


def kind(value: Any) -> str:
    """Return the type of a value, never its content."""
    return "absent" if value is None else type(value).__name__
