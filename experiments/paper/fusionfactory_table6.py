"""FusionFactory (arXiv:2507.10540), Table 6: model level fusion, students by how their data was selected.

Usage: python -m experiments paper fusionfactory_table6 LOG --answers DIR --base NAME --out DIR
"""

from __future__ import annotations

import argparse
import sys
from typing import TYPE_CHECKING, Any

from experiments.paper.command import add_level_options, add_table, main
from graphrouter.typing import Record

if TYPE_CHECKING:
    from experiments.paper.table import PaperTable

NAME = "fusionfactory_table6"
KINDS = ("student", "base", "llm", "router")


def rebuild(args: argparse.Namespace) -> PaperTable:
    """Evaluate the students, and make the table."""
    from experiments.paper.domains import SOURCE, add_differences, domain_columns, domain_rows
    from experiments.paper.runs import open_log
    from experiments.paper.table import PaperTable
    from fusion.evaluation.model import ROUTERS, evaluate_models
    from graphrouter.cli.options import run_options
    from graphrouter.identity import log_label
    from graphrouter.log import LLMLog

    log, answers = open_log(args), LLMLog.load(args.answers)
    found = evaluate_models(
        log,
        answers,
        base=args.base,
        seed=args.split_seed,
        routers=args.routers or ROUTERS,
        encoder=args.encoder,
        run=run_options(args),
    )
    rows, domains = domain_rows(found.scores, KINDS)
    add_differences(rows, found.differences, args.base)
    return PaperTable(
        NAME,
        "FusionFactory, Table 6: model level",
        log_label(log),
        domain_columns(domains, args.base),
        rows,
        [claim(rows)],
        differences(log.name, found.queries),
        [SOURCE.format(table="Table 6", section="4.3")],
    )


def claim(rows: list[Record]) -> str:
    """Return the paper's claim about students, and our result."""
    shown = [f"{row['candidate']} {row['minus']:+.4f}" for row in rows if "minus" in row]
    return (
        "Section 4.3: fine-tuning brings modest gains, in four of six domains, losses on code, and selection by an LLM judge is "
        f"best. Here, students minus their base: {', '.join(shown) or 'no base was named'}."
    )


def differences(log: str, queries: int) -> list[str]:
    """Return how the setting differs from the published one."""
    return [
        f"The log: {log}, {queries} test queries; the students' answers are those that were given with --answers (fusion "
        "evaluate --level model leaves them in OUT/answers). The paper fine-tunes Llama 3.1 8B on FusionBench, which needs a "
        "download and a GPU.",
        "LLMs and routers of the log stand beside the students; the paper's table has the students only.",
        "One split; intervals are by a bootstrap over text groups.",
    ]


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add what only this table takes."""
    parser.add_argument(
        "--answers", required=True, metavar="DIR", help="log of the students' answers to the test queries"
    )
    add_level_options(parser)


def add_commands(commands: Any) -> None:
    """Add the command."""
    log = "the log that the students were distilled from"
    add_table(
        commands, NAME, rebuild, "FusionFactory's Table 6: the model level", log, routers=False, options=add_options
    )


if __name__ == "__main__":
    sys.exit(main(sys.modules[__name__], NAME))
