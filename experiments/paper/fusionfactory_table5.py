"""FusionFactory (arXiv:2507.10540), Table 5: thought level fusion, each LLM with templates and without.

Usage: python -m experiments paper fusionfactory_table5 LOG --out DIR
"""

from __future__ import annotations

import argparse
import sys
from typing import TYPE_CHECKING, Any

from experiments.paper.command import add_table, main
from graphrouter.typing import Record

if TYPE_CHECKING:
    from experiments.paper.table import PaperTable
    from fusion.evaluation import ThoughtLevel

NAME = "fusionfactory_table5"


def rebuild(args: argparse.Namespace) -> PaperTable:
    """Evaluate the log, and make the table."""
    from experiments.paper.domains import SOURCE
    from experiments.paper.runs import open_log
    from experiments.paper.table import Column, PaperTable
    from fusion.evaluation import evaluate_thoughts
    from graphrouter.identity import log_label

    log = open_log(args)
    level = evaluate_thoughts(log)
    rows = table_rows(level)
    columns = [
        Column("llm", "LLM"),
        Column("guide", "guide"),
        Column("ranking", "ranked by"),
        Column("performance", "performance"),
        Column("difference", "minus zero-shot", signed=True),
        *(Column(domain, domain, 3) for domain in level.domains),
        Column("published", "published", 3, published=True),
    ]
    title = "FusionFactory, Table 5: thought level"
    sources = [SOURCE.format(table="Table 5", section="4.2")]
    return PaperTable(NAME, title, log_label(log), columns, rows, [claim(rows)], differences(level), sources)


def table_rows(level: ThoughtLevel) -> list[Record]:
    """Return a row for each LLM and way of asking, with its domains."""
    import polars as pl

    from experiments.paper.table import NOT_FOUND

    rows: list[Record] = []
    for one in level.table.filter(pl.col("domain").is_null()).iter_rows(named=True):
        row: Record = {"llm": one["llm"], "guide": one["guide"] or "zero-shot", "ranking": one["ranking"]}
        row |= {"kind": one["kind"]}
        row |= {key: one[key] for key in ("performance", "difference", "difference_low", "difference_high")}
        same = (pl.col("llm") == one["llm"]) & pl.col("guide").eq_missing(one["guide"]) & pl.col("domain").is_not_null()
        row |= dict(level.table.filter(same).select("domain", "performance").iter_rows())
        rows.append(row | {"published": NOT_FOUND})
    return rows


def claim(rows: list[Record]) -> str:
    """Return the paper's claim about thoughts, and our result."""
    from fusion.evaluation.thought import ALL

    guided = [row for row in rows if row["kind"] == "thought" and row["llm"] != ALL]
    better = sum(row["difference_low"] > 0 for row in guided)
    worse = sum(row["difference_high"] < 0 for row in guided)
    return (
        "Section 4.2: thoughts improve LLMs of all sizes, and hybrid selection is the best balance. Here, of "
        f"{len(guided)} LLMs with thoughts {better} are better than without by more than the interval, and {worse} are worse."
    )


def differences(level: ThoughtLevel) -> list[str]:
    """Return how the setting differs from the published one."""
    return [
        f"The log: {level.log}, {level.queries} test queries, answered with guides by fusion collect --guide. The paper's are "
        "FusionBench's 14 tasks with LLMs of 8B to 671B, which need a download and LLMs to ask; a log of theirs, collected in "
        "the same way, goes here as LOG.",
        "Rankings are those that the guides of this log were made with; the paper has performance, judge and hybrid.",
        "Intervals are by a bootstrap over text groups; one collection, no seeds.",
    ]


def add_commands(commands: Any) -> None:
    """Add the command."""
    log = "a log with guides, from fusion collect --guide"
    add_table(commands, NAME, rebuild, "FusionFactory's Table 5: the thought level", log, routers=False)


if __name__ == "__main__":
    sys.exit(main(sys.modules[__name__], NAME))
