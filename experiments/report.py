"""Results of ablations, sweeps, runs and comparisons -> one page, or a W&B report.

Usage: python -m experiments report RUNS [RUNS ...] --out report.html [--title T] [--wandb ENTITY/PROJECT]
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from experiments.command import run_command
from graphrouter.cli.options import add_command, finish, tell
from graphrouter.errors import UserError


def add_commands(commands: Any) -> None:
    """Add the one command."""
    parser = add_command(commands, "report", report, "write a page on results")
    parser.add_argument(
        "runs",
        nargs="+",
        metavar="RUNS",
        help="folder of an ablation, a sweep, a run, a comparison or offline W&B runs; or wandb:ENTITY/PROJECT",
    )
    parser.add_argument("--out", metavar="FILE", help="page to write")
    parser.add_argument("--title", default="", help="heading of the page")
    parser.add_argument("--wandb", metavar="ENTITY/PROJECT", help="publish as a W&B report too; needs an account")
    finish(parser)


def report(args: argparse.Namespace) -> None:
    """Write the page."""
    from experiments.reporting import read_runs, render
    from graphrouter.evaluation.report.numbers import count
    from graphrouter.files import replace_file

    if not args.out and not args.wandb:
        raise UserError("a report must go somewhere; give --out FILE, --wandb ENTITY/PROJECT, or both")
    runs = read_runs(args.runs)
    if args.out:
        page = render(runs, args.title).encode()
        replace_file(Path(args.out), page)
        tell(f"{args.out}: {count(len(runs), 'run')}, {len(page) / 1e6:.1f} MB")
    if args.wandb:
        from experiments.reporting.publish import publish

        tell(publish(runs, args.wandb, args.title or "Experiments"))


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command with its words."""
    return run_command(sys.modules[__name__], "report", argv)


if __name__ == "__main__":
    sys.exit(main())
