"""One door to all experiments: ``python -m experiments COMMAND ...``, or ``graphrouter-experiments`` where it is installed."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from importlib import import_module
from typing import Any

from experiments.command import DESCRIPTION, STARTED
from graphrouter.cli.options import add_command, finish
from graphrouter.cli.program import Program

COMMANDS = {
    "run": ("experiments.run", "fit and score one configuration"),
    "ablate": ("experiments.ablate", "run a base and named differences, and say what each is worth"),
    "sweep": ("experiments.sweep", "search hyperparameters on validation, by a sweep file in W&B's format"),
    "report": ("experiments.report", "write one page on results"),
    "spine": ("experiments.spine", "print the tables of several comparisons"),
    "paper": ("experiments.paper.__main__", "rebuild published tables from logs"),
    "distil": ("experiments.distil.__main__", "find out which selection teaches a student most"),
    "micropool": ("experiments.micropool.__main__", "train tiny language models, and collect their log"),
}
"""Module of each command, imported when it is typed, and its line of help."""


class _Names:
    @staticmethod
    def add_commands(commands: Any) -> None:
        for name, (_, text) in COMMANDS.items():
            finish(add_command(commands, name, lambda _: None, text))


PROGRAM = Program("experiments", DESCRIPTION, f"Each has options of its own: {STARTED} run --help.", [_Names], STARTED)


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command.

    Args:
        argv: The words after the program's name; None for those of the process.

    Returns:
        The exit status, as of `Program.main`.
    """
    words = list(sys.argv[1:] if argv is None else argv)
    if not words or words[0] not in COMMANDS:
        return PROGRAM.main(words)
    status: int = import_module(COMMANDS[words[0]][0]).main(words[1:])
    return status


if __name__ == "__main__":
    sys.exit(main())
