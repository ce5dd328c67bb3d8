"""GraphRouter (arXiv:2410.03834), Table 4: three scenarios, GraphRouter and its baselines.

Usage: python -m experiments paper graphrouter_table4 LOG --out DIR
"""

from __future__ import annotations

import argparse
import sys
from typing import TYPE_CHECKING, Any

from experiments.paper.command import add_table, main

if TYPE_CHECKING:
    from experiments.paper.table import PaperTable

NAME = "graphrouter_table4"
SCENARIOS = ("performance_first", "balance", "cost_first")
ROUTERS = ("largest", "smallest", "best_single", "best_per_task", "knn", "mlp", "graphrouter", "gnn", "oracle")
ROUTED = ("knn", "mlp")
"""Routers that learn from the text, to compare the paper's claim with; best_per_task is given the task."""
NAMES = {"largest": "Largest LLM", "smallest": "Smallest LLM", "graphrouter": "GraphRouter", "oracle": "Oracle"}
ABSENT = dict.fromkeys(("Prompt LLM", "Hybrid LLM", "FrugalGPT", "C2MAB-V"), "(not implemented here)")
SPLIT = "reward on the source's split"
SOURCES = [
    "Table 4 was not in the sources at hand (they hold the paper without its tables), so its cells are 'not found'; its rows "
    "are the paper's baselines.",
    "The claim is from the abstract of arXiv:2410.03834.",
]


def rebuild(args: argparse.Namespace) -> PaperTable:
    """Run the comparisons, and make the table."""
    from experiments.paper.runs import PaperSettings, by_source, leaked, open_log
    from experiments.paper.scenarios import Paper, least_gain, run_scenarios, scenario_columns, scenario_rows
    from experiments.paper.table import PaperTable
    from graphrouter.identity import log_label

    settings, log = PaperSettings.of(args), open_log(args)
    tested = run_scenarios(log, settings, "by_query", ROUTERS, SCENARIOS)
    second, source_notes = None, ["The log names no split of its source, so there is no second column."]
    if set(log.queries["source_split"].drop_nulls()) >= {"train", "test"}:
        second = run_scenarios(log, settings, "source_split", ROUTERS, SCENARIOS, by_source("test"))
        seen = leaked(log, ("test",))
        source_notes = [
            f"{seen.sum()} of the {len(seen)} test queries of the source's split have the wording of one of its training "
            "queries; they are left in there, as published. The first columns split by text group."
        ]
    rows = scenario_rows(tested, ROUTERS, Paper(NAMES, ABSENT), second)
    claims = [
        "Abstract: GraphRouter gains at least 12.3% over the other routers in every scenario. Here, the least gain over "
        f"{' and '.join(ROUTED)}: {'; '.join(least_gain(tested, name, ROUTED) for name in ('graphrouter', 'gnn'))}."
    ]
    return PaperTable(
        NAME,
        "GraphRouter, Table 4: three scenarios",
        log_label(log),
        scenario_columns(SPLIT if second else None),
        rows,
        claims,
        [settings.note(), *source_notes, *differences(log)],
        SOURCES,
    )


def differences(log: Any) -> list[str]:
    """Return how the setting differs from the published one."""
    cost = "estimated, from lengths and prices" if log.cost_estimated else "that of the log"
    return [
        f"The log: {log.name}, {len(log.tasks)} tasks and {len(log.llm_names)} LLMs. The paper has 4 tasks (Alpaca, gsm8k, "
        "SQuAD, Multi-News) and 10 LLMs; its log needs a download, so rewards are of another scale.",
        f"The cost is {cost}. The paper scales cost to [0, 1] over its whole table, here the scale is the mean cost of the "
        "costliest LLM on the training split, so rewards of scenarios that weigh cost cannot be compared.",
        "The paper's router sees queries of all parts while it trains; here it sees training queries only, and neither "
        "validation outcomes nor test vectors.",
        "Vectors are MiniLM's (or what --encoder names), those of the paper are of another encoder.",
    ]


def add_commands(commands: Any) -> None:
    """Add the command."""
    log = "a log like the paper's; a cost that it lacks is estimated (closest at hand: llmrouter)"
    add_table(commands, NAME, rebuild, "GraphRouter's Table 4: routers in three scenarios", log, cost=True)


if __name__ == "__main__":
    sys.exit(main(sys.modules[__name__], NAME))
