"""Directives that read the code while the manual is built: ``router``, ``relations``, ``layouts``, ``metrics`` and ``help``.

They are written in reStructuredText, as docstrings are, so a page in Markdown has them in an ``eval-rst`` block.
"""

from __future__ import annotations

import inspect
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

from docutils import nodes
from docutils.statemachine import StringList
from sphinx.util.docutils import SphinxDirective
from sphinx.util.nodes import nested_parse_with_titles

ROOT = Path(__file__).resolve().parents[2]


class _FromCode(SphinxDirective):
    has_content = False
    required_arguments = 1
    final_argument_whitespace = True

    def parse(self, lines: list[str]) -> list[nodes.Node]:
        """Return the nodes of lines in reStructuredText."""
        node = nodes.section(document=self.state.document)
        nested_parse_with_titles(self.state, StringList(lines, self.arguments[0]), node)
        return node.children


class RouterDirective(_FromCode):
    """``.. router:: gnn``: its docstring, its source and a table of its hyperparameters."""

    def run(self) -> list[nodes.Node]:
        """Read the class of the router."""
        from graphrouter.describe import router_settings, search_space
        from graphrouter.routers import find_router

        router = find_router(self.arguments[0])
        text = (inspect.getdoc(router) or "").partition("\nAttributes:\n")[0]
        lines = [f"**Source:** {router.source}", "", *text.splitlines(), ""]
        settings = [
            (f"``{one.name}``", f"``{one.default}``", one.allowed, one.about.replace("*", r"\*"))
            for one in router_settings(router)
        ]
        if not settings:
            return self.parse([*lines, "It has no hyperparameters."])
        lines += table("20 18 22 40", ("hyperparameter", "default", "allowed", "meaning"), *settings)
        if len(router.search_space) > 1:
            tried = "; ".join(f"``{one}``" for one in search_space(router))
            lines += [f"Settings that validation may choose: {tried}."]
        return self.parse(lines)


class LayoutsDirective(_FromCode):
    """``.. layouts:: all``: a table of the public layouts of logs."""

    def run(self) -> list[nodes.Node]:
        """Ask each layout what it looks like."""
        from graphrouter.formats import EXPORTS, format_names, layout

        rows = [(f"``{name}``", layout(name).LAYOUT, "yes" if name in EXPORTS else "") for name in format_names()]
        return self.parse(table("18 72 10", ("``--format``", "reads", "writes"), *rows))


class MetricsDirective(_FromCode):
    """``.. metrics:: edge``: a table of the metrics of edges, scenarios or curves."""

    def run(self) -> list[nodes.Node]:
        """Ask each metric."""
        from graphrouter.metrics import METRICS

        known = [metric for metric in METRICS.values() if metric.of == self.arguments[0]]
        rows = [(f"``{metric.name}``", "lower" if metric.lower else "higher", f"{metric.note}.") for metric in known]
        return self.parse(table("24 12 64", ("metric", "better", "value"), *rows))


class RelationsDirective(_FromCode):
    """``.. relations:: all``: a table of the relations of the graph."""

    def run(self) -> list[nodes.Node]:
        """Ask the table and the operators."""
        from graphrouter.graph import RELATIONS
        from graphrouter.nn.messages import OPERATORS

        rows = [
            (*(f"``{word}``" for word in relation), str(line.width or ""), "yes" if relation in OPERATORS else "")
            for relation, line in RELATIONS.items()
        ]
        head = ("from", "relation", "to", "attributes of an edge", "carries messages of ``smoothing``")
        return self.parse(table("15 25 15 20 25", head, *rows))


def table(widths: str, *rows: tuple[str, ...]) -> list[str]:
    """Return a list-table in reStructuredText, with a head and the relative widths of its columns."""
    lines = [".. list-table::", "   :header-rows: 1", f"   :widths: {widths}", ""]
    for row in rows:
        lines += [f"   {'* -' if place == 0 else '  -'} {cell}" for place, cell in enumerate(row)]
    return [*lines, ""]


class HelpDirective(_FromCode):
    """``.. help:: graphrouter``: what ``--help`` of a command and of its subcommands prints, as it is today."""

    def run(self) -> list[nodes.Node]:
        """Ask the command."""
        words = self.arguments[0].split()
        text = ask_help(words)
        lines = ["::", "", *(f"   {line}" for line in text.splitlines()), ""]
        for name in subcommands(text):
            title = " ".join([*words, name])
            lines += [title, "-" * len(title), "", "::", ""]
            lines += [*(f"   {line}" for line in ask_help([*words, name]).splitlines()), ""]
        return self.parse(lines)


def ask_help(words: list[str]) -> str:
    """Return what ``WORDS --help`` prints, 86 characters wide; ``words`` are a module and subcommands."""
    done = subprocess.run(
        [sys.executable, "-m", *words, "--help"],
        cwd=ROOT,
        env=os.environ | {"COLUMNS": "86", "PYTHONPATH": str(ROOT), "NO_COLOR": "1"},
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout.rstrip()


def subcommands(text: str) -> list[str]:
    """Return the subcommands that a help text lists."""
    _, _, listed = text.partition("\n  COMMAND\n")
    return re.findall(r"^    ([\w-]+)(?:  .*)?$", listed.partition("\n\n")[0], re.MULTILINE)


def setup(app: Any) -> dict[str, bool]:
    """Add the directives to Sphinx."""
    app.add_directive("router", RouterDirective)
    app.add_directive("layouts", LayoutsDirective)
    app.add_directive("relations", RelationsDirective)
    app.add_directive("metrics", MetricsDirective)
    app.add_directive("help", HelpDirective)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
