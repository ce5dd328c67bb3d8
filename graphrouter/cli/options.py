"""Options that several commands share."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Collection, Mapping
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

from graphrouter.errors import UserError, printable

if TYPE_CHECKING:
    from graphrouter.log import LLMLog
    from graphrouter.run import RunOptions

KEEPS = "what is finished is kept, and the same command goes on from there"

ENCODER_HELP = (
    "tfidf, tfidf:N, a folder or a hub name; causal:MODEL, the hidden states of a language model; 'A + B', both; your own vectors: log (column vector of queries.parquet) or FILE.npy (a row for "
    "each query, sorted by query_id) (default: the log's own, or MiniLM)"
)


def add_command(
    commands: Any,
    name: str,
    run: Callable[[argparse.Namespace], int | None],
    text: str,
    *,
    overrides: str = "",
    resume: str = "",
) -> argparse.ArgumentParser:
    """Add a command to the parser.

    Args:
        commands: From ``add_subparsers``.
        name: Name of the command.
        run: Takes the parsed arguments; may return an exit status other than 0.
        text: Description of the command.
        overrides: Help for its ``KEY=VALUE`` words; empty where it takes none.
        resume: Message after Ctrl-C.
    """
    epilog = f"KEY=VALUE: {overrides}" if overrides else None
    parser: argparse.ArgumentParser = commands.add_parser(
        name, help=text, description=text, epilog=epilog, allow_abbrev=False
    )
    parser.set_defaults(run=run, takes_overrides=bool(overrides), **({"resume": resume} if resume else {}))
    return parser


def finish(parser: argparse.ArgumentParser) -> None:
    """Note the options and how the command is typed, for errors, and name the overrides in the usage line."""
    options = [option for action in parser._actions for option in action.option_strings]
    parser.set_defaults(options=options, prog=parser.prog)
    if parser.get_default("takes_overrides"):
        parser.usage = f"{parser.format_usage().removeprefix('usage: ').rstrip()} [KEY=VALUE ...]"


def add_settings(parser: argparse.ArgumentParser, schemas: Mapping[str, str], without: Collection[str] = ()) -> None:
    """Add ``--settings``, which lists the settings of dataclasses and leaves.

    Args:
        parser: Parser of the command.
        schemas: ``module:Class`` by title; a module with ranges has them as ``ALLOWED``.
        without: Fields that are not listed.
    """

    class ShowSettings(argparse.Action):
        def __call__(self, parser: argparse.ArgumentParser, *_: Any, **__: Any) -> None:
            from graphrouter.describe import format_settings, settings_of

            for title, schema in schemas.items():
                place, name = schema.split(":")
                module = import_module(place)
                listed = settings_of(getattr(module, name), getattr(module, "ALLOWED", {}), without=without)
                print(f"{title}:", format_settings(listed), "", sep="\n")
            parser.exit()

    text = "list what a file or KEY=VALUE may set, with types, defaults and ranges, and leave"
    parser.add_argument(
        "--settings", action=ShowSettings, nargs=0, dest=argparse.SUPPRESS, default=argparse.SUPPRESS, help=text
    )


def add_fitting(parser: argparse.ArgumentParser) -> None:
    """Add what a command that fits routers takes: the encoder, the cost, where and how to run, and W&B."""
    parser.add_argument("--encoder", metavar="SPEC", help=ENCODER_HELP)
    add_cost(parser)
    add_run(parser)
    add_wandb(parser)


def add_saved_router(parser: argparse.ArgumentParser) -> None:
    """Add what a command that uses a saved router takes: its folder, and its encoder."""
    parser.add_argument("router", metavar="ROUTER", help="folder of a saved router")
    parser.add_argument("--encoder", metavar="SPEC", help="where the router's encoder is now, if its folder has moved")
    parser.add_argument(
        "--code", metavar="FILE.py:CLASS", help="class of a router of your own, which is not run unasked"
    )


def add_scenarios(parser: argparse.ArgumentParser) -> None:
    """Add the option that chooses scenarios."""
    parser.add_argument(
        "--scenarios", metavar="A,B", type=names, help="performance_first, balance, cost_first, or judge"
    )


def add_cost(parser: argparse.ArgumentParser) -> None:
    """Add the options that estimate the cost of a log without one."""
    parser.add_argument("--estimate-cost", action="store_const", const=True, help="estimate costs that the log lacks")
    parser.add_argument("--prices", metavar="FILE", help="YAML with prices for the estimate, laid over those by size")


def add_run(parser: argparse.ArgumentParser) -> None:
    """Add the options that say where and how to run."""
    add_device(parser)
    parser.add_argument("--quiet", action="store_true", help="show no progress")


def add_device(parser: argparse.ArgumentParser) -> None:
    """Add the option that says where to run."""
    parser.add_argument("--device", default="auto", help="cpu, cuda or auto (default: auto)")


def add_wandb(parser: argparse.ArgumentParser) -> None:
    """Add the option that logs training to Weights & Biases."""
    parser.add_argument(
        "--wandb", choices=("off", "offline", "online"), default="off", help="log training, in OUT/wandb (default: off)"
    )


def run_options(args: argparse.Namespace) -> RunOptions:
    """Return where and how to run.

    Raises:
        UserError: If the device is not at hand.
    """
    from graphrouter.run import RunOptions

    if args.device != "cpu":
        from graphrouter.training import pick_device

        pick_device(args.device)
    folder = Path(args.out) if getattr(args, "out", None) else None
    wandb = getattr(args, "wandb", "off")
    return RunOptions(device=args.device, progress=not args.quiet, wandb=wandb, wandb_folder=folder)


def add_rare_tasks(parser: argparse.ArgumentParser) -> None:
    """Add the option of every command that splits a log. Without it `graphrouter.log.load_log` has the default, or a config."""
    parser.add_argument(
        "--rare-tasks",
        choices=("refuse", "pool", "drop"),
        help="tasks with fewer than two differently worded scored queries: refuse the log, pool their queries and divide "
        "them as one task, or drop them from training and evaluation (default: refuse)",
    )


def open_log(source: str, estimate: bool | None, prices: str | None, rare_tasks: str | None = None) -> LLMLog:
    """Load a log, estimate its cost where that is asked for, and say what a split does with rare tasks."""
    from graphrouter.log import load_log

    if prices and not estimate:
        raise UserError("--prices are for an estimate; give --estimate-cost with them")
    log = load_log(source, rare_tasks)
    if not estimate:
        return log
    from graphrouter.costs import estimate_cost

    return estimate_cost(log, Path(prices) if prices else None)


def names(text: str) -> list[str]:
    """Split ``a,b`` at its commas."""
    return [part.strip() for part in text.split(",") if part.strip()]


def tell(text: str) -> None:
    """Print a line on standard error, where it is in nobody's way."""
    print(printable(text), file=sys.stderr, flush=True)
