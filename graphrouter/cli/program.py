"""Common steps of all commands: parse, run, and turn errors into a line and an exit status."""

from __future__ import annotations

import argparse
import os
import sys
import warnings
from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import Any, NoReturn, Protocol

from graphrouter.errors import UserError, cut, first_line, printable, suggest
from graphrouter.files import is_disk_full, locked

LONGEST_ERROR = 2000  # characters; a name in it may be as long as a file


class CommandGroup(Protocol):
    """A module that adds commands to a program."""

    def add_commands(self, commands: Any) -> None:
        """Add them to what ``add_subparsers`` gave."""


@dataclass(frozen=True)
class Program:
    """A command with subcommands.

    Attributes:
        name: As it is typed.
        description: Purpose, in a sentence.
        epilog: Text below its help.
        groups: Modules with the subcommands.
        started: Command that starts it, for usage lines; empty where that is the name.
    """

    name: str
    description: str
    epilog: str
    groups: Sequence[CommandGroup]
    started: str = ""

    def main(self, argv: Sequence[str] | None = None) -> int:
        """Run a command.

        Args:
            argv: The words after the program's name; None for those of the process.

        Returns:
            The exit status: 0, or what the command says; 2 after an error that the user can mend, 130 after Ctrl-C, 141
            when the reader of the output has gone.
        """
        args = argparse.Namespace()
        try:
            _, rest = self._parser().parse_known_args(argv, args)
            args.overrides = self._overrides(args, rest)
            with warnings.catch_warnings():
                warnings.showwarning = self._show_warning
                with _output_of(args):
                    status: int = args.run(args) or 0
            sys.stdout.flush()
        except UserError as error:
            self._say(f"error: {cut(' '.join(str(error).split()), LONGEST_ERROR)}")
            return 2
        except RecursionError:
            self._say(
                "error: what is read must nest less deeply than Python can follow, but a file or a value does not"
            )
            return 2
        except KeyboardInterrupt:
            self._say(f"interrupted; {_resume(args)}")
            return 130
        except BrokenPipeError:
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            return 141
        except Exception as error:
            if not is_disk_full(error):
                raise
            self._say(f"error: there is no room left on a disk ({first_line(error)}); free some, and {_resume(args)}")
            return 2
        return status

    def _parser(self) -> _Parser:
        parser = _Parser(
            prog=self.started or self.name, description=self.description, epilog=self.epilog, allow_abbrev=False
        )
        parser.add_argument("--version", action=_Version, nargs=0, help="print the version and leave")
        commands = parser.add_subparsers(title="commands", metavar="COMMAND", required=True, dest="command")
        for group in self.groups:
            group.add_commands(commands)
        return parser

    def _overrides(self, args: argparse.Namespace, rest: list[str]) -> list[str]:
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
                raise UserError(f"{args.command} does not take {word!r}; see {args.prog} --help")
        return rest

    def _show_warning(self, message: Warning | str, *_: object, **__: object) -> None:
        self._say(f"warning: {' '.join(str(message).split())}")

    def _say(self, text: str) -> None:
        print(f"{self.name}: {printable(text)}", file=sys.stderr, flush=True)


def _resume(args: argparse.Namespace) -> str:
    return str(getattr(args, "resume", "run the same command again"))


def _output_of(args: argparse.Namespace) -> AbstractContextManager[None]:
    """Return the lock on what a command writes, so that two at once do not write the same."""
    out = getattr(args, "out", None)
    return locked(out) if out and not getattr(args, "shares_out", False) else nullcontext()


class _Parser(argparse.ArgumentParser):
    """Raises a `UserError` where argparse would print several lines and leave."""

    def error(self, message: str) -> NoReturn:
        raise UserError(f"{message}; see {self.prog} --help")


class _Version(argparse.Action):
    def __call__(self, parser: argparse.ArgumentParser, *_: object) -> None:
        from importlib.metadata import PackageNotFoundError, version

        try:
            print(f"{parser.prog} {version('graphrouter')}")
        except PackageNotFoundError:
            print(f"{parser.prog} (not installed)")
        parser.exit()
