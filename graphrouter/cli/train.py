"""``graphrouter train``."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

from graphrouter.cli.options import KEEPS, add_command, add_fitting, add_rare_tasks, finish, open_log, run_options, tell
from graphrouter.routers import router_names

if TYPE_CHECKING:
    from graphrouter.routers.base import Router


def add_commands(commands: Any) -> None:
    """Add the command."""
    parser = add_command(
        commands,
        "train",
        train,
        "train a router on a log and save it",
        overrides="a hyperparameter of the router, such as knn.k=20; graphrouter routers knn lists them",
        resume=KEEPS,
    )
    parser.add_argument("log", metavar="LOG")
    which = parser.add_mutually_exclusive_group(required=True)
    which.add_argument("--router", metavar="NAME", help=f"one of {', '.join(router_names())}; or FILE.py:CLASS")
    which.add_argument("--config", metavar="FILE", help="YAML with the router's name and hyperparameters")
    parser.add_argument("--seed", type=int, default=0, help="of the split and the router (default: 0)")
    parser.add_argument(
        "--target", default="performance", choices=("performance", "judge_score"), help="what counts as performance"
    )
    parser.add_argument(
        "--out", required=True, metavar="DIR", help="folder for the router; one that is there is replaced at the end"
    )
    add_rare_tasks(parser)
    add_fitting(parser)
    finish(parser)


def train(args: argparse.Namespace) -> None:
    """Train and save a router, and say where it is."""
    router, out = _router(args), Path(args.out)
    from graphrouter.config import hyperparameters
    from graphrouter.files import replace_file
    from graphrouter.pipeline import train as fit
    from graphrouter.pipeline.saved import check_folder, checkpoints
    from graphrouter.routers.outside import reference_of
    from graphrouter.settings import to_yaml

    check_folder(out)
    run = run_options(args)
    run.checkpoint = out / "checkpoint.pt"
    log = open_log(args.log, args.estimate_cost, args.prices, args.rare_tasks)
    run.wandb_name = f"{log.name}-{router.name}-seed{args.seed}"
    pipeline = fit(log, router, args.encoder, seed=args.seed, run=run, target=args.target)
    pipeline.save(out)
    resolved = {"router": reference_of(type(router)), **hyperparameters(router)}
    replace_file(out / "config.yaml", to_yaml(resolved).encode())
    for left in checkpoints(out):
        left.unlink()
    tell(
        f"{out}: {router.name} with encoder {pipeline.encoder.spec}, for {len(pipeline.llms)} LLMs, trained on {log.name}"
    )
    estimate = " --estimate-cost" if args.estimate_cost else ""
    code = f" --code {args.router}" if ":" in (args.router or "") else ""
    tell(f"score it on queries that it has not seen: graphrouter evaluate {out} {args.log}{estimate}{code} --out DIR")


def _router(args: argparse.Namespace) -> Router:
    from graphrouter.config import read_router

    return read_router(args.config, args.overrides, args.router)
