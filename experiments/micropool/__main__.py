"""``python -m experiments micropool make | train | tasks | table | pack``."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Any

from experiments.command import STARTED
from experiments.micropool.measure import report
from graphrouter.cli.options import KEEPS, add_command, finish, tell
from graphrouter.cli.program import Program
from graphrouter.errors import UserError
from graphrouter.files import check_writable
from graphrouter.log import load_log

OVERRIDES = "a key of the pool's YAML, such as scale=0.25 or seed=1"


def add_commands(commands: Any) -> None:
    """Add the commands."""
    for name, run, text in (
        ("make", make, "train the models of a pool, ask them all questions, and print what the log shows"),
        ("train", train, "train the models of a pool, and write llms.yaml for fusion collect"),
        ("tasks", tasks, "write the pool's evaluation questions as tasks for fusion collect"),
    ):
        parser = add_command(commands, name, run, text, overrides=OVERRIDES, resume=KEEPS)
        parser.add_argument("--pool", default="pool", help="YAML file, or a name in configs/micropool (default: pool)")
        parser.add_argument("--out", required=True, metavar="DIR", help="folder for what is made")
        if name != "tasks":
            parser.add_argument("--jobs", type=int, default=4, help="models trained at a time (default: 4)")
            parser.add_argument("--device", default="auto", help="cpu, cuda or auto (default: auto)")
            parser.add_argument("--quiet", action="store_true", help="show no progress")
        finish(parser)
    parser = add_command(commands, "table", table, "print candidates x tasks of a log, and what the pool must show")
    parser.add_argument("log", metavar="LOG")
    finish(parser)
    parser = add_command(
        commands, "pack", pack, "write a collected log as it comes with the package, with its data card"
    )
    parser.add_argument("log", metavar="LOG")
    parser.add_argument("--out", required=True, metavar="DIR", help="a new folder, or one that holds a log")
    finish(parser)


def make(args: argparse.Namespace) -> None:
    """Train a pool and collect its log."""
    from fusion.collect import collect, make_plan
    from fusion.llms import read_llms

    train(args)
    out = Path(args.out)
    args.out = str(out / "tasks")
    tasks(args)
    plan = make_plan([str(file) for file in sorted((out / "tasks").glob("*.yaml"))], read_llms(out / "llms.yaml"))
    done = collect(plan, out / "log", progress=not args.quiet)
    tell(f"{out / 'log'}: {done.log.records.height:,} of {done.cells:,} cells")
    print(report(done.log))


def train(args: argparse.Namespace) -> None:
    """Train a pool."""
    from experiments.micropool.config import read_pool

    if args.jobs < 1:
        raise UserError(f"--jobs must be 1 or more, but is {args.jobs}")
    pool = read_pool(args.pool, args.overrides)
    check_writable(args.out, "the pool")
    from experiments.micropool.pool import train_pool
    from graphrouter.training import pick_device

    device = str(pick_device(args.device))
    folders = train_pool(pool, Path(args.out), args.jobs, device, not args.quiet)
    tell(f"{args.out}: {len(folders)} models; ask them with fusion collect --llms {args.out}/llms.yaml")


def tasks(args: argparse.Namespace) -> None:
    """Write the tasks."""
    from experiments.micropool.config import read_pool
    from experiments.micropool.pool import write_tasks

    pool = read_pool(args.pool, args.overrides)
    check_writable(args.out, "the tasks")
    files = write_tasks(pool, Path(args.out))
    tell(f"{args.out}: {len(files)} tasks of {pool.questions} questions")


def table(args: argparse.Namespace) -> None:
    """Print the table of a collected log."""
    print(report(load_log(args.log)))


def pack(args: argparse.Namespace) -> None:
    """Write a log and its card."""
    from experiments.micropool.packing import pack as write

    tell(f"{write(Path(args.log), Path(args.out))}: the log with its card")


PROGRAM = Program(
    "micropool",
    "Tiny language models, trained from random weights, whose real log comes with graphrouter.",
    "",
    [sys.modules[__name__]],
    f"{STARTED} micropool",
)
main = PROGRAM.main

if __name__ == "__main__":
    sys.exit(main())
