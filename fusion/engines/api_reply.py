"""What a server of the OpenAI chat-completions API said: an answer, or what kind of trouble."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Any

from fusion.engines.api_retry import read_retry_after
from fusion.engines.base import Completion, Request

AGAIN = frozenset({408, 409, 425, 429})
"""Statuses below 500 that may be another one next time."""
REFUSED = frozenset({401, 402, 403})
NO_SUCH_MODEL = re.compile(
    r"not exist|not found|no such|unknown|unsupported|not supported|not available|not a valid|invalid model", re.I
)


class Kind(Enum):
    """What a request that got no answer should do."""

    AGAIN = "ask again"
    REQUEST = "this request will never be answered"
    REFUSED = "no request will be answered"


@dataclass
class Trouble(Exception):
    """Why a request got no answer.

    Attributes:
        reason: May hold what the server sent, a key included, until `Client` cleans it.
        kind: What to do.
        status: HTTP status, or None where none came.
        retry_after: Seconds that the server asks to wait, or None.
        unreachable: Whether no connection could be made at all.
    """

    reason: str
    kind: Kind = Kind.AGAIN
    status: int | None = None
    retry_after: float | None = None
    unreachable: bool = False


def read_reply(
    request: Request, model: str, status: int, headers: Mapping[str, str], body: bytes, latency_s: float
) -> Completion:
    """Turn a whole HTTP reply into a completion.

    Source: the API reference of OpenAI's chat completions, and the fields ``reasoning_content`` (DeepSeek, vLLM) and
    ``reasoning`` (OpenRouter, vLLM), and parts of type ``thinking`` (Mistral).

    Args:
        request: That was asked.
        model: The name that was asked for.
        status: HTTP status.
        headers: Of the reply.
        body: Of the reply.
        latency_s: Seconds that it took.

    Raises:
        Trouble: If it holds no answer.
    """
    reply = _parse(body)
    error = reply.get("error") if isinstance(reply, dict) else None
    if status == 200 and error and not reply.get("choices"):
        code = error.get("code") if isinstance(error, dict) else None
        status = code if isinstance(code, int) and 400 <= code < 600 else 500  # as some gateways report an upstream
    if status != 200:
        raise _trouble(status, headers, reply, body, model)
    try:
        return _completion(request, reply, latency_s)
    except (KeyError, IndexError, TypeError, AttributeError):
        raise Trouble(f"the reply is no chat completion: {_text(body)}", status=status) from None


def _parse(body: bytes) -> Any:
    """Return the JSON of a body; None where it is none."""
    try:
        return json.loads(body)
    except (ValueError, RecursionError):
        return None


def _text(body: bytes) -> str:
    return body[:20_000].decode("utf-8", "replace") or "empty"


def _trouble(status: int, headers: Mapping[str, str], reply: Any, body: bytes, model: str) -> Trouble:
    error = reply.get("error", reply) if isinstance(reply, dict) else None
    message = error.get("message") if isinstance(error, dict) else error
    message = message if isinstance(message, str) and message else _text(body)
    code = error.get("code") if isinstance(error, dict) else None
    kind = _kind(status, message, code, model)
    if status == 404 and not (isinstance(error, dict) and "message" in error):
        kind = Kind.REFUSED  # not the words of this API: the address is wrong
    return Trouble(f"HTTP {status}: {message}", kind, status, read_retry_after(headers.get("Retry-After")))


def _kind(status: int, message: str, code: object, model: str) -> Kind:
    unknown_model = code == "model_not_found" or (model in message and NO_SUCH_MODEL.search(message))
    if status in REFUSED or 300 <= status < 400 or code == "insufficient_quota":
        return Kind.REFUSED
    if status in (400, 404) and unknown_model:
        return Kind.REFUSED
    return Kind.AGAIN if status in AGAIN or status >= 500 else Kind.REQUEST


def _completion(request: Request, reply: Any, latency_s: float) -> Completion:
    choice = reply["choices"][0]
    message = choice["message"]
    text, thinking = _content(message.get("content"))
    reason = choice.get("finish_reason")
    if reason == "error":  # as OpenRouter marks an upstream that failed in the middle
        raise Trouble(f"the server broke the answer off: {choice.get('error')}", status=200)
    usage = reply.get("usage") or {}
    name = reply.get("model")
    return Completion(
        key=request.key,
        text=_encodable(text or _string(message.get("refusal"))),
        input_tokens=_count(usage.get("prompt_tokens")),
        output_tokens=_count(usage.get("completion_tokens")),
        latency_s=latency_s,
        finish_reason=_string(reason) or "unknown",
        reasoning=_encodable(_reasoning(message) or thinking) or None,
        model=_string(name) or None,
    )


def _content(content: object) -> tuple[str, str]:
    """Return the text and the thinking of a message's content: null, a string or a list of parts.

    Raises:
        TypeError: If it is something else.
    """
    if content is None or isinstance(content, str):
        return content or "", ""
    if not isinstance(content, list):
        raise TypeError(type(content).__name__)
    texts, thoughts = [], []
    for part in content:
        if "thinking" in part:
            thoughts.append("".join(_content(part["thinking"])))
        else:
            texts.append(part["text"] if part.get("type", "text") in ("text", "output_text") else "")
    return "".join(texts), "".join(thoughts)


def _reasoning(message: Mapping[str, Any]) -> str:
    return _string(message.get("reasoning_content")) or _string(message.get("reasoning"))


def _string(value: object) -> str:
    return value if isinstance(value, str) else ""


def _count(value: object) -> int | None:
    """Return a number of tokens; None where it is absent or cannot be one."""
    whole = (isinstance(value, int) and not isinstance(value, bool)) or (
        isinstance(value, float) and value.is_integer()
    )
    return int(value) if whole and value >= 0 else None  # type: ignore[call-overload,operator]


def _encodable(text: str) -> str:
    """Mend half surrogate pairs, which JSON can hold and no file can."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    return text
