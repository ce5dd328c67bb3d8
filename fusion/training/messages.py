"""Messages of a training row: checked, and with the weight that says whether they are learnt."""

from __future__ import annotations

from typing import Any, NamedTuple, TypeGuard

from fusion.engines.base import Message
from fusion.text import encodable
from graphrouter.errors import shown

ROLES = ("system", "user", "assistant", "tool")
OTHER_ROLES = {
    "developer": "system",
    "function": "tool",
    "human": "user",
    "gpt": "assistant",
    "model": "assistant",
    "bot": "assistant",
}
"""Names that other formats give to a role, and the role that is meant."""

KEYS = ("role", "content", "weight")
"""Of a message, what is read; the chat template is given role and content."""

REFUSED = {
    "tool_calls": "a chat template is not given them, so that the model would learn an answer without its calls",
    "function_call": "a chat template is not given it, so that the model would learn an answer without its call",
    **dict.fromkeys(("train", "training", "loss", "loss_scale"), "write weight: 0 or 1 in its place"),
}
"""Keys of a message that decide what is learnt, and why they cannot be left out."""


class Turn(NamedTuple):
    """A message of a row.

    Attributes:
        message: Role and text, as a chat template takes it.
        weight: 0 for what is not to be learnt, 1 for what is, None where the row does not say: OpenAI's key.
    """

    message: Message
    weight: int | None

    @property
    def said(self) -> bool:
        """Whether the assistant says it."""
        return self.message["role"] == "assistant"


def read_turns(given: Any, key: str, dropped: set[str]) -> list[Turn]:
    """Read a list of messages.

    Args:
        given: Value of the row under the key.
        key: For errors.
        dropped: Gets the keys of messages that are not read, such as ``name``.

    Raises:
        ValueError: If it is no list of messages with text, or says by other keys what is to be learnt.
    """
    if isinstance(given, str):
        raise ValueError(
            f"{key} must be a list of messages with role and content, but is text; "
            'write [{"role": "user", "content": "..."}] for what is asked, and "assistant" for what is answered'
        )
    if not isinstance(given, list) or not given:
        raise ValueError(f"{key} must be a list of messages with role and content, but is {shown(given)}")
    return [_turn(message, key, dropped) for message in given]


def _turn(message: Any, key: str, dropped: set[str]) -> Turn:
    if not isinstance(message, dict) or message.get("role") not in ROLES:
        raise ValueError(
            f"{key}: a message must have a role ({', '.join(ROLES)}) and text, but is {shown(message)}{_hint(message)}"
        )
    for name, reason in REFUSED.items():
        if is_set(message.get(name)):
            raise ValueError(f"{key}: a message must have role, content and weight alone, but has {name}; {reason}")
    dropped |= {name for name, value in message.items() if name not in KEYS and is_set(value)}
    return Turn({"role": message["role"], "content": _text(message, key)}, _weight(message, key))


def _hint(message: Any) -> str:
    if not isinstance(message, dict):
        return ""
    if "from" in message and "value" in message:
        return "; rename from to role (human: user, gpt: assistant) and value to content"
    role = message.get("role")
    meant = OTHER_ROLES.get(role.lower(), role.lower()) if isinstance(role, str) else None
    return f"; write {meant} in place of {role}" if meant in ROLES else ""


def _text(message: dict[str, Any], key: str) -> str:
    """Return the text of a message; parts of text, as of multimodal formats, are joined."""
    content = message.get("content")
    parts = content if isinstance(content, list) else [content]
    texts: list[Any] = [part.get("text") if _is_text_part(part) else part for part in parts]
    if not texts or not all(isinstance(text, str) for text in texts):
        raise ValueError(f"{key}: a message must have a role ({', '.join(ROLES)}) and text, but is {shown(message)}")
    return encodable("".join(texts))


def _is_text_part(part: Any) -> TypeGuard[dict[str, Any]]:
    return isinstance(part, dict) and part.get("type", "text") == "text"


def _weight(message: dict[str, Any], key: str) -> int | None:
    weight = message.get("weight")
    if weight is not None and weight not in (0, 1):
        raise ValueError(f"{key}: the weight of a message must be 0 or 1, but is {shown(weight)}; mend it")
    if weight == 1 and message["role"] != "assistant":
        raise ValueError(
            f"{key}: only what the assistant says can be learnt, but a message of {message['role']} has weight 1; "
            "remove the weight"
        )
    return None if weight is None else int(weight)


def is_set(value: object) -> bool:
    """Whether a key says anything: tables that became JSON have null, an empty list or its text in most rows."""
    return value not in (None, "", "[]", "{}", "null", [], {})
