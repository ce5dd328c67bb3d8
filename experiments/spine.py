"""Comparisons of several logs -> result tables of all routers, in Markdown.

Usage: python -m experiments spine runs/spine/mmlu_pro runs/spine/llmrouter ...
Each argument is the output folder of one `graphrouter compare LOG --config spine`.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import polars as pl

from experiments.command import run_command
from experiments.over_logs import differences_over_logs
from graphrouter.cli.options import add_command, finish, names
from graphrouter.errors import UserError
from graphrouter.evaluation.folder import Store
from graphrouter.evaluation.report.numbers import with_interval
from graphrouter.metrics import lower_is_better

OURS = "gnn"
PAIRED = (("", "nll"), ("", "auroc"), ("performance_first", "reward"), ("balance", "reward"), ("cost_first", "reward"))


def read_summary(folder: Path) -> pl.DataFrame:
    """Read the summary of one comparison.

    Raises:
        UserError: If the folder holds none, or one without the routers of the tables.
    """
    file = folder / "summary.csv"
    if not file.exists():
        raise UserError(
            f"{folder} must hold a finished comparison, but has no summary.csv; run graphrouter compare first"
        )
    summary = pl.read_csv(file).with_columns(pl.col("scenario").fill_null(""))
    if OURS not in set(summary["router"]):
        raise UserError(f"{file} must have the router {OURS}, but lacks it; compare it")
    return summary


def against_table(folders: Sequence[Path], others: Sequence[str]) -> list[str]:
    """Return Markdown rows: of each baseline, score and log, the paired difference of ours from it, and of the mean over logs."""
    rows = ["| against | metric | log | gnn | baseline | paired difference, 95% interval |", "|" + " --- |" * 6]
    for other in others:
        for scenario, metric in PAIRED:
            if metric == "auroc" or not all(scenario in ("", *_scenarios(folder)) for folder in folders):
                continue
            label = f"{metric}, {scenario}" if scenario else metric
            for log, found in differences_over_logs(folders, OURS, other, scenario, metric):
                interval = with_interval(found.cells("difference"), "difference")
                rows.append(f"| {other} | {label} | {log} | {found.mean:.4f} | {found.other_mean:.4f} | {interval} |")
    return rows


def _scenarios(folder: Path) -> list[str]:
    return [one["name"] for one in Store(folder).config()["scenarios"]]


def paired_table(summary: pl.DataFrame) -> list[str]:
    """Return the Markdown rows of one log: ours, the best baseline, and the paired difference with its interval."""
    rows = []
    for scenario, metric in PAIRED:
        part = summary.filter((pl.col("scenario") == scenario) & (pl.col("metric") == metric))
        if not part.height:
            continue
        ours = part.row(by_predicate=pl.col("router") == OURS, named=True)
        best = part.row(by_predicate=pl.col("router") == ours["best_baseline"], named=True)
        interval = with_interval(ours, "difference")
        label = f"{metric}, {scenario}" if scenario else metric
        rows.append(
            f"| {ours['log']} | {label} | {ours['mean']:.4f} | {best['router']} {best['mean']:.4f} | {interval} |"
        )
    return rows


def router_table(summaries: list[pl.DataFrame], scenario: str, metric: str) -> list[str]:
    """Return the Markdown rows of one metric: a row per router, a column per log, and the mean over logs last; none without values."""
    joined = pl.concat(
        summary.filter((pl.col("scenario") == scenario) & (pl.col("metric") == metric)) for summary in summaries
    )
    if not joined.height:
        return []
    wide = joined.pivot(on="log", index="router", values="mean", maintain_order=True)
    wide = wide.with_columns(pl.mean_horizontal(pl.exclude("router")).alias("mean over logs"))
    wide = wide.sort("mean over logs", descending=not lower_is_better(metric))
    header = [f"| {' | '.join(wide.columns)} |", f"|{' --- |' * len(wide.columns)}"]
    return header + [f"| {row[0]} | {' | '.join(f'{value:.4f}' for value in row[1:])} |" for row in wide.iter_rows()]


def add_commands(commands: Any) -> None:
    """Add the command."""
    text = "Print the result tables of several comparisons in Markdown."
    parser = add_command(commands, "spine", print_tables, text)
    help_text = "folder of a `graphrouter compare LOG --config spine`"
    parser.add_argument("folders", nargs="+", metavar="COMPARISON", type=Path, help=help_text)
    against = "print the differences of the gnn from these routers instead, of each log and of the mean over logs"
    parser.add_argument("--against", metavar="A,B", type=names, default=[], help=against)
    finish(parser)


def print_tables(args: argparse.Namespace) -> None:
    """Print the paired differences of each log, then the mean of every router over logs."""
    summaries = [read_summary(folder) for folder in args.folders]
    if args.against:
        print("\n".join(against_table(args.folders, args.against)))
        return
    print("| log | metric | gnn | best baseline | paired difference, 95% interval |\n| --- | --- | --- | --- | --- |")
    print("\n".join(row for summary in summaries for row in paired_table(summary)))
    for scenario, metric in PAIRED:
        if rows := router_table(summaries, scenario, metric):
            print(f"\n{metric}{', ' + scenario if scenario else ''}\n")
            print("\n".join(rows))


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command with its words."""
    return run_command(sys.modules[__name__], "spine", argv)


if __name__ == "__main__":
    sys.exit(main())
