"""How the commands of `experiments` are typed."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from graphrouter.cli.program import CommandGroup, Program

DESCRIPTION = "Experiments on multi-LLM logs."
SCRIPT = "graphrouter-experiments"
STARTED = SCRIPT if Path(sys.argv[0]).name == SCRIPT else "python -m experiments"
"""Words before a command's name: those of the installed script, or of a checkout and an installation alike."""


def run_command(group: CommandGroup, name: str, words: Sequence[str] | None) -> int:
    """Run the one command of a module.

    Args:
        group: The module.
        name: Name of the command.
        words: Those after the name; None for those of the process.

    Returns:
        The exit status, as of `Program.main`.
    """
    return Program("experiments", DESCRIPTION, "", [group], STARTED).main(
        [name, *(sys.argv[1:] if words is None else words)]
    )


def add_logging(parser: argparse.ArgumentParser) -> None:
    """Add the options that log runs to W&B."""
    text = "log to W&B (default: off; for a run that `wandb agent` starts: online)"
    parser.add_argument("--wandb", choices=("off", "offline", "online"), default="off", help=text)
    parser.add_argument("--project", metavar="NAME", help="on W&B (default: the agent's or the file's, or graphrouter)")
