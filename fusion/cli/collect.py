"""``fusion collect`` and ``fusion tasks``."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fusion.engines import ENGINES
from graphrouter.cli.options import ENCODER_HELP, KEEPS, add_command, add_rare_tasks, add_settings, finish, names, tell
from graphrouter.errors import UserError

if TYPE_CHECKING:
    from fusion.collect import Collection, CollectionPlan, Guiding


UNANSWERED = 3
"""Exit status of a run that came to its end, and left a candidate without any answer: the log lacks what was asked for."""


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
    _add_guides(parser)
    parser.add_argument("--regrade", action="store_true", help="grade earlier answers anew")
    llms = {"keys of each LLM in FILE, or of 'defaults' for all": "fusion.llms:LLM"}
    engines = {f"further keys with engine: {name}": ":".join(place) for name, place in ENGINES.items()}
    add_settings(parser, llms | engines, without=("options",))
    parser.add_argument("--dry-run", action="store_true", help="say what would be asked and the most it can cost")
    parser.add_argument("--quiet", action="store_true", help="show no progress")
    finish(parser)
    finish(add_command(commands, "tasks", tasks, "list the tasks that come with the package"))


def _add_guides(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--source", metavar="LOG", help="log whose training queries guide, and whose split --part means"
    )
    parser.add_argument(
        "--guide",
        action="append",
        default=[],
        metavar="NAME=KIND:WHAT",
        help="ask each LLM with a guide too, as LLM_NAME: thought:LIBRARY or few_shot:RANKING; may be repeated",
    )
    parser.add_argument("--guide-styles", type=names, metavar="A,B", help="show guides in these styles (default: all)")
    parser.add_argument("--guide-shown", type=int, metavar="N", help="show at most N examples or thoughts (default: 3)")
    parser.add_argument(
        "--guide-tokens", type=int, metavar="N", help="most tokens of a guided prompt (default: 2048, or less context)"
    )
    parser.add_argument("--encoder", metavar="SPEC", help=f"says which queries are near: {ENCODER_HELP}")
    parser.add_argument("--split-seed", type=int, default=0, metavar="N", help="of the source's split (default: 0)")
    add_rare_tasks(parser)
    parser.add_argument(
        "--part", metavar="PART", help="only questions of this part of the split: train, validation, test"
    )


def collect(args: argparse.Namespace) -> int | None:
    """Collect a log, and say what came of it. Returns the exit status where a candidate got no answer at all."""
    from fusion.asking import raise_problems
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
        guiding=_guiding(args),
    )
    if args.dry_run:
        _preview(plan)
        return None
    _tell_unguided(plan)
    done = run(plan, Path(args.out), budget=args.budget, regrade=args.regrade, progress=not args.quiet)
    _report(done, args.out, args.budget)
    raise_problems(done.problems)
    return UNANSWERED if done.unanswered else None


def _guiding(args: argparse.Namespace) -> Guiding | None:
    if not args.source:
        if args.guide or args.part:
            option = "--guide" if args.guide else "--part"
            raise UserError(f"{option} needs --source LOG, the log that it means; name it")
        return None
    from fusion.collect import Guiding, guides_folder
    from fusion.guidance import SHOWN, TOKENS, parse_guides
    from graphrouter.log import load_log
    from graphrouter.prepared import prepare

    return Guiding(
        prepare(load_log(args.source, args.rare_tasks), args.encoder, seed=args.split_seed),
        parse_guides(args.guide),
        part=args.part,
        styles=args.guide_styles,
        shown=SHOWN if args.guide_shown is None else args.guide_shown,
        tokens=TOKENS if args.guide_tokens is None else args.guide_tokens,
        encoder=args.encoder,
        kept=guides_folder(Path(args.out)),
    )


def tasks(args: argparse.Namespace) -> None:
    """Print a line for each task."""
    from fusion.tasks import find_task, task_names

    for name in task_names():
        task = find_task(name)
        print(f"{task.name:16} {task.domain:16} {task.metric:12} {task.hub.path if task.hub else ''}")


def _preview(plan: CollectionPlan) -> None:
    from fusion.collect import preview
    from fusion.collect.outcome import find_overlong

    print(f"{len(plan.questions):,} questions, {len(plan.cells):,} cells")
    for name, most in preview(plan).items():
        print(f"{name}: at most ${most:.4f}" if most else f"{name}: without prices")
    for name, (long, cells, context, wanted) in find_overlong(plan).items():
        print(
            f"{name}: {long:,} of {cells:,} cells will fail: its context of {context:,} tokens cannot hold their prompts "
            f"and {wanted:,} more; lower max_tokens"
        )
    _tell_unguided(plan)


def _tell_unguided(plan: CollectionPlan) -> None:
    """Say where a guide has nothing to show: such questions are asked as they are."""
    for name, (bare, cells) in plan.unguided().items():
        if bare:
            tell(
                f"{name}: in {bare:,} of {cells:,} cells the guide has nothing of the task that fits, and shows nothing"
            )


def _report(done: Collection, out: str, budget: float | None) -> None:
    log = done.log
    tell(
        f"{out}: {log.queries.height:,} queries, {log.llms.height} LLMs, {log.records.height:,} of {done.cells:,} cells"
    )
    tell(f"spent ${done.spent:.4f}" + ("; the budget ended the run, raise it to go on" if done.over_budget else ""))
    if budget is not None and done.spent > budget:
        tell(f"that is more than the budget of ${budget:.4f}: answers were longer than what was asked for allows")
    for one in done.empty:
        tell(
            f"{one.candidate}: {one.empty:,} of {one.answers:,} answers are empty though tokens were paid for"
            + (f", {one.cut:,} of them cut at max_tokens; raise max_tokens" if one.cut else "")
        )
    if done.failed:
        tell(
            f"{done.failed:,} cells got no answer and stay missing; {Path(out) / 'collect' / 'failed.csv'} has the "
            f"reasons, most often: {done.reason}"
        )
    for failed in done.unanswered:
        tell(
            f"{failed.candidate} got no answer at all: {failed.cells:,} cells failed, {failed.often:,} of them with: "
            f"{failed.reason}"
        )
