"""The model level of ``fusion evaluate``, and all levels in one table."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

from graphrouter.cli.options import names, run_options, tell
from graphrouter.errors import UserError

if TYPE_CHECKING:
    from graphrouter.log import LLMLog

LEVELS = ("model", "all")


def add_options(parser: Any) -> None:
    """Add the options of these levels."""
    group = parser.add_argument_group("levels model and all")
    group.add_argument(
        "--students", type=names, metavar="A,B", help="folders of fine-tuned models, or a YAML file of LLMs"
    )
    group.add_argument("--base", metavar="NAME", help="what they were tuned from: an LLM of the log, or a folder")
    group.add_argument(
        "--tasks", type=names, metavar="A,B", help="tasks of the log: names, files, or a folder with YAML files"
    )
    group.add_argument("--guided", metavar="LOG", help="for 'all': log with guides, from fusion collect --guide")
    group.add_argument("--split-seed", type=int, default=0, metavar="N", help="of the log's split (default: 0)")


def evaluate(args: argparse.Namespace) -> None:
    """Ask the students, compare, print the tables, and write them."""
    from graphrouter.files import check_writable
    from graphrouter.log import load_log

    if not args.out:
        raise UserError(f"--level {args.level} needs --out DIR, where answers and tables go; name it")
    if args.level == "model" and not args.students:
        raise UserError("--level model needs --students, models from fusion train; name them")
    check_writable(args.out, "results")
    log = load_log(args.log, args.rare_tasks)
    answers = _answers(log, args) if args.students else None
    base = Path(args.base).resolve().name if args.base and args.base not in log.llm_names else args.base
    how = {"base": base, "seed": args.split_seed, "encoder": args.encoder, "run": run_options(args)}
    if args.routers:
        how["routers"] = args.routers
    if args.level == "model":
        assert answers is not None
        _model(log, answers, args, how)
    else:
        _all(log, answers, args, how)


def _answers(log: LLMLog, args: argparse.Namespace) -> LLMLog:
    from fusion.evaluation.model import ask, find_students

    if not args.tasks:
        raise UserError("students are asked the log's test queries: name its tasks with --tasks")
    students = find_students(args.students, args.base, log)
    return ask(log, _tasks(args.tasks), students, Path(args.out) / "answers", args.split_seed, not args.quiet)


def _tasks(specs: list[str]) -> list[str]:
    """Return the tasks; a folder stands for its YAML files."""
    found: list[str] = []
    for spec in specs:
        files = sorted(map(str, Path(spec).glob("*.yaml"))) if Path(spec).is_dir() else [spec]
        if not files:
            raise UserError(f"a folder of tasks must hold YAML files, but {spec} has none; name another")
        found += files
    return found


def _model(log: LLMLog, answers: LLMLog, args: argparse.Namespace, how: dict[str, Any]) -> None:
    from fusion.evaluation.model import evaluate_models

    found = evaluate_models(log, answers, **how)
    notes = (
        f"{found.log}: {found.queries:,} test queries. Differences are paired, with 95% bootstrap intervals over queries; "
        "* marks those that leave out 0. Routers learnt from the train and validation part; best_single chooses there."
    )
    _put(args, "model", notes, found.scores, found.differences)


def _all(log: LLMLog, answers: LLMLog | None, args: argparse.Namespace, how: dict[str, Any]) -> None:
    from fusion.evaluation.levels import evaluate_levels
    from graphrouter.log import load_log

    guided = load_log(args.guided) if args.guided else None
    if guided is None and answers is None:
        raise UserError("--level all needs --guided LOG, --students, or both, to compare with routing; name them")
    found = evaluate_levels(log, guided=guided, answers=answers, **how)
    notes = (
        f"{found.log}: {found.queries:,} test queries. Differences are paired, to {found.single}, the best single LLM of "
        "the training part, with 95% bootstrap intervals over queries; * marks those that leave out 0."
    )
    _put(args, "levels", notes, found.scores, found.differences)


def _put(args: argparse.Namespace, name: str, notes: str, scores: Any, differences: Any) -> None:
    """Print the tables, and write them as Markdown and CSV."""
    from fusion.evaluation.tables import difference_table, score_table
    from graphrouter.files import replace_file
    from graphrouter.markdown import as_markdown, as_text

    out = Path(args.out)
    domain, task = ([score_table(scores, scope), difference_table(differences, scope)] for scope in ("domain", "task"))
    written = "\n\n".join([notes, *(as_markdown(rows, 2) for rows in (*domain, *task))])
    replace_file(out / f"{name}.csv", scores.write_csv().encode())
    replace_file(out / f"{name}_differences.csv", differences.write_csv().encode())
    replace_file(out / f"{name}.md", f"{written}\n".encode())
    if args.format == "csv":
        print(scores.write_csv(), end="")
    else:
        draw = as_text if args.format == "text" else as_markdown
        print("\n\n".join([notes, *(draw(rows, 2) for rows in domain)]))
    tell(f"{out / name}.md has all tables, also by task; {name}.csv and {name}_differences.csv the numbers")
