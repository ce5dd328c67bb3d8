"""Which selection teaches a student most: arms x seeds on one log, each arm one `fusion select` and one `fusion train`.

Usage: python -m experiments distil run --config distil --out runs/distil pool=runs/micropool
       python -m experiments distil report --out runs/distil
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Any

from experiments.command import STARTED
from experiments.distil.config import read_distil
from experiments.distil.students import run_all
from experiments.distil.tables import report
from graphrouter.cli.options import KEEPS, add_command, finish, tell
from graphrouter.cli.program import Program
from graphrouter.errors import UserError
from graphrouter.files import replace_file


def add_commands(commands: Any) -> None:
    """Add the commands."""
    text = "select, train and ask every student, then print the tables"
    overrides = "a key of the config, such as seeds=1 train.max_steps=100"
    parser = add_command(commands, "run", run, text, overrides=overrides, resume=KEEPS)
    parser.add_argument("--config", default="distil", help="YAML, or a name in configs/experiments (default: distil)")
    parser.add_argument("--out", required=True, metavar="DIR", help="folder for all of it")
    parser.add_argument("--jobs", type=int, default=4, help="students at a time (default: 4)")
    parser.add_argument("--quiet", action="store_true", help="show no progress")
    finish(parser)
    parser = add_command(commands, "report", print_report, "print the tables of an experiment that has ended")
    parser.add_argument("--out", required=True, metavar="DIR")
    finish(parser)


def run(args: argparse.Namespace) -> None:
    """Run the experiment and print its tables."""
    if args.jobs < 1:
        raise UserError(f"--jobs must be 1 or more, but is {args.jobs}")
    run_all(read_distil(args.config, args.overrides), Path(args.out), args.jobs, not args.quiet)
    print_report(args)


def print_report(args: argparse.Namespace) -> None:
    """Print the tables, and write them to ``report.md``."""
    text = report(Path(args.out))
    replace_file(Path(args.out) / "report.md", f"{text}\n".encode())
    print(text)
    tell(f"{args.out}: report.md, and the numbers as CSV")


PROGRAM = Program(
    "distil",
    "Which selection teaches a student most.",
    "",
    [sys.modules[__name__]],
    f"{STARTED} distil",
)
main = PROGRAM.main

if __name__ == "__main__":
    sys.exit(main())
