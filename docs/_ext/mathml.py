"""Formulas as MathML, which browsers draw themselves: pages need no script and no network."""

from __future__ import annotations

import re
from html import escape
from typing import Any

from docutils import nodes
from docutils.utils.math import MathError
from docutils.utils.math.latex2mathml import tex2mathml
from sphinx.util import logging

logger = logging.getLogger(__name__)

SIZES = re.compile(r"\\[bB]igg?[lr]?(?![A-Za-z])")
"""Sizes of brackets, which MathML finds by itself and docutils does not read."""
ACCENTS = re.compile(r"(\\(?:hat|overline|tilde)\s*(?:\{[^{}]*\}|[A-Za-z]|\\[A-Za-z]+))")
"""Letters with an accent; alone in a group of their own, for docutils sets an index below them."""


def visit_math(writer: Any, node: nodes.Element) -> None:
    """Write a formula within a line."""
    writer.body.append(_mathml(node, as_block=False))
    raise nodes.SkipNode


def visit_displaymath(writer: Any, node: nodes.Element) -> None:
    """Write a formula of its own lines."""
    writer.body.append(f'<div class="math">{_mathml(node, as_block=True)}</div>')
    raise nodes.SkipNode


def _mathml(node: nodes.Element, as_block: bool) -> str:
    """Return a formula as MathML; one that cannot be read is a warning, and stays as it is."""
    try:
        source = SIZES.sub("", node.astext()).replace(r"\bar", r"\overline")  # whose line is seen above a letter
        source = ACCENTS.sub(r"{{}\1}", source)
        return str(tex2mathml(source, as_block=as_block))
    except MathError as error:
        logger.warning("formula cannot be read: %s", error, location=node)
        return f"<code>{escape(node.astext())}</code>"


def setup(app: Any) -> dict[str, bool]:
    """Add the renderer to Sphinx."""
    app.add_html_math_renderer("mathml", (visit_math, None), (visit_displaymath, None))
    return {"parallel_read_safe": True, "parallel_write_safe": True}
