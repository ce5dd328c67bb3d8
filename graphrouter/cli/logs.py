"""``graphrouter inspect`` and ``graphrouter simulate``."""

from __future__ import annotations

import argparse
from typing import Any

from graphrouter.cli.options import add_command, add_cost, finish, open_log, tell


def add_commands(commands: Any) -> None:
    """Add both commands."""
    parser = add_command(commands, "inspect", inspect, "show what a log holds, and what is odd in it")
    parser.add_argument("log", metavar="LOG")
    add_cost(parser)
    finish(parser)
    parser = add_command(commands, "simulate", simulate, "make a simulated log, for trials and tests")
    parser.add_argument("--out", required=True, metavar="LOG", help="folder for the log; a log there is replaced")
    for option, default, text in (
        ("queries", 2000, "number of queries"),
        ("tasks", 8, "number of tasks"),
        ("llms", 12, "number of LLMs"),
        ("draws", 1, "records per cell"),
        ("seed", 0, "the same seed gives the same log"),
    ):
        parser.add_argument(f"--{option}", type=int, default=default, help=f"{text} (default: {default})")
    parser.add_argument("--missing", type=float, default=0.0, help="chance of a cell to have no record (default: 0)")
    finish(parser)


def inspect(args: argparse.Namespace) -> None:
    """Print the figures of a log."""
    from graphrouter.inspection import inspect_log

    print(inspect_log(open_log(args.log, args.estimate_cost, args.prices)).text())


def simulate(args: argparse.Namespace) -> None:
    """Write a simulated log."""
    from graphrouter.simulate import simulate as make

    log = make(args.queries, args.tasks, args.llms, args.missing, args.draws, args.seed)
    folder = log.save(args.out)
    tell(f"{folder}: {log.queries.height:,} queries, {log.llms.height} LLMs, {log.records.height:,} simulated records")
