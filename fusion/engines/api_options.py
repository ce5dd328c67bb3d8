"""Options of a server of the OpenAI chat-completions API, with their checks."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from fusion.engines.base import Engine
from graphrouter.errors import UserError, suggest

SAMPLING = ("max_tokens", "temperature", "top_p", "stop", "seed")
OURS = ("model", "messages", "stream", "n")


@dataclass(eq=False)
class ServerOptions(Engine):
    """Options of a server: what it is asked, and how.

    Attributes:
        model: Name of the model at the server.
        base_url: Address without ``/chat/completions``; mostly ends in ``/v1``.
        api_key_env: Environment variable that holds the key; None for a server that wants none.
        concurrency: Most requests under way at once.
        timeout_s: Most seconds for one try, connection included.
        max_retries: Further tries of a request.
        backoff_s: Bound of the first wait: it is drawn from 0 to so many seconds, each further one from twice as many.
        backoff_cap_s: Longest wait of that kind.
        retry_after_cap_s: Longest wait that a server may ask for; a longer one is cut to this.
        give_up_after: Requests that may fail in a row, after all their tries, before the rest are not asked.
        requests_per_minute: Most requests per minute, tries included, evenly spaced; 0 for no limit.
        send: Fields that are sent of max_tokens, temperature, top_p, stop and seed; some servers refuse some of them.
        token_field: Name under which max_tokens is sent; some models want ``max_completion_tokens``.
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

    def __post_init__(self) -> None:
        """Check the settings.

        Raises:
            UserError: If one cannot be; an address is not repeated where it may hold a password.
        """
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

    def key(self) -> str:
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
