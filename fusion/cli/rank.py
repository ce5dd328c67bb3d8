"""``fusion rank``."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

from graphrouter.cli.options import ENCODER_HELP, add_command, add_run, finish, tell
from graphrouter.errors import UserError

if TYPE_CHECKING:
    import polars as pl

FORMS = (".parquet", ".csv")


def add_commands(commands: Any) -> None:
    """Add the command."""
    parser = add_command(
        commands,
        "rank",
        rank,
        "rank the responses of every query of a log",
        overrides="a setting of the ranking, such as folds=5, right=0.8, max_tokens.gsm8k=512 or gnn.members=4",
    )
    parser.add_argument("log", metavar="LOG")
    parser.add_argument(
        "--ranking", default="graph", metavar="NAME", help="performance, judge, hybrid or graph (default: graph)"
    )
    parser.add_argument("--out", required=True, metavar="FILE", help="Parquet or CSV file for the ranks")
    parser.add_argument("--encoder", metavar="SPEC", help=f"of graph: {ENCODER_HELP}")
    parser.add_argument("--seed", type=int, default=0, help="breaks ties, and of graph's folds (default: 0)")
    add_run(parser)
    finish(parser)


def add_keep_ranking(parser: argparse.ArgumentParser) -> None:
    """Add the option of commands that rank on the way."""
    text = "Parquet file to keep the ranking in, and to read it from"
    parser.add_argument("--keep-ranking", metavar="FILE", help=text)


def rank(args: argparse.Namespace) -> None:
    """Rank a log, write the ranks, and say how many responses are eligible."""
    from fusion.ranking import rank as run
    from graphrouter.files import atomic_write, check_writable
    from graphrouter.log import load_log
    from graphrouter.settings import parse_overrides

    out = Path(args.out)
    if out.suffix not in FORMS:
        raise UserError(f"--out must end in {' or '.join(FORMS)}, but is {args.out}")
    check_writable(out.parent, "the ranks")
    settings = {"seed": args.seed, "device": args.device, "progress": not args.quiet, **parse_overrides(args.overrides)}
    ranked = run(load_log(args.log), args.ranking, encoder=args.encoder, **settings)
    with atomic_write(out) as draft:
        ranked.write_csv(draft) if out.suffix == ".csv" else ranked.write_parquet(draft, compression="zstd")
    tell(f"{out}: {ranked['query_id'].n_unique():,} queries, {ranked.height:,} responses ranked by {args.ranking}")
    tell(_counts(ranked))


def _counts(ranked: pl.DataFrame) -> str:
    from fusion.ranking import REASONS

    known = dict(ranked["reason"].drop_nulls().value_counts().iter_rows())
    parts = [f"{known[reason]:,} {reason}" for reason in REASONS if reason in known]
    return f"{ranked['eligible'].sum():,} eligible" + (f"; not eligible: {', '.join(parts)}" if parts else "")
