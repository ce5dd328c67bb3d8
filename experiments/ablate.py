"""Ablations: a base, named differences, and what each is worth.

Usage: python -m experiments ablate --config small --out runs/ablation/small
       python -m experiments ablate tables --out runs/ablation/small
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from experiments.command import STARTED
from graphrouter.cli.options import KEEPS, add_command, finish, tell
from graphrouter.cli.program import Program

FAILED = 1
"""Exit status where a run has failed."""


def add_commands(commands: Any) -> None:
    """Add the commands."""
    text = "run what is not finished of a grid, then write its tables and figures"
    overrides = "seeds=3, or a key of the base, such as log=micropool gnn.steps=400"
    parser = add_command(commands, "run", run, text, overrides=overrides, resume=KEEPS)
    parser.add_argument("--config", required=True, metavar="FILE", help="YAML, or a name in configs/ablation")
    parser.add_argument("--out", required=True, metavar="DIR", help="folder for the runs, tables and figures")
    parser.add_argument("--only", metavar="FACTOR", help="run the base and one factor only")
    parser.add_argument("--jobs", type=int, default=4, help="runs at a time, each with one thread (default: 4)")
    parser.add_argument("--engine", default="processes", help="processes or ray (default: processes)")
    parser.add_argument("--quiet", action="store_true", help="show no progress")
    finish(parser)
    parser = add_command(commands, "tables", tables, "write the tables and figures of the runs that are finished")
    parser.add_argument("--out", required=True, metavar="DIR", help="folder of an ablation")
    parser.add_argument("--quiet", action="store_true", help="show no progress")
    finish(parser)


def run(args: argparse.Namespace) -> None:
    """Run a grid and write its tables."""
    from experiments.ablation.grid import read_plan
    from experiments.ablation.results import begin
    from experiments.runs.jobs import run_all

    plan = read_plan(args.config, args.overrides)
    out = Path(args.out)
    jobs = plan.jobs(args.only, out)
    begin(out, plan)
    counts = run_all(jobs, args.jobs, args.engine, progress=not args.quiet)
    if counts.finished + counts.kept:
        tables(args)
    for id_, error in list(counts.failed.items())[:5]:
        tell(f"{id_} failed: {error}")
    said = f"{out}: {counts.finished} runs finished, {counts.kept} kept from before, {len(counts.failed)} failed"
    tell(said + ("; the same command runs those again" if counts.failed else ""))
    if counts.failed:
        raise SystemExit(FAILED)


def tables(args: argparse.Namespace) -> None:
    """Write the tables and print the one in Markdown."""
    from experiments.ablation.tables import write_tables

    out = Path(args.out)
    write_tables(out, progress=not args.quiet)
    print((out / "table.md").read_text(encoding="utf-8"))


PROGRAM = Program(
    "ablate",
    "Ablations: a base, named differences, and what each is worth.",
    "Without a command, it is run.",
    [sys.modules[__name__]],
    f"{STARTED} ablate",
)


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command; ``run`` where none is named.

    Returns:
        The exit status, as of `Program.main`.

    Raises:
        SystemExit: With status 1 where a run of the grid has failed.
    """
    words = list(sys.argv[1:] if argv is None else argv)
    if words and words[0] not in ("run", "tables", "-h", "--help", "--version"):
        words.insert(0, "run")
    return PROGRAM.main(words)


if __name__ == "__main__":
    sys.exit(main())
