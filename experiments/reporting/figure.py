"""A figure of a report: a heading, what to read from it, the picture, and its data behind a click."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path
from typing import Any

from experiments.reporting.page import page

HERE = Path(__file__).parent

POLICY = "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; img-src data:"
"""What a browser may load for the page: nothing, but for what is written in it."""


def whole_page(title: str, body: str) -> str:
    """Return the page, with its style and script inside."""
    style, script = ((HERE / name).read_text() for name in ("report.css", "report.js"))
    head = f'<meta http-equiv="Content-Security-Policy" content="{POLICY}">'
    return page(title, f"{body}\n<script>{script}</script>", style, head)


@dataclass(frozen=True)
class Figure:
    """One thing to look at.

    Attributes:
        title: Its heading.
        says: What to read from it, as HTML.
        body: The picture, as HTML; empty where there is none to draw.
        head: Column titles of its data; none where there are no data.
        rows: Values of the data.
        brief: The few rows that a report elsewhere has room for, with their column titles first; all where it is empty.
        lead: HTML before what it says.
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

    def html(self) -> str:
        """Return it as a part of the page."""
        data = data_table(self.title, self.head, self.rows) if self.head else ""
        read = '<p class="read" aria-live="polite"></p>' if "<title>" in self.body else ""
        return (
            f'<section class="figure {self.style}"><h3>{escape(self.title)}</h3>{self.lead}<p class="says">{self.says}</p>'
            f"{self.body}{read}{data}</section>"
        )


def data_table(title: str, head: Sequence[str], rows: Iterable[Sequence[Any]]) -> str:
    """Return a table that is closed until it is asked for, and can be saved as CSV. End tags are left out for size."""
    lines = [f"<tr>{''.join(f'<td>{plain(value)}' for value in row)}" for row in rows]
    titles = "".join(f"<th>{escape(name)}" for name in head)
    name = "".join(sign if sign.isalnum() else "_" for sign in title.lower()).strip("_")
    return (
        f'<details class="data"><summary>data, {count(len(lines), "row")}</summary>'
        f'<button type="button" class="csv" data-name="{name}.csv">save as CSV</button>'
        f'<div class="scroll"><table><thead><tr>{titles}</thead><tbody>\n{chr(10).join(lines)}</tbody></table></div></details>'
    )


def plain(value: Any) -> str:
    """Return a value as HTML text: a number to six digits, nothing where there is none."""
    if value is None or (isinstance(value, float) and not math.isfinite(value)):
        return ""
    return f"{value:.6g}" if isinstance(value, float) else escape(str(value))


def box(picture: str) -> str:
    """Return a picture that scrolls within itself where the page is narrow."""
    return f'<div class="box" tabindex="0">{picture}</div>'


def count(number: int, noun: str) -> str:
    """Return a number of things as text."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def names(labels: Sequence[str], most: int = 4) -> str:
    """Return names as a text, the first few where they are many."""
    shown = [f"<b>{escape(label)}</b>" for label in labels[:most]]
    if len(labels) > most:
        return f"{', '.join(shown)} and {len(labels) - most} more"
    return " and ".join([", ".join(shown[:-1]), shown[-1]]) if len(shown) > 1 else "".join(shown)
