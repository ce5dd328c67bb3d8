"""The command ``graphrouter``. Heavy packages are imported inside the command that needs them."""

from __future__ import annotations

import argparse
import os
import sys
import warnings
from collections.abc import Sequence
from typing import NoReturn

from graphrouter.cli import compare, evaluate, logs, route, train
from graphrouter.errors import UserError, suggest

DESCRIPTION = "Turn a multi-LLM log into a router, and compare routers honestly."
LOG_HELP = (
    "LOG is a folder with queries, llms and records as Parquet, or 'simulated' for the log that comes with the package."
)


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command.

    Args:
        argv: The words after ``graphrouter``; None for those of the process.

    Returns:
        The exit status: 0, 2 after an error that the user can mend, 130 after Ctrl-C, 141 when the reader of the
        output has gone.
    """
    args = argparse.Namespace()
    try:
        _, rest = _parser().parse_known_args(argv, args)
        args.overrides = _overrides(args, rest)
        with warnings.catch_warnings():
            warnings.showwarning = _show_warning
            args.run(args)
        sys.stdout.flush()
    except UserError as error:
        _say(f"error: {' '.join(str(error).split())}")
        return 2
    except KeyboardInterrupt:
        _say(f"interrupted; {getattr(args, 'resume', 'run the same command again')}")
        return 130
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 141
    return 0


class _Parser(argparse.ArgumentParser):
    """Raises a `UserError` where argparse would print several lines and leave."""

    def error(self, message: str) -> NoReturn:
        raise UserError(f"{message}; see {self.prog} --help")


def _parser() -> _Parser:
    parser = _Parser(prog="graphrouter", description=DESCRIPTION, epilog=LOG_HELP, allow_abbrev=False)
    parser.add_argument("--version", action=_Version, nargs=0, help="print the version and leave")
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", required=True, dest="command")
    for group in (logs, compare, train, evaluate, route):
        group.add_commands(commands)
    return parser


def _overrides(args: argparse.Namespace, rest: list[str]) -> list[str]:
    """Return the ``key=value`` words among those that the parser did not know.

    Raises:
        UserError: If there is another word, or the command takes no overrides.
    """
    if getattr(args, "text", "") is None and rest and not rest[0].startswith("-"):
        args.text = rest.pop(0)  # argparse misses an optional word that comes after the options
    for word in rest:
        if word.startswith("-"):
            option = word.partition("=")[0]
            raise UserError(f"{args.command} has no option {option}{suggest(option, args.options)}")
        if not args.takes_overrides:
            raise UserError(f"{args.command} does not take {word!r}; see graphrouter {args.command} --help")
    return rest


class _Version(argparse.Action):
    def __call__(self, parser: argparse.ArgumentParser, *_: object) -> None:
        from importlib.metadata import PackageNotFoundError, version

        try:
            print(f"graphrouter {version('graphrouter')}")
        except PackageNotFoundError:
            print("graphrouter (not installed)")
        parser.exit()


def _show_warning(message: Warning | str, *_: object, **__: object) -> None:
    _say(f"warning: {' '.join(str(message).split())}")


def _say(text: str) -> None:
    print(f"graphrouter: {text}", file=sys.stderr, flush=True)
