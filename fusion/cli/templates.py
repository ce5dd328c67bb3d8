"""``fusion templates mine``, ``show`` and ``merge``."""

from __future__ import annotations

import argparse
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fusion.cli.rank import add_keep_ranking
from graphrouter.cli.options import ENCODER_HELP, KEEPS, add_command, add_rare_tasks, finish, names, tell
from graphrouter.errors import UserError

if TYPE_CHECKING:
    from fusion.templates.mining import Mined
    from fusion.templates.summary import Summariser
    from fusion.templates.validation import Validation
    from graphrouter.log import LLMLog


def add_commands(commands: Any) -> None:
    """Add the command and its own commands."""
    text = "mine thought templates from a log, look at them, merge libraries of them"
    parser = commands.add_parser("templates", help=text, description=text, allow_abbrev=False)
    nested = parser.add_subparsers(title="commands", metavar="COMMAND", required=True, dest="command")
    _add_mine(nested)
    parser = add_command(nested, "show", show, "print the templates of a library, or those nearest to a query")
    parser.add_argument("library", metavar="LIB")
    parser.add_argument("--task", help="only of this task; with --query, the query's task")
    parser.add_argument("--query", metavar="TEXT", help="the templates nearest to this query")
    parser.add_argument("--limit", type=int, default=20, metavar="N", help="at most so many (default: 20)")
    parser.add_argument("--encoder", metavar="SPEC", help="where the library's encoder is now, if it has moved")
    finish(parser)
    parser = add_command(nested, "merge", merge, "make one library of several that share their encoder")
    parser.add_argument("libraries", nargs="+", metavar="LIB")
    parser.add_argument("--out", required=True, metavar="LIB", help="folder for the library")
    _add_near(parser)
    finish(parser)


def _add_near(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--near", type=float, default=0.92, metavar="COS", help="merge templates of a task this alike (default: 0.92)"
    )


def _add_mine(commands: Any) -> None:
    parser = add_command(
        commands,
        "mine",
        mine,
        "make a library of thought templates of a log's training queries",
        overrides="an option of the engine or a key of the summariser, such as base_url=http://localhost:8000/v1",
        resume=KEEPS,
    )
    parser.add_argument("log", metavar="LOG")
    parser.add_argument("--out", required=True, metavar="LIB", help="folder for the library; one there is replaced")
    parser.add_argument("--ranking", default="graph", help="what ranks the responses (default: graph)")
    add_keep_ranking(parser)
    parser.add_argument("--top-k", type=int, default=3, metavar="K", help="best responses per query (default: 3)")
    parser.add_argument("--limit", type=int, metavar="N", help="at most N queries, spread over tasks and clusters")
    parser.add_argument("--seed", type=int, default=0, help="of the split; its training queries are mined (default: 0)")
    parser.add_argument("--encoder", metavar="SPEC", help=ENCODER_HELP)
    add_rare_tasks(parser)
    _add_near(parser)
    parser.add_argument(
        "--summariser", choices=("extractive", "llm"), help="default: llm with --model, else extractive"
    )
    parser.add_argument("--model", help="the summariser, as the engine calls it")
    parser.add_argument("--engine", default="openai", help="openai, vllm or transformers (default: openai)")
    parser.add_argument("--window", type=int, metavar="N", help="most tokens of a summariser's prompt and answer")
    parser.add_argument("--budget", type=float, metavar="USD", help="most dollars that the summaries may cost")
    parser.add_argument("--validate-with", metavar="FILE", help="YAML with the LLM that tries the templates")
    parser.add_argument("--only", metavar="NAME", help="which LLM of that file; needed where it has several")
    parser.add_argument("--tasks", metavar="A,B", help="tasks that grade its answers (default: those of the log)")
    parser.add_argument("--data", metavar="DIR", help="folder with local copies of the tasks' data sets")
    parser.add_argument("--held-back", type=float, default=0.2, metavar="P", help="share of queries kept for it")
    parser.add_argument("--tries", type=int, default=4, metavar="N", help="queries per template (default: 4)")
    parser.add_argument("--validation-budget", type=float, metavar="USD", help="most dollars that it may cost")
    parser.add_argument("--quiet", action="store_true", help="show no progress")
    finish(parser)


def mine(args: argparse.Namespace) -> None:
    """Mine a library, and say what became of each draft."""
    from fusion.ranking import RANKINGS
    from fusion.ranking.cache import rank_once
    from fusion.templates.mining import MiningSettings
    from fusion.templates.mining import mine as run
    from graphrouter.encoders import encoder_of
    from graphrouter.errors import suggest
    from graphrouter.log import load_log

    if args.ranking not in RANKINGS:
        raise UserError(f"there is no ranking {args.ranking!r}{suggest(args.ranking, RANKINGS)}")
    log = load_log(args.log, args.rare_tasks)
    done = run(
        log,
        partial(
            rank_once,
            ranking=args.ranking,
            file=Path(args.keep_ranking) if args.keep_ranking else None,
            encoder=args.encoder,
            seed=args.seed,
            progress=not args.quiet,
        ),
        Path(args.out),
        MiningSettings(args.ranking, args.top_k, args.limit, args.seed, args.near),
        encoder_of(log, args.encoder),
        summariser=_summariser(args),
        validation=_validation(args, log),
        progress=not args.quiet,
    )
    _report(done, args.out)


