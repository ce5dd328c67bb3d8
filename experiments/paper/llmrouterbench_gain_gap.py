"""LLMRouterBench (arXiv:2601.07206): average accuracy, gain over random and best single, gap to the oracle.

Usage: python -m experiments paper llmrouterbench_gain_gap LOG --out DIR
"""

from __future__ import annotations

import argparse
import sys
from typing import TYPE_CHECKING, Any

from experiments.paper.command import add_table, main
from graphrouter.typing import Record

if TYPE_CHECKING:
    import numpy as np

    from experiments.paper.scored import Scored
    from experiments.paper.table import Column, PaperTable
    from graphrouter.log import LLMLog

NAME = "llmrouterbench_gain_gap"
ROUTERS = (
    "random",
    "best_single",
    "best_per_task",
    "knn",
    "kmeans",
    "matrix_factorisation",
    "mlp",
    "routerdc",
    "graphrouter",
    "gnn",
    "oracle",
)
NAMES = {
    "random": "Random",
    "kmeans": "Avengers",
    "matrix_factorisation": "EmbedLLM",
    "routerdc": "RouterDC",
    "graphrouter": "GraphRouter",
    "oracle": "Oracle",
}
ABSENT = {"MODEL-SAT": "(not implemented here)", "Best Single": "(in hindsight)", "Dataset Oracle": "(in hindsight)"}
SOURCES = [
    "The definitions: README of github.com/ynulihao/LLMRouterBench, 'Performance-Oriented Setting'; it shows the numbers as "
    "pictures, and the stored pages of arXiv:2601.07206 end before the tables, so its cells are 'not found'.",
    "The claims are from that README.",
]


def rebuild(args: argparse.Namespace) -> PaperTable:
    """Run the comparison, and make the table."""
    from experiments.paper.runs import PaperSettings, compare_routers, open_log
    from experiments.paper.scored import Scored
    from experiments.paper.table import PaperTable
    from graphrouter.identity import log_label

    settings, log = PaperSettings.of(args), open_log(args)
    compare_routers(log, settings, "by_query", ROUTERS, scenarios=["performance_first"])
    rows = table_rows(Scored(settings.out / "by_query"))
    return PaperTable(
        NAME,
        "LLMRouterBench: gain and gap",
        log_label(log),
        columns(),
        rows,
        claims(rows),
        [settings.note(), *differences(log)],
        SOURCES,
    )


def columns() -> list[Column]:
    """Return the columns; the first four as published, then this project's own, over queries and not relative."""
    from experiments.paper.table import Column

    return [
        Column("router", "router here"),
        Column("paper_name", "row of the paper"),
        Column("average", "AvgAcc"),
        Column("gain_random", "Gain@R, %", 1, 100, signed=True),
        Column("gain_best", "Gain@B, %", 1, 100, signed=True),
        Column("gap_oracle", "Gap@O, %", 1, 100),
        Column("published", "published", 3, published=True),
        Column("over_best_single", "gain_over_best_single", signed=True),
        Column("to_oracle", "gap_to_oracle"),
    ]


def relative(here: np.ndarray, random: np.ndarray, best: np.ndarray, oracle: np.ndarray) -> dict[str, np.ndarray]:
    """Return Gain@R, Gain@B and Gap@O of mean accuracies, each relative to what it is held against."""
    return {"gain_random": here / random - 1, "gain_best": here / best - 1, "gap_oracle": 1 - here / oracle}


