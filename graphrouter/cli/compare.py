"""``graphrouter compare``."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, Any

from graphrouter.cli.options import (
    KEEPS,
    add_command,
    add_fitting,
    add_rare_tasks,
    add_scenarios,
    add_settings,
    finish,
    names,
    open_log,
    run_options,
    tell,
)
from graphrouter.routers import router_names
from graphrouter.run import TUNE_BY

if TYPE_CHECKING:
    from graphrouter.config import CompareConfig


INTERVAL_HELP = (
    "what intervals hold for: these fitted routers (test queries are resampled), or the methods (seeds too, for a claim about "
    "methods; default: fitted)"
)


def add_commands(commands: Any) -> None:
    """Add the command."""
    parser = add_command(
        commands,
        "compare",
        compare,
        "fit routers on the same splits of a log, and write tables with intervals and a report",
        overrides="a hyperparameter of a router, such as knn.k=20 (graphrouter routers knn lists them), which is then not tuned, or a key of the config, such as seeds=3",
        resume=KEEPS,
    )
    parser.add_argument("log", metavar="LOG")
    parser.add_argument(
        "--routers", metavar="A,B", type=names, help=f"all, or some of {', '.join(router_names())}; or FILE.py:CLASS"
    )
    parser.add_argument(
        "--seeds", metavar="N", type=int, help="number of seeds; each is a split and a start of every router"
    )
    add_scenarios(parser)
    parser.add_argument("--ours", metavar="A,B", type=names, help="those that are no baselines (default: gnn)")
    parser.add_argument("--interval", choices=("fitted", "methods"), help=INTERVAL_HELP)
    parser.add_argument("--tune-by", choices=(*TUNE_BY, "none"), help="what chooses settings on validation")
    parser.add_argument(
        "--config", metavar="FILE", help="YAML with all of these, or a name in configs/compare (default: default)"
    )
    parser.add_argument(
        "--out", required=True, metavar="DIR", help="folder for the results: new, or that of the same comparison"
    )
    add_settings(parser, {"keys of a comparison": "graphrouter.config:CompareConfig"})
    add_rare_tasks(parser)
    add_fitting(parser)
    finish(parser)


def compare(args: argparse.Namespace) -> None:
    """Run a comparison, print its table, and name its report."""
    from graphrouter.config import read_comparison
    from graphrouter.files import check_writable

    given = {
        key: getattr(args, key)
        for key in (
            "routers",
            "seeds",
            "scenarios",
            "encoder",
            "tune_by",
            "ours",
            "interval",
            "estimate_cost",
            "prices",
            "rare_tasks",
        )
    }
    config = read_comparison(args.config, args.overrides, **given)
    check_writable(args.out, "results")
    _run(config, args)


def _run(config: CompareConfig, args: argparse.Namespace) -> None:
    from graphrouter.config import comparison_routers
    from graphrouter.evaluation import compare as run_comparison
    from graphrouter.evaluation import format_table

    run = run_options(args)
    log = open_log(args.log, config.estimate_cost, config.prices, config.rare_tasks)
    done = run_comparison(
        log,
        config.encoder,
        comparison_routers(config),
        seeds=range(config.seeds),
        out=args.out,
        scenarios=config.scenarios,
        tune=config.tune_by != "none",
        tune_by="nll" if config.tune_by == "none" else config.tune_by,
        settings=config.settings,
        ours=config.ours,
        interval=config.interval,
        run=run,
    )
    print(format_table(done))
    tell(f"report: {args.out}/report.html")
