"""A sweep file in W&B's format, run here in parallel through Optuna, or on W&B's servers through its agent.

Usage: python -m experiments sweep small --out runs/sweep --jobs 4 --check 5
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from experiments.command import STARTED, add_logging, run_command
from graphrouter.cli.options import KEEPS, add_command, finish, tell

if TYPE_CHECKING:
    from experiments.sweeps.file import Sweep

OVERRIDES = "a fixed value in a parameter's place, or one more: log=mmlu_pro, gnn.steps=400, seeds=2"


def add_commands(commands: Any) -> None:
    """Add the command."""
    text = "Search hyperparameters on validation; keep every run, the best configuration and its check on test queries."
    parser = add_command(commands, "sweep", run, text, overrides=OVERRIDES, resume=KEEPS)
    parser.add_argument("file", metavar="FILE", help="sweep file in W&B's format, or a name in configs/sweep")
    parser.add_argument("--out", metavar="DIR", help="results folder; needed but with --agent")
    parser.add_argument("--jobs", type=int, metavar="N", help="runs at a time, one thread each (default: one per core)")
    parser.add_argument("--runs", type=int, metavar="N", help="in place of the file's run_cap")
    parser.add_argument(
        "--check", type=int, default=0, metavar="N", help="then compare best and default on test, on N further seeds"
    )
    parser.add_argument("--agent", action="store_true", help="register the sweep with W&B and run what it asks for")
    parser.add_argument("--quiet", action="store_true", help="show no progress")
    add_logging(parser)
    finish(parser)


def run(args: argparse.Namespace) -> None:
    """Run the sweep.

    Raises:
        UserError: If the file or an option is wrong, or no trial finished.
    """
    from experiments.sweeps.file import read_sweep
    from graphrouter.errors import UserError

    for name, least in (("jobs", 1), ("runs", 1), ("check", 0)):
        if (value := getattr(args, name)) is not None and value < least:
            raise UserError(f"--{name} must be {least} or more, but is {value}")
    sweep = read_sweep(args.file, args.overrides, args.runs)
    if args.agent:
        from experiments.sweeps.agent import run_agent

        if args.wandb != "online":
            raise UserError(f"--agent works for W&B's servers, so it needs --wandb online, but that is {args.wandb}")
        tell(f"sweep: {run_agent(sweep, args.project, args.runs)}")
        return
    if args.out is None:
        raise UserError("--out must name the results folder, but is absent; give --out runs/NAME")
    _run_here(sweep, args)


def _run_here(sweep: Sweep, args: argparse.Namespace) -> None:
    from tqdm import tqdm

    from experiments.launch import Processes
    from experiments.runs.data import warm_up
    from experiments.runs.wandb_log import Logging
    from experiments.sweeps.check import check
    from experiments.sweeps.outcome import write_outcome
    from experiments.sweeps.runner import SweepRun

    out, jobs = Path(args.out), args.jobs or os.cpu_count() or 1
    logging = Logging(args.wandb, out, args.project or sweep.project, sweep.name)
    made = SweepRun(sweep, out, jobs, logging)
    made.begin()
    warm_up(made.base, progress=not args.quiet)
    with Processes(jobs) as workers:
        with tqdm(total=sweep.runs + 1, desc=sweep.name, unit="run", disable=args.quiet or None) as bar:
            made.say = lambda line: _say(bar, line, args.quiet)
            made.run(workers)
        print(write_outcome(made))
        if args.check:
            print(check(made, args.check, workers))
    tell(f"sweep: {out}/best.yaml; a page with figures: {STARTED} report {out} --out {out}/report.html")


def _say(bar: Any, line: str, quiet: bool) -> None:
    if line and not quiet:
        bar.write(line, file=sys.stderr)
    bar.update()


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command with its words."""
    return run_command(sys.modules[__name__], "sweep", argv)


if __name__ == "__main__":
    sys.exit(main())