def table_rows(tested: Scored) -> list[Record]:
    """Return a row for each router, and one for each row of the paper that nothing here stands for."""
    import numpy as np

    from experiments.paper.scored import SINGLE, estimate
    from experiments.paper.table import NOT_FOUND
    from graphrouter import metrics

    tasks = tested.tasks()
    macro = {name: tested.macro(tested.values(name), tasks) for name in tested.routers}
    singles = {name: tested.macro(tested.values(SINGLE + name), tasks) for name in tested.llms}
    best = singles[max(singles, key=lambda name: singles[name][0])]
    # Random routing by its expectation, not by one draw of it.
    expected = np.mean(list(singles.values()), axis=0)
    rows: list[Record] = []
    for router in tested.routers:
        row: Record = {"router": router, "paper_name": NAMES.get(router)} | estimate("average", macro[router])
        for key, resampled in relative(macro[router], expected, best, macro["oracle"]).items():
            row |= estimate(key, resampled)
        for key, function in (
            ("over_best_single", metrics.gain_over_best_single),
            ("to_oracle", metrics.gap_to_oracle),
        ):
            parts = [
                function(choice, outcomes.rewards(tested.scenario), weights)
                for choice, outcomes, weights in zip(
                    tested.choices(router), tested.outcomes, tested.resampling.weights, strict=True
                )
            ]
            row |= estimate(key, np.mean(parts, axis=0))
        rows.append(row | ({"published": NOT_FOUND} if router in NAMES else {}))
    hindsight = {
        "Best Single": best,
        "Dataset Oracle": np.mean([_best_of_task(tested, task) for task in tasks], axis=0),
    }
    for name, reason in ABSENT.items():
        row = {"router": reason, "paper_name": name, "published": NOT_FOUND}
        if name in hindsight:
            row |= estimate("average", hindsight[name])
            for key, resampled in relative(hindsight[name], expected, best, macro["oracle"]).items():
                row |= estimate(key, resampled)
        rows.append(row)
    return rows


def _best_of_task(tested: Scored, task: str) -> np.ndarray:
    """Return [1 + B], the accuracy of the LLM that is best on a task's test queries."""
    from experiments.paper.scored import SINGLE

    masks = tested.of_task(task, tested.all())
    found = [tested.mean(tested.values(SINGLE + name), masks) for name in tested.llms]
    return max(found, key=lambda resampled: float(resampled[0]))


def claims(rows: list[Record]) -> list[str]:
    """Return the paper's claim, and our result."""
    by_name = {row["paper_name"] or row["router"]: row for row in rows if "average" in row}
    routers = [row for row in rows if row.get("average") is not None and row["router"] not in ("oracle", "random")]
    top = max((row for row in routers if not row["router"].startswith("(")), key=lambda row: row["average"])
    return [
        "README: leading routers come to the same, close to the Dataset Oracle, and far from the Oracle. Here, the best router "
        f"({top['router']}) has {top['average']:.4f}, the Dataset Oracle {by_name['Dataset Oracle']['average']:.4f}, the Oracle "
        f"{by_name['Oracle']['average']:.4f}.",
        "README: the best routers gain up to 4% over the best single LLM where cost counts (PerfGain). Here, by accuracy alone, "
        f"{top['router']} gains {top['gain_best']:+.1%}.",
    ]


def differences(log: LLMLog) -> list[str]:
    """Return how the setting differs from the published one."""
    return [
        f"The log: {log.name}, {len(log.tasks)} tasks and {len(log.llm_names)} LLMs. The paper's has 15 data sets and 20 LLMs "
        "of about 7B; it needs a download: give its folder (results/bench/...) as LOG.",
        "Splits go by text group, 60/20/20, the paper's 70/30.",
        "Best Single and Dataset Oracle are chosen in hindsight on the test queries, as published; best_single and "
        "best_per_task choose on the training split. Random is the expectation over the LLMs; the row random is one draw.",
        "AvgAcc is the mean over tasks, each counting the same. gain_over_best_single and gap_to_oracle are this project's: "
        "differences over queries, not relative.",
        "kmeans is Avengers' idea and matrix_factorisation EmbedLLM's, on frozen vectors of another encoder.",
    ]


def add_commands(commands: Any) -> None:
    """Add the command."""
    log = "any log, or the folder of LLMRouterBench's results (results/bench/...)"
    add_table(commands, NAME, rebuild, "LLMRouterBench's gain over random and best single, and gap to the oracle", log)


if __name__ == "__main__":
    sys.exit(main(sys.modules[__name__], NAME))
