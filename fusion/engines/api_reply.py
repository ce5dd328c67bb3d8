"""Answer from what a server of the OpenAI chat-completions API sent."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from fusion.engines.api_errors import UNWANTED, Kind, Trouble, body_text, error_trouble
from fusion.engines.api_options import ServerOptions
from fusion.engines.api_stream import is_stream, join_stream
from fusion.engines.base import Completion, Request, Waste
from fusion.engines.clean import parse_json, token_counts
from fusion.text import encodable

SHAPES = (KeyError, IndexError, TypeError, AttributeError, RecursionError)
"""Errors of reading where a reply is of another form, or is nested deeper than Python can follow."""


def read_reply(
    request: Request, settings: ServerOptions, status: int, headers: Mapping[str, str], body: bytes, latency_s: float
) -> Completion:
    """Turn a whole HTTP reply into a completion.

    Source: the API reference of OpenAI's chat completions, and the fields ``reasoning_content`` (DeepSeek, vLLM) and
    ``reasoning`` (OpenRouter, vLLM), and parts of type ``thinking`` (Mistral). A stream of chunks is joined.

    Args:
        request: Request that was asked.
        settings: Options of the server.
        status: HTTP status.
        headers: Headers of the reply.
        body: Body of the reply.
        latency_s: Seconds that it took.

    Raises:
        Trouble: If it holds no answer; with the tokens that it states all the same.
    """
    reply, whole = None, True
    try:
        reply = join_stream(body) if is_stream(headers, body) else parse_json(body)
    except (ValueError, RecursionError):
        whole = False
    except SHAPES:
        pass  # a stream of JSON objects of another form
    stated = _stated(_usage(reply, ""))
    try:
        if status != 200 or _is_error(reply):
            raise error_trouble(settings, status, headers, reply, body, stated)
        return _completion(request, reply, latency_s)
    except SHAPES:
        waste = stated or (Waste(unknown=1) if status == 200 else Waste())
        kind = Kind.ODD if whole else Kind.AGAIN  # what is no JSON is of a gateway, or broken off
        text = body_text(body)
        unwanted = UNWANTED.search(text) is not None
        reason = f"the reply is no chat completion: {text}"
        raise Trouble(reason, kind, status, waste=waste, of_prompt=unwanted) from None


def _is_error(reply: Any) -> bool:
    """Return whether a reply with status 200 reports an error, as gateways and old versions of vLLM do."""
    if not isinstance(reply, dict) or reply.get("choices"):
        return False
    return bool(reply.get("error")) or reply.get("object") == "error"


def _usage(reply: Any, text: str) -> tuple[int | None, int | None]:
    """Return the tokens that a reply states for the prompt and for the response."""
    usage = reply.get("usage") if isinstance(reply, dict) else None
    if not isinstance(usage, dict):
        return None, None
    prompt, response = (usage.get(name) for name in ("prompt_tokens", "completion_tokens"))
    return token_counts(prompt, response, text)


def _stated(used: tuple[int | None, int | None]) -> Waste | None:
    """Return the tokens that a reply used, where it states both counts."""
    prompt, response = used
    return None if prompt is None or response is None else Waste(prompt, response)


def _completion(request: Request, reply: Any, latency_s: float) -> Completion:
    choice = reply["choices"][0]
    message = choice.get("message")
    if message is None:
        message = choice["delta"] if "delta" in choice else {"content": choice["text"]}
    text, thinking = _content(message.get("content"))
    text = text or _string(message.get("refusal"))
    thinking = _string(message.get("reasoning_content")) or _string(message.get("reasoning")) or thinking
    reason = choice.get("finish_reason")
    used = _usage(reply, text + thinking)
    if reason == "error":  # as OpenRouter marks an upstream that failed in the middle
        waste = _stated(used) or Waste(unknown=1)
        raise Trouble(f"the server broke the answer off: {choice.get('error')}", status=200, waste=waste)
    if not text and not thinking and _wrote_nothing(reply):
        raise TypeError("an answer without text and without a token is none")
    return Completion(
        key=request.key,
        text=encodable(text),
        input_tokens=used[0],
        output_tokens=used[1],
        latency_s=latency_s,
        finish_reason=encodable(_string(reason)) or "unknown",
        reasoning=encodable(thinking) or None,
        model=encodable(_string(reply.get("model"))) or None,
    )


def _wrote_nothing(reply: Any) -> bool:
    """Return whether a server says that it read and wrote no token at all, as gateways do whose upstream failed."""
    usage = reply.get("usage")
    return isinstance(usage, dict) and usage.get("prompt_tokens") == 0 and usage.get("completion_tokens") == 0


def _content(content: object) -> tuple[str, str]:
    """Return the text and the thinking of a message's content: null, a text, a part, or a list of texts and parts.

    Raises:
        TypeError: If it is something else.
    """
    if content is None or isinstance(content, str):
        return content or "", ""
    if isinstance(content, dict):
        return _part(content)
    if not isinstance(content, list):
        raise TypeError(type(content).__name__)
    parts = [_content(part) for part in content]
    return "".join(text for text, _ in parts), "".join(thought for _, thought in parts)


def _part(part: Mapping[str, Any]) -> tuple[str, str]:
    """Return the text and the thinking of a part; none of one that is an image, a sound or a call of a tool.

    Raises:
        TypeError: If it should hold text and does not.
    """
    kind = part.get("type")
    for name in ("thinking", "reasoning"):
        if name in part or kind == name:
            return "", "".join(_content(part.get(name, part.get("text", part.get("summary")))))
    if kind in ("text", "output_text", "refusal", None):
        names = [name for name in ("text", "refusal", "content", "value") if name in part]
        if not names:
            raise TypeError("a part without a text")
        return _content(part[names[0]])
    return "", ""


def _string(value: object) -> str:
    return value if isinstance(value, str) else ""
