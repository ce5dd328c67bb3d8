"""``graphrouter choose-encoder`` and ``finetune-encoder``."""

from __future__ import annotations

import argparse
from typing import Any

from graphrouter.cli.options import (
    KEEPS,
    add_command,
    add_rare_tasks,
    add_run,
    finish,
    names,
    open_log,
    run_options,
    tell,
)

PACE = ("epochs", "patience", "batch_size", "learning_rate")
"""Fields of `graphrouter.pipeline.finetuning.FineTuning` that are options."""


def add_commands(commands: Any) -> None:
    """Add the commands."""
    choose = add_command(
        commands,
        "choose-encoder",
        choose_encoder,
        "fit routers on vectors of several encoders, and order the encoders by the likelihood on validation queries; test "
        "queries are not looked at",
    )
    choose.add_argument("log", metavar="LOG")
    choose.add_argument(
        "--encoders",
        metavar="A,B",
        type=names,
        required=True,
        help="names as --encoder of compare takes them; causal:MODEL:layers=each is an encoder for each layer and pooling",
    )
    choose.add_argument(
        "--routers", metavar="A,B", type=names, default=["linear", "mlp"], help="routers (default: linear,mlp)"
    )
    choose.add_argument("--seeds", metavar="N", type=int, default=1, help="number of splits (default: 1)")
    choose.add_argument("--first-seed", metavar="N", type=int, default=0, help="seed of the first split (default: 0)")
    choose.add_argument(
        "--settings", metavar="N", type=int, default=6, help="most settings of a router that are tried (default: 6)"
    )
    add_rare_tasks(choose)
    add_run(choose)
    finish(choose)
    tune = add_command(
        commands,
        "finetune-encoder",
        finetune_encoder,
        "fine-tune a sentence-transformers model by the outcomes of a log's training queries, and save it as an encoder for "
        "the split of that seed",
        resume=KEEPS,
    )
    tune.add_argument("log", metavar="LOG")
    tune.add_argument("--encoder", metavar="MODEL", required=True, help="folder or hub name of the model")
    tune.add_argument("--seed", type=int, default=0, help="of the split and the training (default: 0)")
    tune.add_argument(
        "--target", default="performance", choices=("performance", "judge_score"), help="what counts as performance"
    )
    _add_pace(tune)
    tune.add_argument(
        "--out", required=True, metavar="DIR", help="folder for the model; one that is there is replaced at the end"
    )
    add_rare_tasks(tune)
    add_run(tune)
    finish(tune)


def _add_pace(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--epochs", type=int, help="at most so many passes over the training queries (default: 10)")
    parser.add_argument(
        "--patience", type=int, help="epochs without a better validation loss before the end (default: 2)"
    )
    parser.add_argument("--batch-size", type=int, help="queries per optimiser step (default: 32)")
    parser.add_argument("--learning-rate", type=float, help="highest learning rate of the model (default: 2e-5)")


def choose_encoder(args: argparse.Namespace) -> None:
    """Print the encoders, the best first, and name it."""
    from graphrouter.encoders import find_encoders
    from graphrouter.evaluation.encoders import format_scores, score_encoders

    run = run_options(args)
    encoders = [encoder for spec in args.encoders for encoder in find_encoders(spec, run.device)]
    log = open_log(args.log, None, None, args.rare_tasks)
    seeds = range(args.first_seed, args.first_seed + args.seeds)
    scores = score_encoders(log, encoders, args.routers, seeds=seeds, settings=args.settings, run=run)
    print(format_scores(scores))
    tell(f"best on validation: --encoder {scores[0].encoder}")


def finetune_encoder(args: argparse.Namespace) -> None:
    """Fine-tune a model, and say what it came to and how it is used."""
    from graphrouter.pipeline.finetuning import FineTuning
    from graphrouter.pipeline.finetuning import finetune_encoder as finetune

    given = {name: getattr(args, name) for name in PACE if getattr(args, name) is not None}
    run = run_options(args)
    log = open_log(args.log, None, None, args.rare_tasks)
    done = finetune(
        log, args.encoder, args.out, seed=args.seed, target=args.target, settings=FineTuning(**given), run=run
    )
    tell(
        f"{args.out}: NLL on validation {done.frozen:.4f} with the model as it was, {done.tuned:.4f} after {done.epochs} epochs"
    )
    tell(f"it may be used on the split of seed {args.seed} of {log.name}: --encoder {args.out} --seed {args.seed}")
