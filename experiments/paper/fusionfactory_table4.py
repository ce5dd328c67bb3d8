"""FusionFactory (arXiv:2507.10540), Table 4: query level fusion by routers, in four scenarios.

Usage: python -m experiments paper fusionfactory_table4 LOG --out DIR
"""

from __future__ import annotations

import argparse
import sys
from typing import TYPE_CHECKING, Any

from experiments.paper.command import add_table, main

if TYPE_CHECKING:
    from experiments.paper.table import PaperTable
    from graphrouter.log import LLMLog

NAME = "fusionfactory_table4"
ROUTERS = ("largest", "best_single", "best_per_task", "knn", "mlp", "svm", "graphrouter", "gnn", "oracle")
NAMES = {
    "largest": "Largest LLM",
    "best_single": "Best LLM",
    "knn": "RouterKNN",
    "mlp": "RouterMLP",
    "svm": "RouterSVM",
    "graphrouter": "GraphRouter",
}
ABSENT = {"RouterBERT": "(fine-tunes its encoder; not implemented here)"}
SOURCES = [
    "Table 4 was not in the sources at hand: the project page (github.com/ulab-uiuc/FusionFactory, docs/index.html, section "
    "4.1) shows it as a picture, and the stored pages of arXiv end before it. Its rows are the routers of the repository's "
    "folder query_level.",
    "The claim is from that page, section 4.1.",
]


def rebuild(args: argparse.Namespace) -> PaperTable:
    """Run the comparisons, and make the table."""
    from experiments.paper.runs import PaperSettings, open_log
    from experiments.paper.scenarios import Paper, run_scenarios, scenario_columns, scenario_rows
    from experiments.paper.table import PaperTable
    from graphrouter.identity import log_label

    settings, log = PaperSettings.of(args), open_log(args)
    tested = run_scenarios(log, settings, "by_query", ROUTERS, ("performance_first", "balance", "cost_first"))
    judged = log.records["judge_score"].is_not_null().any()
    if judged:
        tested |= run_scenarios(log, settings, "judge", ROUTERS, ("judge",))
    notes = [] if judged else ["The log has no judge scores, so the fourth scenario, LLM judge, is left out."]
    return PaperTable(
        NAME,
        "FusionFactory, Table 4: query level",
        log_label(log),
        scenario_columns(),
        scenario_rows(tested, ROUTERS, Paper(NAMES, ABSENT)),
        [_claim(tested)],
        [settings.note(), *notes, *differences(log)],
        SOURCES,
    )


def _claim(tested: Any) -> str:
    ranked = []
    for scenario, here in tested.items():
        rewards = {name: float(here.mean(here.values(name, "reward"))[0]) for name in ROUTERS if name != "oracle"}
        ranked.append(f"{scenario}: {' > '.join(sorted(rewards, key=rewards.__getitem__, reverse=True)[:3])}")
    return (
        "Section 4.1: GraphRouter is best in all settings, and the other routers have no significant advantage over the best "
        f"LLM. Here, the best three: {'; '.join(ranked)}."
    )


def differences(log: LLMLog) -> list[str]:
    """Return how the setting differs from the published one."""
    return [
        f"The log: {log.name}, {len(log.tasks)} tasks and {len(log.llm_names)} candidates. The paper's is FusionBench (14 tasks, "
        "20 LLMs of 8B to 671B, direct and reasoning), which needs a download; give its path as LOG, in the layout that "
        "graphrouter import --format fusionbench reads.",
        "Splits go by text group, 60/20/20; the paper has a training and a test part of its own.",
        "The cost scale is the mean cost of the costliest LLM on the training split, the paper's is another, so rewards of "
        "scenarios that weigh cost cannot be compared.",
        "largest ties between styles of one LLM by name. Best LLM is chosen on the training split, for each scenario.",
    ]


def add_commands(commands: Any) -> None:
    """Add the command."""
    log = "micropool, a log, or FusionBench in a layout that graphrouter import reads"
    add_table(commands, NAME, rebuild, "FusionFactory's Table 4: routers at the query level", log, cost=True)


if __name__ == "__main__":
    sys.exit(main(sys.modules[__name__], NAME))
