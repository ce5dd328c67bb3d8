"""The command line of the tables: one command each, alike in all of them."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from experiments.command import STARTED
from graphrouter.cli.options import ENCODER_HELP, KEEPS, add_command, add_rare_tasks, add_run, finish, names, tell
from graphrouter.cli.program import CommandGroup, Program

if TYPE_CHECKING:
    from experiments.paper.table import PaperTable

PAPER = f"{STARTED} paper"
OVERRIDES = "a hyperparameter of a router, such as graphrouter.learning_rate=0.01, or settings=4 with --tune-by"


def add_table(
    commands: Any,
    name: str,
    rebuild: Callable[[argparse.Namespace], PaperTable],
    text: str,
    log: str,
    *,
    routers: bool = True,
    cost: bool = False,
    options: Callable[[argparse.ArgumentParser], None] | None = None,
) -> None:
    """Add a table's command.

    Args:
        commands: From ``add_subparsers``.
        name: Name of the command.
        rebuild: Makes the table from the parsed arguments.
        text: Description of the table.
        log: Description of LOG.
        routers: Whether it fits routers, so that it takes the options for that.
        cost: Whether it estimates the cost that a log lacks.
        options: Adds further ones.
    """

    def run(args: argparse.Namespace) -> None:
        from pathlib import Path

        from graphrouter.errors import UserError
        from graphrouter.files import check_writable

        if routers and args.seeds < 1:
            raise UserError(f"--seeds must be 1 or more, but is {args.seeds}")
        check_writable(args.out, "the table")
        table = rebuild(args)
        table.save(Path(args.out))
        print(table.markdown())
        tell(f"table: {args.out}/{table.name}.md and .csv")

    parser = add_command(commands, name, run, text, overrides=OVERRIDES if routers else "", resume=KEEPS)
    parser.add_argument("log", metavar="LOG", help=log)
    parser.add_argument("--out", required=True, metavar="DIR", help="folder for the table and what it was made of")
    if routers:
        parser.add_argument("--seeds", type=int, default=5, metavar="N", help="from 0 (default: 5)")
        parser.add_argument("--tune-by", choices=("nll", "reward", "none"), default="none", help="default: none")
        parser.add_argument("--encoder", metavar="SPEC", help=ENCODER_HELP)
    if cost:
        parser.add_argument("--prices", metavar="FILE", help="YAML with prices for a cost that the log lacks")
    if options:
        options(parser)
    add_rare_tasks(parser)
    add_run(parser)
    finish(parser)


def add_level_options(parser: argparse.ArgumentParser) -> None:
    """Add what the evaluation of a level takes."""
    parser.add_argument("--split-seed", type=int, default=0, metavar="N", help="of the log's split (default: 0)")
    parser.add_argument("--encoder", metavar="SPEC", help=f"of the routers: {ENCODER_HELP}")
    parser.add_argument("--routers", type=names, metavar="A,B", help="default: best_single,best_per_task,gnn")
    parser.add_argument("--base", metavar="NAME", help="what the students were tuned from, an LLM of either log")


def main(module: CommandGroup, name: str) -> int:
    """Run one table's command with the words of the process."""
    program = Program("paper", "A published table, rebuilt from a log.", "", [module], PAPER)
    return program.main([name, *sys.argv[1:]])
