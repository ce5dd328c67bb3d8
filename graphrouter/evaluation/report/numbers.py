"""Numbers as text, as a reader of tables expects them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

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


def with_interval(row: Mapping[str, Any], name: str, low: str = "", high: str = "") -> str:
    """Return a difference and its interval as plain text; empty where there is none.

    Args:
        row: Of a table.
        name: Column of the difference.
        low: Column of the lower bound; ``NAME_low`` where it is empty.
        high: Column of the upper bound; ``NAME_high`` where it is empty.
    """
    if row[name] is None:
        return ""
    return f"{row[name]:+.4f} [{row[low or f'{name}_low']:+.4f}, {row[high or f'{name}_high']:+.4f}]"


def count(number: int, noun: str) -> str:
    """Return a number of things as text."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"
