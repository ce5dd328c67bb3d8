"""Waits before a server is asked again: backoff with jitter, Retry-After, and the pace of requests."""

from __future__ import annotations

import asyncio
import math
import random
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime


def read_retry_after(value: str | None, now: datetime | None = None) -> float | None:
    """Return the seconds that a ``Retry-After`` header asks for.

    RFC 9110, section 10.2.3: seconds, or an HTTP date. Fractions of a second, which some servers send, are read too.

    Args:
        value: Header; None where there is none.
        now: Time against which a date counts; None for the clock.

    Returns:
        0 or more; None where there is no header or it cannot be read.
    """
    if value is None:
        return None
    try:
        seconds = float(value)
    except ValueError:
        try:
            date = parsedate_to_datetime(value)
        except (ValueError, OverflowError):
            return None
        date = date if date.tzinfo else date.replace(tzinfo=UTC)
        seconds = (date - (now or datetime.now(UTC))).total_seconds()
    return max(seconds, 0.0) if math.isfinite(seconds) else None


def backoff(tries: int, base_s: float, cap_s: float) -> float:
    """Return the seconds to wait after a number of failed tries: exponential, with full jitter.

    ``uniform(0, min(cap, base * 2^(tries - 1)))``, from 'Exponential Backoff And Jitter', M. Brooker, AWS Architecture
    Blog, 2015. Clients that failed together so do not come back together.
    """
    return random.uniform(0.0, min(cap_s, base_s * 2.0 ** min(tries - 1, 60)))


class Pace:
    """Pace of the requests to a server. All requests to one server wait for the same pace.

    Args:
        per_minute: Most requests per minute, evenly spaced; 0 for no limit.
        spread_s: After a pause the requests come back one by one within so many seconds.
    """

    def __init__(self, per_minute: float = 0.0, spread_s: float = 1.0) -> None:
        self._spacing = 60.0 / per_minute if per_minute else 0.0
        self._spread = spread_s
        self._next = -math.inf
        self._closed_until = -math.inf

    def close_for(self, seconds: float) -> None:
        """Let nobody ask for so long: a limit on the rate concerns every request, not only the one that met it."""
        self._closed_until = max(self._closed_until, asyncio.get_running_loop().time() + seconds)

    async def turn(self) -> None:
        """Return when the caller may ask."""
        loop = asyncio.get_running_loop()
        if self._spacing:
            at = max(self._next, loop.time(), self._closed_until)
            self._next = at + self._spacing
            await asyncio.sleep(at - loop.time())
        while (pause := self._closed_until - loop.time()) > 0:
            await asyncio.sleep(pause + random.uniform(0.0, self._spread))
