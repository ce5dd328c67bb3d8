"""``fusion evaluate``."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fusion.cli import levels
from graphrouter.cli.options import (
    ENCODER_HELP,
    KEEPS,
    add_command,
    add_rare_tasks,
    add_run,
    finish,
    names,
    run_options,
    tell,
)
from graphrouter.errors import UserError

if TYPE_CHECKING:
    from fusion.evaluation import ThoughtLevel
    from graphrouter.log import LLMLog

FORMATS = ("text", "md", "csv")


def add_commands(commands: Any) -> None:
    """Add the command."""
    text = (
        "measure what a level is worth on the log's test queries: 'thought' compares LLMs with guides and without, 'model' "
        "fine-tuned students with their base, every LLM and routers, 'all' puts all levels into one table"
    )
    parser = add_command(commands, "evaluate", evaluate, text, resume=KEEPS)
    parser.add_argument("log", metavar="LOG", help="for 'thought' one with guides, from fusion collect --guide")
    parser.add_argument("--level", required=True, choices=("thought", *levels.LEVELS))
    parser.add_argument(
        "--format", choices=FORMATS, default="text", help="of the table that is printed (default: text)"
    )
    parser.add_argument(
        "--out", metavar="DIR", help="folder for the tables, the figure, the routers and what students answer"
    )
    parser.add_argument(
        "--router", action="store_true", help="compare routers with guides and without too; needs --out"
    )
    parser.add_argument("--routers", type=names, metavar="A,B", help="default: best_single,best_per_task,gnn,oracle")
    parser.add_argument("--seeds", type=int, metavar="N", help="starts of every router (default: 5)")
    parser.add_argument("--encoder", metavar="SPEC", help=f"of the routers: {ENCODER_HELP}")
    levels.add_options(parser)
    add_rare_tasks(parser)
    add_run(parser)
    finish(parser)


def evaluate(args: argparse.Namespace) -> None:
    """Measure, print the tables, and write them."""
    if args.level in levels.LEVELS:
        levels.evaluate(args)
        return
    from fusion.evaluation import evaluate_thoughts
    from graphrouter.files import check_writable
    from graphrouter.log import load_log

    if args.router and not args.out:
        raise UserError("--router needs --out DIR, where the routers' predictions and reports go; name it")
    if not args.router and (args.routers or args.seeds is not None or args.encoder):
        raise UserError("--routers, --seeds and --encoder are for --router; give it with them")
    if args.out:
        check_writable(args.out, "results")
    log = load_log(args.log, args.rare_tasks)
    level = evaluate_thoughts(log)
    _print(level, args.format)
    if args.out:
        _write(level, Path(args.out))
    if args.router:
        _compare_routers(log, args)


def _print(level: ThoughtLevel, form: str) -> None:
    from fusion.evaluation import as_markdown, as_text, thought_notes, thought_table

    if form == "csv":
        print(level.table.write_csv(), end="")
        return
    print(thought_notes(level), end="\n\n")
    print((as_text if form == "text" else as_markdown)(thought_table(level)))


def _write(level: ThoughtLevel, out: Path) -> None:
    from fusion.evaluation import as_markdown, domain_chart, thought_notes, thought_table
    from graphrouter.evaluation.report.drawing import save
    from graphrouter.files import replace_file

    files = {"thought.csv": level.table.write_csv()}
    files["thought.md"] = f"{thought_notes(level)}\n\n{as_markdown(thought_table(level))}\n"
    for name, content in files.items():
        replace_file(out / name, content.encode())
    drawn = save(domain_chart(level), out, "thought")
    tell(", ".join(str(file) for file in [*(out / name for name in files), *drawn]))


def _compare_routers(log: LLMLog, args: argparse.Namespace) -> None:
    from fusion.evaluation import as_markdown, as_text
    from fusion.evaluation.routing import ROUTERS, SEEDS, compare_routers, routing_table
    from graphrouter.files import replace_file

    out = Path(args.out)
    gains = compare_routers(
        log,
        out / "routers",
        routers=args.routers or ROUTERS,
        seeds=SEEDS if args.seeds is None else args.seeds,
        encoder=args.encoder,
        run=run_options(args),
    )
    rows = routing_table(gains)
    replace_file(out / "routers.md", f"{as_markdown(rows, 1)}\n".encode())
    print()
    print(as_markdown(rows, 1) if args.format == "md" else as_text(rows, 1))
    tell(f"{out / 'routers.md'}; reports: {out / 'routers' / 'with' / 'report.html'} and without/report.html beside it")
