"""``fusion collect`` and ``fusion tasks``."""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from graphrouter.cli.options import KEEPS, add_command, finish, names, tell
from graphrouter.errors import UserError

if TYPE_CHECKING:
    from fusion.collect import Collection, Plan


def add_commands(commands: Any) -> None:
    """Add both commands."""
    text = "ask LLMs the questions of tasks, grade the answers, and write a log"
    parser = add_command(commands, "collect", collect, text, resume=KEEPS)
    parser.add_argument(
        "--tasks", required=True, metavar="A,B", help="names (see 'fusion tasks'), 'all', or files of your own tasks"
    )
    parser.add_argument("--llms", required=True, metavar="FILE", help="YAML with the LLMs, their engines and prices")
    parser.add_argument(
        "--out", required=True, metavar="LOG", help="folder for the log; the same command goes on in it"
    )
    parser.add_argument("--only", metavar="A,B", help="only these LLMs of the file")
    parser.add_argument("--styles", metavar="A,B", help="only these styles: direct, reasoning")
    parser.add_argument("--limit", type=int, metavar="N", help="at most N questions of each task")
    parser.add_argument("--draws", type=int, default=1, metavar="N", help="answers per query and LLM (default: 1)")
    parser.add_argument("--seed", type=int, default=0, help="of the choice of questions and of sampling (default: 0)")
    parser.add_argument("--data", metavar="DIR", help="folder with local copies of the tasks' data sets")
    parser.add_argument("--budget", type=float, metavar="USD", help="most dollars that the log may cost")
    parser.add_argument("--regrade", action="store_true", help="grade earlier answers anew")
    parser.add_argument("--dry-run", action="store_true", help="say what would be asked and the most it can cost")
    parser.add_argument("--quiet", action="store_true", help="show no progress")
    finish(parser)
    finish(add_command(commands, "tasks", tasks, "list the tasks that come with the package"))


def collect(args: argparse.Namespace) -> None:
    """Collect a log, and say what came of it."""
    from fusion.collect import collect as run
    from fusion.collect import make_plan
    from fusion.llms import read_llms
    from fusion.tasks import task_names
    from fusion.tasks.base import STYLES

    styles = names(args.styles) if args.styles else None
    if styles is not None and (not styles or set(styles) - set(STYLES)):
        raise UserError(f"--styles must be among {', '.join(STYLES)}, but is {args.styles!r}")
    plan = make_plan(
        task_names() if args.tasks == "all" else names(args.tasks),
        read_llms(args.llms, names(args.only) if args.only else None),
        limit=args.limit,
        draws=args.draws,
        styles=styles,
        seed=args.seed,
        data=Path(args.data) if args.data else None,
    )
    if args.dry_run:
        _preview(plan)
        return
    done = run(plan, Path(args.out), budget=args.budget, regrade=args.regrade, progress=not args.quiet)
    _report(done, args.out)
    raise_problems(done.problems)


def tasks(args: argparse.Namespace) -> None:
    """Print a line for each task."""
    from fusion.tasks import find_task, task_names

    for name in task_names():
        task = find_task(name)
        print(f"{task.name:16} {task.domain:16} {task.metric:12} {task.hub.path if task.hub else ''}")


def raise_problems(problems: Mapping[str, UserError]) -> None:
    """End with an error where an LLM could not be asked; what the others answered is written by now.

    Raises:
        UserError: With the first problem.
    """
    for name, problem in problems.items():
        raise UserError(f"{name} could not be asked: {problem}")


def _preview(plan: Plan) -> None:
    from fusion.collect import preview

    print(f"{len(plan.questions):,} questions, {len(plan.cells):,} cells")
    for name, most in preview(plan).items():
        print(f"{name}: at most ${most:.4f}" if most else f"{name}: without prices")


def _report(done: Collection, out: str) -> None:
    log = done.log
    tell(
        f"{out}: {log.queries.height:,} queries, {log.llms.height} LLMs, {log.records.height:,} of {done.cells:,} cells"
    )
    tell(f"spent ${done.spent:.4f}" + ("; the budget ended the run, raise it to go on" if done.over_budget else ""))
    if done.failed:
        tell(
            f"{done.failed:,} cells got no answer and stay missing; {Path(out) / 'collect' / 'failed.csv'} has the reasons"
        )