def _summariser(args: argparse.Namespace) -> Summariser | None:
    wanted = args.summariser or ("llm" if args.model else "extractive")
    if wanted == "extractive":
        given = "--model" if args.model else "--budget" if args.budget else "--window" if args.window else None
        if given or args.overrides:
            raise UserError(
                f"the extractive summariser asks no LLM, but {given or args.overrides[0]} is given; add --summariser llm and --model"
            )
        return None
    if not args.model:
        raise UserError("the summariser 'llm' needs --model; add it")
    from fusion.guidance.tokens import find_room
    from fusion.llms import make_llm
    from fusion.templates.summary import WINDOW, Summariser
    from graphrouter.settings import parse_overrides

    llm = make_llm({"engine": args.engine, "model": args.model, **parse_overrides(args.overrides)}, "the summariser")
    room = find_room(llm)
    window = min(size for size in (args.window or room.context or WINDOW, room.context) if size)

    def count(text: str) -> int:
        return room.count([{"role": "user", "content": text}])

    return Summariser(llm, window, budget=args.budget, count=count)


def _validation(args: argparse.Namespace, log: LLMLog) -> Validation | None:
    if not args.validate_with:
        for option in ("only", "tasks", "data", "validation_budget"):
            if getattr(args, option) is not None:
                raise UserError(f"--{option.replace('_', '-')} is for a validation; give --validate-with FILE with it")
        return None
    from fusion.llms import read_llms
    from fusion.tasks import find_task
    from fusion.templates.validation import Validation

    llms = read_llms(args.validate_with, names(args.only) if args.only else None)
    if len(llms) != 1:
        raise UserError(
            f"one LLM must try the templates, but {len(llms)} are named; choose with --only: "
            f"{', '.join(one.name for one in llms)}"
        )
    tasks = [find_task(spec) for spec in (names(args.tasks) if args.tasks else _tasks_of(log))]
    data = Path(args.data) if args.data else None
    return Validation(llms[0], tasks, data, args.held_back, args.tries, args.validation_budget)


def _tasks_of(log: LLMLog) -> list[str]:
    """Return the tasks that a log was collected from, where they come with the package."""
    from fusion.tasks import task_names

    known = [task for task in log.tasks if task in task_names()]
    if len(known) < len(log.tasks):
        absent = next(task for task in log.tasks if task not in known)
        raise UserError(
            f"a validation must grade answers, but {absent!r} is no task of the package; name the tasks' files with --tasks"
        )
    return known


def _report(done: Mined, out: str) -> None:
    from fusion.asking import raise_problems
    from fusion.templates.checks import counted

    about = done.library.about
    counts = about["counts"]
    dropped = counted(counts["dropped"])
    tell(f"{counts['chosen']:,} of {counts['training_queries']:,} training queries; dropped: {dropped}")
    tell(f"{counts['before_merging']:,} passed the checks, {counts['shortened']:,} of all shortened")
    if done.measured:
        found = done.measured
        mean = "" if found.worth is None else f", mean worth {found.worth:+.3f}"
        tell(
            f"{found.tried:,} tried on held-back queries{mean}; {len(found.library) - len(found.kept):,} hurt and went"
        )
    for name, one in (("summaries", done.summaries), ("validation", done.measured)):
        if one:
            tell(
                f"{name} cost ${one.answered.spent:.4f}"
                + ("; the budget ended them, raise it to go on" if one.answered.over_budget else "")
            )
    for task, row in counts["by_task"].items():
        lost = counted(row["dropped"])
        tell(f"  {task or '(no task)'}: {row['kept']} passed, {row['templates']} in the library; dropped: {lost}")
    tell(f"{out}: {counts['templates']:,} templates; look at them: fusion templates show {out}")
    raise_problems(
        {
            name: one.answered.ended
            for name, one in (("the summariser", done.summaries), ("validation", done.measured))
            if one and one.answered.ended
        }
    )


def show(args: argparse.Namespace) -> None:
    """Print templates."""
    from fusion.templates import Library

    if args.limit < 1:
        raise UserError(f"--limit must be 1 or more, but is {args.limit}")
    library = Library.load(args.library, args.encoder)
    known = sorted({one.task for one in library.templates if one.task is not None})
    if args.task is not None and args.task not in known:
        from graphrouter.errors import suggest

        raise UserError(f"{args.library} has no task {args.task!r}{suggest(args.task, known)}")
    if args.query is not None:
        chosen = library.retrieve([args.query], [args.task], args.limit)[0]
    else:
        chosen = [one for one in library.templates if args.task in (None, one.task)]
        print(_head(library.about, len(library), len(chosen)))
    texts = dict(library.queries.select("query_id", "query").iter_rows())
    for one in chosen[: args.limit]:
        worth = "" if one.worth is None else f", worth {one.worth:+.3f}"
        print(
            f"\n{one.task or '(no task)'} {one.id}: score {one.score:.3f} ({one.ranking}){worth}, by {', '.join(one.llms)}"
        )
        print(f"  from {len(one.queries)}, first {one.queries[0]}: {' '.join(texts[one.queries[0]].split())[:100]}")
        print("\n".join(f"    {line}" for line in one.text.splitlines()))


def _head(about: dict[str, Any], size: int, chosen: int) -> str:
    from fusion.templates.checks import counted

    log = about.get("log") or {}
    head = f"{size:,} templates, {chosen:,} of them here; ranking {about.get('ranking')}, log {log.get('name')}"
    simulated = " (simulated)" if log.get("simulated") else ""
    dropped = counted((about.get("counts") or {}).get("dropped") or {})
    return (
        f"{head}{simulated}, split seed {about.get('split_seed')}, encoder {about['encoder']['id']}\ndropped: {dropped}"
    )


def merge(args: argparse.Namespace) -> None:
    """Merge libraries."""
    from fusion.templates import Library, merge_libraries
    from fusion.templates.storage import check_folder

    check_folder(Path(args.out))
    libraries = [Library.load(folder) for folder in args.libraries]
    made = merge_libraries(libraries, args.near)
    made.save(args.out)
    tell(f"{args.out}: {len(made):,} templates of {sum(len(one) for one in libraries):,} in {len(libraries)} libraries")
