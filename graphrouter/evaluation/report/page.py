"""Jinja2 templates -> pages that need nothing else: style, script, charts and data are inside."""

from __future__ import annotations

import math
import re
from functools import cache
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from graphrouter.evaluation.report import drawing, numbers

POLICY = "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; img-src data:"
"""Content security policy of a page: a browser loads nothing beyond the page itself."""


def _breakable(name: str) -> list[str]:
    """Divide a name after its signs."""
    return re.findall(r"[^_\-./ ]*[_\-./ ]*", name)


def _file_name(title: str) -> str:
    return re.sub(r"\W", "_", title.lower()).strip("_")


def _plain(value: Any) -> str:
    """Return a value as text: a number to six digits, nothing where there is none."""
    if value is None or (isinstance(value, float) and not math.isfinite(value)):
        return ""
    return f"{value:.6g}" if isinstance(value, float) else str(value)


@cache
def environment() -> Environment:
    """Return the templates of this package; whatever they print is escaped, unless it is markup."""
    made = Environment(
        loader=PackageLoader("graphrouter.evaluation.report"),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=StrictUndefined,
    )
    made.filters |= {name: getattr(numbers, name) for name in ("number", "dollars", "signed")}
    made.filters |= {"breakable": _breakable, "file_name": _file_name, "plain": _plain}
    made.tests["escaped"] = lambda value: isinstance(value, Markup)
    made.globals["percent"] = lambda share: f"{100 * share:.2f}%"
    made.globals |= {"bounds": numbers.bounds, "count": numbers.count, "policy": POLICY, "svg": drawing.svg}
    made.globals["colours"] = drawing.COLOURS
    return made


def render(template: str, **values: Any) -> str:
    """Return a page."""
    return environment().get_template(template).render(**values)


def macro(name: str, *values: Any, **options: Any) -> Markup:
    """Return the HTML of a macro of ``macros.html.j2``."""
    made = getattr(environment().get_template("macros.html.j2").module, name)(*values, **options)
    return Markup(made)
