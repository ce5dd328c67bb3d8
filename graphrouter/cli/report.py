"""``graphrouter report``."""

from __future__ import annotations

import argparse
from typing import Any

from graphrouter.cli.options import add_command, finish, tell


def add_commands(commands: Any) -> None:
    """Add the command."""
    text = "write the tables, figures and page of a finished comparison or evaluation again"
    parser = add_command(commands, "report", report, text)
    parser.add_argument("folder", metavar="DIR", help="the --out of graphrouter compare or evaluate")
    finish(parser)


def report(args: argparse.Namespace) -> None:
    """Score what is kept, print the table, and name the report."""
    from graphrouter.evaluation import format_table, summarise

    print(format_table(summarise(args.folder)))
    tell(f"report: {args.folder}/report.html")
