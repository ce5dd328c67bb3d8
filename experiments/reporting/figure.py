"""A figure of a report: a heading, what to read from it, the picture, and its data behind a click."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from markupsafe import Markup

from graphrouter.evaluation.report.drawing import SERIES


@dataclass(frozen=True)
class Figure:
    """One thing to look at.

    Attributes:
        title: Its heading.
        says: Conclusion from it; text that is no markup is escaped.
        body: The picture; empty where there is none to draw.
        head: Column titles of its data; none where there are no data.
        rows: Values of the data.
        brief: The few rows that a report elsewhere has room for, with their column titles first; all where it is empty.
        lead: Text before the conclusion.
        style: CSS class.
    """

    title: str
    says: str
    body: str = ""
    head: Sequence[str] = ()
    rows: Sequence[Sequence[Any]] = ()
    brief: Sequence[Sequence[Any]] = ()
    lead: str = ""
    style: str = ""


def say(text: str, *values: object) -> Markup:
    """Return markup in which values, and only they, are escaped."""
    return Markup(text).format(*values)


def together(parts: Iterator[Markup] | Sequence[Markup], between: str = " ") -> Markup:
    """Join markup."""
    return Markup(between).join(parts)


def names(labels: Sequence[str], most: int = 4) -> Markup:
    """Return names as a text, the first few where they are many."""
    shown = [say("<b>{}</b>", label) for label in labels[:most]]
    if len(labels) > most:
        return say("{} and {} more", together(shown, ", "), len(labels) - most)
    return together([together(shown[:-1], ", "), shown[-1]], " and ") if len(shown) > 1 else together(shown)


def colours(labels: Sequence[str], base: str | None = None) -> dict[str, str]:
    """Give each of a few names a colour of its own; the base has that of what a chart is about."""
    others = [label for label in labels if label != base]
    found = dict(zip(others, SERIES[1:] if base in labels else SERIES, strict=False))
    return {label: SERIES[0] if label == base else found[label] for label in labels if label == base or label in found}
