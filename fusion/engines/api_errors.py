"""Reasons why a server gave no answer: whether to ask again, what it may have cost, and what a user can do."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Any

from fusion.engines.api_options import ServerOptions
from fusion.engines.api_retry import read_retry_after
from fusion.engines.base import NOTHING, Waste

AGAIN = frozenset({408, 409, 425, 429})
"""Statuses below 500 that may be another one next time."""
REFUSED = frozenset({401, 402, 403})
UNSURE = frozenset({408, 502, 504, 520, 524})
"""Statuses by which a gateway says that it did not get, or not in time, what the server behind it may have written."""
NO_SUCH_MODEL = re.compile(
    r"not exist|not found|no such|unknown|unsupported|not supported|not available|not a valid|invalid model", re.I
)
UNSUPPORTED = re.compile(
    r"unsupported|not support|unrecogni[sz]ed|unknown|unexpected (?:keyword|parameter|field)|not permitted|not allowed"
    r"|forbidden|deprecated",
    re.I,
)
CONTEXT = re.compile(r"context.?(?:size|length|window)", re.I)
UNWANTED = re.compile(r"filter|polic|moderat|safety|flagged|harm|sensitive|risk", re.I)
TOO_LONG = re.compile(r"context|too long|too large|too many|length|exceed", re.I)
"""Words of servers about one prompt that is unwanted or too long, while others may be answered."""
PASSING = re.compile(r"rate.?limit|overload|capacity|busy|timed? ?out|unavailable|try again|exhausted|upstream", re.I)
TEXT_BYTES = 20_000


class Kind(Enum):
    """Next step of a request that got no answer."""

    AGAIN = "ask again"
    REQUEST = "this request will never be answered"
    REFUSED = "no request will be answered"
    ODD = "a whole reply that holds no answer: another one would cost as much and hold none either"


@dataclass
class Trouble(Exception):
    """Reason why a request got no answer.

    Attributes:
        reason: Text, which may hold what the server sent, a key included, until `Client` cleans it.
        kind: Kind, which says what to do.
        status: HTTP status, or None where none came.
        retry_after: Seconds that the server asks to wait, or None.
        unreachable: Whether no connection could be made at all.
        waste: Cost that it may have had.
        remedy: Advice for the user, or nothing.
        of_prompt: Whether it concerns this prompt, so that others may be answered.
    """

    reason: str
    kind: Kind = Kind.AGAIN
    status: int | None = None
    retry_after: float | None = None
    unreachable: bool = False
    waste: Waste = NOTHING
    remedy: str = ""
    of_prompt: bool = False


def error_trouble(
    settings: ServerOptions, status: int, headers: Mapping[str, str], reply: Any, body: bytes, waste: Waste | None
) -> Trouble:
    """Turn the reply of a server that reports an error into trouble.

    Args:
        settings: Options of the server.
        status: HTTP status; 200 where a gateway reports the error of the server behind it.
        headers: Headers of the reply.
        reply: Parsed body, or None.
        body: Body of the reply.
        waste: Tokens that the reply states, or None.
    """
    error = reply.get("error") or reply if isinstance(reply, dict) else None
    message = _sentence(error) or body_text(body)
    about = " ".join([message, *(str(error.get(name, "")) for name in ("code", "type") if isinstance(error, dict))])
    seen = _status(error, about) if status == 200 else status
    remedy = find_remedy(message, error, settings)
    kind = _kind(seen, about, error, settings.model, bool(remedy))
    if waste is None:
        waste = Waste(unknown=1) if status == 200 or status in UNSURE else Waste()
    reason = f"HTTP {seen or 200}: {message}"
    of_prompt = not remedy and bool(UNWANTED.search(about) or TOO_LONG.search(about))
    return Trouble(reason, kind, seen, read_retry_after(headers.get("Retry-After")), False, waste, remedy, of_prompt)


def body_text(body: bytes) -> str:
    """Return the beginning of a body, for a reason."""
    return body[:TEXT_BYTES].decode("utf-8", "replace") or "empty"


def _sentence(error: object) -> str:
    """Return the message of an error, as this API, FastAPI (``detail``) or gateways (``metadata.raw``) give it."""
    if isinstance(error, str):
        return error
    if isinstance(error, list):
        return "; ".join(filter(None, map(_sentence, error)))
    if not isinstance(error, dict):
        return ""
    text = next(filter(None, (_sentence(error.get(name)) for name in ("message", "detail", "msg", "error"))), "")
    place, metadata = error.get("loc"), error.get("metadata")
    if text and isinstance(place, list):
        text = f"{'.'.join(map(str, place))}: {text}"
    raw = metadata.get("raw") if isinstance(metadata, dict) else None
    return f"{text}: {raw}" if isinstance(raw, str) and raw else text


def _status(error: object, about: str) -> int | None:
    """Return the status that an error with HTTP status 200 stands for; None where it gives none."""
    code = error.get("code") if isinstance(error, dict) else None
    code = int(code) if isinstance(code, str) and re.fullmatch("[0-9]{3}", code) else code
    if isinstance(code, int) and 400 <= code < 600:  # as some gateways report an upstream
        return code
    return 503 if PASSING.search(about) else None


def _kind(status: int | None, about: str, error: object, model: str, of_settings: bool) -> Kind:
    code = error.get("code") if isinstance(error, dict) else None
    if status is None:
        return Kind.ODD
    if status in REFUSED or 300 <= status < 400 or code == "insufficient_quota":
        return Kind.REFUSED
    if status == 404 and not (isinstance(error, dict) and "message" in error):
        return Kind.REFUSED  # not the words of this API: the address is wrong
    if status in (400, 404) and not of_settings and (code == "model_not_found" or _unknown_model(about, model)):
        return Kind.REFUSED
    if status in AGAIN or (status >= 500 and not CONTEXT.search(about)):
        return Kind.AGAIN
    return Kind.REQUEST


def _unknown_model(about: str, model: str) -> bool:
    """Return whether a text names the model, as a word of its own, and says that there is none."""
    word = rf"(?<![\w/:.-]){re.escape(model)}(?![\w/:-]|\.\w)"
    return re.search(word, about) is not None and NO_SUCH_MODEL.search(about) is not None


def find_remedy(message: str, error: object, settings: ServerOptions) -> str:
    """Return the remedy where a server does not take a field of the request body; empty where it says no such thing."""
    if not UNSUPPORTED.search(message):
        return ""
    given = error.get("param") if isinstance(error, dict) else None
    names = [name for name in _fields(settings) if name == given or _named(name, message)]
    if settings.token_field in names:
        other = {"max_tokens": "max_completion_tokens", "max_completion_tokens": "max_tokens"}.get(settings.token_field)
        if other and (settings.token_field == "max_completion_tokens" or other in message):
            return f"set token_field: {other}"
    if not names:
        return ""
    name = given if given in names else min(names, key=message.find)
    if name in settings.extra:
        return f"take {name} out of extra, or change it"
    name = "max_tokens" if name == settings.token_field else name
    left = ", ".join(field for field in settings.send if field != name)
    return f"leave {name} out by send: [{left}]" + (", or change it" if name == "temperature" else "")


def _fields(settings: ServerOptions) -> Iterator[str]:
    """Return the names in a request body that the user's settings decide on."""
    for name in settings.send:
        yield settings.token_field if name == "max_tokens" else name
    yield from settings.extra


def _named(name: str, message: str) -> bool:
    """Return whether a message names a field; a plain English word counts only in quotes or in a path."""
    if name.isalpha() and name != "temperature":
        return re.search(rf"['\"`.]{name}['\"`:]", message) is not None
    return re.search(rf"(?<!\w){re.escape(name)}(?!\w)", message) is not None
