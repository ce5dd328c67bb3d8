"""``graphrouter evaluate``."""

from __future__ import annotations

import argparse
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from graphrouter.cli.options import (
    add_command,
    add_cost,
    add_run,
    add_saved_router,
    add_scenarios,
    finish,
    open_log,
    run_options,
    tell,
)

if TYPE_CHECKING:
    from graphrouter.pipeline.unseen import UnseenPart


def add_commands(commands: Any) -> None:
    """Add the command."""
    text = "score a saved router on the queries of a log that it was not trained or validated on"
    parser = add_command(commands, "evaluate", evaluate, text)
    add_saved_router(parser)
    parser.add_argument("log", metavar="LOG")
    add_scenarios(parser)
    parser.add_argument(
        "--out", required=True, metavar="DIR", help="folder for the results: new, or that of the same evaluation"
    )
    add_cost(parser)
    add_run(parser)
    finish(parser)


def evaluate(args: argparse.Namespace) -> None:
    """Score a router, print the table, and name the report."""
    from graphrouter.encoders.log_vectors import GivenVectors, LogVectors
    from graphrouter.evaluation import evaluate_router, format_table
    from graphrouter.files import check_writable
    from graphrouter.pipeline import RoutingPipeline
    from graphrouter.pipeline.unseen import unseen_part

    check_writable(args.out, "results")
    run = run_options(args)
    pipeline = RoutingPipeline.load(args.router, args.encoder, run, args.code)
    scenarios = [pipeline.find_scenario(name) for name in args.scenarios] if args.scenarios else None
    log = open_log(args.log, args.estimate_cost, args.prices)
    if isinstance(pipeline.encoder, GivenVectors):  # the array is of the whole log, and a part of it is scored
        log, pipeline = pipeline.encoder.into(log), replace(pipeline, encoder=LogVectors())
    part = unseen_part(pipeline, log)
    _tell_dropped(part)
    done = evaluate_router(
        pipeline.router,
        pipeline.prepare(part.log, progress=run.progress).data.queries,
        part.log,
        cost_scale=pipeline.cost_scale,
        out=args.out,
        encoder=pipeline.encoder.spec,
        vectors=f"{pipeline.encoder.id} {pipeline.encoder.given(part.log)}",
        columns=part.columns,
        scenarios=scenarios,
        trained_on=pipeline.log["name"],
    )
    print(format_table(done))
    tell(f"report: {args.out}/report.html")


def _tell_dropped(part: UnseenPart) -> None:
    if part.seen:
        tell(f"{part.seen:,} queries are left out: the router was trained or validated on their text group")
    if part.unknown:
        tell(f"{len(part.unknown)} LLMs are left out, which the router does not know: {', '.join(part.unknown)}")
    if part.absent:
        tell(f"{len(part.absent)} LLMs of the router are not in the log, and are not chosen: {', '.join(part.absent)}")
    tell(f"{part.log.queries.height:,} queries and {part.log.llms.height} LLMs are scored")
