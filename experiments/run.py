"""One configuration from the command line: what `wandb agent` starts for a sweep, and what one run by hand is.

Usage: python -m experiments run log=micropool gnn.dropout=0.3 seed=1 --out runs/one; from a checkout also
       python experiments/run.py ..., which is what W&B's ${program} stands for.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from graphrouter.cli.options import KEEPS, add_command, add_run, finish, run_options, tell

OPTIONS = ("--out", "--wandb", "--project", "--device", "--quiet", "--help", "-h", "--version")
OVERRIDES = (
    "a field of a run (log, router, encoder, seed, protocol, train_share, ...), seeds=N for the mean over N seeds, or "
    "a hyperparameter of its router, such as gnn.dropout=0.3; --KEY=VALUE is the same, as `wandb agent` writes it"
)


def add_commands(commands: Any) -> None:
    """Add the command."""
    from experiments.command import add_logging

    text = "Fit and score one configuration, and write runs/ID/run.json; log it to W&B."
    parser = add_command(commands, "run", run, text, overrides=OVERRIDES, resume=KEEPS)
    parser.add_argument("--out", default="runs/single", metavar="DIR", help="results folder (default: runs/single)")
    add_logging(parser)
    if os.environ.get("WANDB_SWEEP_ID"):
        parser.set_defaults(wandb="online")
    add_run(parser)
    parser.set_defaults(shares_out=True)  # agents of a sweep run side by side, each run in a folder of its own
    finish(parser)


def run(args: argparse.Namespace) -> None:
    """Run the configuration, and print its metrics.

    Raises:
        UserError: If a value is wrong, or the run failed.
    """
    from dataclasses import replace

    from experiments.runs.configuration import SeedRuns, read_configs
    from experiments.runs.wandb_log import Logging, mean_metrics
    from experiments.sweeps.file import parse_words
    from graphrouter.errors import UserError
    from graphrouter.files import check_writable

    configs = read_configs(parse_words(args.overrides), (), "command line")
    check_writable(args.out, "the run")
    out = Path(args.out)
    made = SeedRuns(configs, out, logging=Logging(args.wandb, out, args.project))
    records = made.run(replace(run_options(args), wandb="off"))  # logged as a whole, not each training on its own
    if (error := records[-1]["error"]) is not None:
        raise UserError(f"the run must finish, but {error}; see {made.folder(configs[len(records) - 1])}/run.json")
    for name, value in mean_metrics(records).items():
        print(f"{name:<45} {value:.5f}")
    tell(f"run: {', '.join(str(made.folder(config)) for config in configs)}")


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command with its words."""
    from experiments.command import run_command

    words = sys.argv[1:] if argv is None else argv
    return run_command(sys.modules[__name__], "run", [word[2:] if _is_value(word) else word for word in words])


def _is_value(word: str) -> bool:
    """Whether a word is ``--key=value`` of a run, and not an option."""
    return word.startswith("--") and "=" in word and word.partition("=")[0] not in OPTIONS


if __name__ == "__main__":
    if not __package__:  # started as a file, as W&B's ${program} does: the checkout is where `experiments` is
        sys.path[0] = str(Path(__file__).resolve().parents[1])
    sys.exit(main())
