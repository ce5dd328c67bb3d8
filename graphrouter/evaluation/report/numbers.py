"""Numbers as text, as a reader of tables expects them."""

from __future__ import annotations

import numpy as np

from graphrouter.metrics import METRICS

NOTHING = "–"


def number(value: float | None, metric: str = "") -> str:
    """Return a value as text, as its metric is read; a dash where there is none."""
    if value is None or not np.isfinite(value):
        return NOTHING
    known = METRICS.get(metric)
    if known and known.dollars:
        return dollars(value)
    return (f"{value:.1%}" if known and known.percent else f"{value:.4f}").replace("-", "−")


def dollars(value: float) -> str:
    """Return a mean cost per query as US dollars per 1,000 queries, to three significant digits."""
    thousand = value * 1000
    if thousand == 0:
        return "0"
    digits = max(0, 2 - int(np.floor(np.log10(abs(thousand)))))
    return f"{thousand:,.{digits}f}".replace("-", "−")


def signed(value: float | None, metric: str = "") -> str:
    """Return a difference as text, with its sign."""
    shown = number(value, metric)
    return shown if value is None or not value >= 0 else f"+{shown}"


def bounds(low: float, high: float, metric: str = "", sign: bool = False) -> str:
    """Return an interval as text."""
    shown = signed if sign else number
    return f"[{shown(low, metric)}, {shown(high, metric)}]"


def count(number: int, noun: str) -> str:
    """Return a number of things as text."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"
