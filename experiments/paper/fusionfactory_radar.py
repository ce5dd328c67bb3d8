"""FusionFactory (arXiv:2507.10540), the radar figure: the three levels by domain.

Usage: python -m experiments paper fusionfactory_radar LOG [--guided DIR] [--answers DIR --base NAME] --out DIR
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from experiments.paper.command import add_level_options, add_table, main
from graphrouter.typing import Record

if TYPE_CHECKING:
    from experiments.paper.table import PaperTable

NAME = "fusionfactory_radar"
KINDS = ("llm", "router", "guide", "student")
LEVELS = {"query": "query level", "thought": "thought level", "model": "model level"}
SINGLE = "best single LLM"


def rebuild(args: argparse.Namespace) -> PaperTable:
    """Evaluate the levels, draw the figure, and make the table of it."""
    from experiments.paper.domains import SOURCE, add_differences, domain_columns, domain_rows
    from experiments.paper.runs import open_log
    from experiments.paper.table import PaperTable
    from fusion.evaluation.levels import evaluate_levels
    from fusion.evaluation.model import ROUTERS
    from graphrouter.cli.options import run_options
    from graphrouter.identity import log_label
    from graphrouter.log import LLMLog

    log = open_log(args)
    given = {"guided": args.guided, "answers": args.answers}
    guided, answers = (LLMLog.load(path) if path else None for path in given.values())
    found = evaluate_levels(
        log,
        guided=guided,
        answers=answers,
        base=args.base,
        seed=args.split_seed,
        routers=args.routers or ROUTERS,
        encoder=args.encoder,
        run=run_options(args),
    )
    rows, domains = domain_rows(found.scores, KINDS)
    add_differences(rows, found.differences, found.single)
    shown = [row for row in rows if row["kind"] != "llm" or row["candidate"] == found.single]
    notes = draw(found.log, found.single, shown, domains, Path(args.out) / f"{NAME}.svg")
    notes += [f"No {what} was given, so that level is left out." for what, path in given.items() if not path]
    return PaperTable(
        NAME,
        "FusionFactory, radar figure: the levels by domain",
        log_label(log),
        domain_columns(domains, found.single),
        shown,
        [
            "Section 4.4: the thought level is best, the model level worst, and the query level moderate and the cheapest. Here, "
            f"from the best to the worst: {', '.join(order(found.single, shown))}."
        ],
        [*notes, *differences(found.log, found.queries)],
        [SOURCE.format(table="The figure", section="4.4")],
    )


def lines(single: str, rows: list[Record]) -> dict[str, Record]:
    """Return the candidates that are drawn: the best single LLM, and the best candidate of each level."""
    from fusion.evaluation.model import ORACLE

    drawn = {SINGLE: next(row for row in rows if row["candidate"] == single)}
    for level, name in LEVELS.items():
        known = [row for row in rows if row["level"] == level and not row["candidate"].startswith(ORACLE)]
        if known:
            drawn[name] = max(known, key=lambda row: row["performance"])
    return drawn


def order(single: str, rows: list[Record]) -> list[str]:
    """Return the lines from the best to the worst."""
    drawn = lines(single, rows)
    ranked = sorted(drawn, key=lambda name: drawn[name]["performance"], reverse=True)
    return [f"{name} ({drawn[name]['candidate']}) {drawn[name]['performance']:.4f}" for name in ranked]


def draw(log: str, single: str, rows: list[Record], domains: list[str], file: Path) -> list[str]:
    """Write the figure, and return what is to be said of it."""
    import polars as pl

    from fusion.evaluation import ThoughtLevel, domain_chart
    from graphrouter.evaluation.report.drawing import drawn_svg
    from graphrouter.files import replace_file

    drawn = lines(single, rows)
    table = [
        {"llm": log, "guide": None if name == SINGLE else name, "domain": domain, "performance": row.get(domain)}
        for name, row in drawn.items()
        for domain in domains
    ]
    schema = {"llm": pl.String, "guide": pl.String, "domain": pl.String, "performance": pl.Float64}
    level = ThoughtLevel(log, 0, tuple(domains), pl.DataFrame(table, schema=schema))
    replace_file(file, drawn_svg(domain_chart(level)).encode())
    return [
        f"{file.name} draws, as dots in place of a radar, for each level, the candidate that is best on the test queries, in hindsight; 'zero-shot' there is "
        f"the best single LLM of the training part, {single}."
    ]


def differences(log: str, queries: int) -> list[str]:
    """Return how the setting differs from the published one."""
    return [
        f"The log: {log}, {queries} test queries. The paper's is FusionBench with LLMs of 8B to 671B, which needs a download.",
        "One split; intervals are by a bootstrap over text groups.",
    ]


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add what only this figure takes."""
    parser.add_argument(
        "--guided", metavar="DIR", help="log with guides, from fusion collect --guide: the thought level"
    )
    parser.add_argument(
        "--answers", metavar="DIR", help="log of students' answers to the test queries: the model level"
    )
    add_level_options(parser)


def add_commands(commands: Any) -> None:
    """Add the command."""
    log = "a log of single LLMs, such as micropool"
    text = "FusionFactory's radar figure: the three levels by domain"
    add_table(commands, NAME, rebuild, text, log, routers=False, options=add_options)


if __name__ == "__main__":
    sys.exit(main(sys.modules[__name__], NAME))
