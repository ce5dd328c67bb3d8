"""Whether it makes sense to ask a server any further."""

from __future__ import annotations

import re

from fusion.engines.api_errors import Kind, Trouble
from fusion.engines.api_options import ServerOptions
from fusion.engines.base import Waste
from graphrouter.errors import UserError

START_TRIES = 3
"""Connections that may fail before a run without any answer decides that there is no server."""
EQUAL = 5
"""Requests that may fail with the same words before a run that has no answer yet takes it that all will."""


class Hope:
    """Record of what a run has seen of a server so far.

    Args:
        settings: Options of the server.

    Attributes:
        heard: Whether anything at all came from the server.
    """

    def __init__(self, settings: ServerOptions) -> None:
        self.reached = False
        self._settings = settings
        self._answered = False
        self._failed_in_a_row = 0
        self._last_reason = ""
        self._equal = ("", 0)  # what the last failures had in common, and how many there are
        self._hopeless: UserError | None = None

    @property
    def gone(self) -> bool:
        """Whether so many requests failed one after the other that the rest need not be tried."""
        return self._failed_in_a_row >= self._settings.give_up_after

    def answered(self) -> None:
        """Take note of an answer."""
        self._answered, self._failed_in_a_row = True, 0

    def failed(self, trouble: Trouble) -> None:
        """Take note of a request that failed after all its tries."""
        self._last_reason = self._last_reason if self.gone else trouble.reason
        self._failed_in_a_row = 0 if trouble.kind is Kind.REQUEST else self._failed_in_a_row + 1
        known = self._answered or self._settings.has_answered
        if known or trouble.of_prompt or trouble.kind not in (Kind.REQUEST, Kind.ODD):
            return
        words = re.sub(r"\S*\d\S*", "#", trouble.reason)  # without numbers and ids of requests
        self._equal = (words, self._equal[1] + 1 if words == self._equal[0] else 1)
        if self._equal[1] >= EQUAL:
            remedy = "" if trouble.remedy else "; check model, base_url, send, token_field and extra"
            text = f"{self._wanted}, but the first {EQUAL} all got: {trouble.reason}{remedy}"
            self._hopeless = UserError(text)

    @property
    def _wanted(self) -> str:
        return f"{self._settings.base_url} must take requests for {self._settings.model!r}"

    def check(self, waste: Waste) -> None:
        """Raise where a further try of a request makes no sense.

        Args:
            waste: Tokens of its earlier tries that gave no answer.

        Raises:
            Trouble: If the server is gone.
            UserError: If all requests before any answer failed alike.
        """
        if self._hopeless:
            raise self._hopeless
        if self.gone:
            most = self._settings.give_up_after
            raise Trouble(f"not asked: {most} requests in a row failed, at last: {self._last_reason}", waste=waste)

    def check_start(self, trouble: Trouble, tries: int) -> None:
        """Raise a `UserError` where the run is only at its start and can lead nowhere; nothing more is sent then."""
        settings, reason = self._settings, trouble.reason
        text = ""
        if trouble.unreachable and not self.reached and tries >= min(START_TRIES, settings.max_retries + 1):
            text = f"base_url must name a server that is up, but {settings.base_url}: {reason}; start it or mend the address"
        elif trouble.kind is Kind.REFUSED and not self._answered:
            text = f"{self._wanted}, but answered {reason}; {self._way_out(trouble.status)}"
        if text:
            self._hopeless = UserError(text)
            raise self._hopeless

    def _way_out(self, status: int | None) -> str:
        """Return the remedy for a refusal."""
        name = self._settings.api_key_env
        if status not in (401, 403):
            return "check model and base_url, which mostly ends in /v1, and the account"
        return f"check the key in {name}" if name else "name the environment variable with its key as api_key_env"
