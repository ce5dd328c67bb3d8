"""RouteLLM (arXiv:2406.18665), Tables 1 to 3: APGR and CPT between a strong and a weak LLM.

Usage: python -m experiments paper routellm_apgr_cpt LOG --out DIR [--strong NAME] [--weak NAME]
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
    from experiments.paper.table import PaperTable
    from graphrouter.log import LLMLog

NAME = "routellm_apgr_cpt"
ROUTERS = ("random", "best_per_task", "knn", "linear", "matrix_factorisation", "routellm", "mlp", "gnn", "oracle")
LEVELS = (0.5, 0.8)
PUBLISHED = {
    ("mt_bench", "Random", ""): (0.4903, 0.7808, 0.500),
    ("mt_bench", "BERT", "arena"): (0.7809, 0.8764, 0.391),
    ("mt_bench", "Causal LLM", "arena"): (0.2882, 0.7753, 0.573),
    ("mt_bench", "Matrix Factorization", "arena"): (0.2532, 0.7426, 0.580),
    ("mt_bench", "SW Ranking", "arena"): (0.3785, 0.5899, 0.610),
    ("mt_bench", "BERT", "arena + judge"): (0.1958, 0.3402, 0.751),
    ("mt_bench", "Causal LLM", "arena + judge"): (0.3150, 0.4875, 0.679),
    ("mt_bench", "Matrix Factorization", "arena + judge"): (0.1340, 0.3131, 0.802),
    ("mt_bench", "SW Ranking", "arena + judge"): (0.2321, 0.3604, 0.759),
    ("mmlu", "Random", ""): (0.5007, 0.7993, 0.500),
    ("mmlu", "BERT", "arena"): (0.4943, 0.7780, 0.502),
    ("mmlu", "Causal LLM", "arena"): (0.4888, 0.7793, 0.499),
    ("mmlu", "Matrix Factorization", "arena"): (0.4500, 0.7686, 0.524),
    ("mmlu", "SW Ranking", "arena"): (0.5582, 0.8025, 0.473),
    ("mmlu", "BERT", "arena + gold"): (0.4130, 0.7220, 0.572),
    ("mmlu", "Causal LLM", "arena + gold"): (0.3549, 0.7031, 0.600),
    ("mmlu", "Matrix Factorization", "arena + gold"): (0.3546, 0.7140, 0.597),
    ("mmlu", "SW Ranking", "arena + gold"): (0.3540, 0.7155, 0.603),
    ("gsm8k", "Random", ""): (0.5000, 0.8008, 0.497),
    ("gsm8k", "BERT", "arena"): (0.5878, 0.8384, 0.438),
    ("gsm8k", "Causal LLM", "arena"): (0.5609, 0.8356, 0.461),
    ("gsm8k", "Matrix Factorization", "arena"): (0.5359, 0.8524, 0.4746),
    ("gsm8k", "SW Ranking", "arena"): (0.5443, 0.8211, 0.4753),
    ("gsm8k", "BERT", "arena + judge"): (0.4476, 0.7909, 0.531),
    ("gsm8k", "Causal LLM", "arena + judge"): (0.3364, 0.6326, 0.622),
    ("gsm8k", "Matrix Factorization", "arena + judge"): (0.3882, 0.7262, 0.565),
    ("gsm8k", "SW Ranking", "arena + judge"): (0.4121, 0.7220, 0.568),
}
"""By task, router and training data: CPT(50%), CPT(80%) and APGR."""
SOURCES = [
    "arXiv:2406.18665 (version 4), Table 1 (mt_bench), Table 2 (mmlu) and Table 3 (gsm8k), all rows, read in a public "
    "transcription of the paper; 'training data' is the paper's: Chatbot Arena votes, with LLM-judged or gold labels added."
]


def rebuild(args: argparse.Namespace) -> PaperTable:
    """Run the comparison, and make the table."""
    from experiments.paper.runs import PaperSettings, compare_routers, open_log
    from experiments.paper.scored import Scored
    from experiments.paper.table import Column, PaperTable
    from graphrouter.identity import log_label

    settings, log = PaperSettings.of(args), open_log(args)
    strong, weak = choose_pair(log, args.strong, args.weak)
    pair = log.take_llms([strong, weak])
    compare_routers(pair, settings, "by_query", ROUTERS, scenarios=["performance_first"])
    columns = [
        Column("task", "task"),
        Column("router", "router"),
        Column("data", "training data"),
        *(Column(f"cpt_{level:.0%}", f"CPT({level:.0%}), % of calls", 1, 100) for level in LEVELS),
        Column("apgr", "APGR", 3),
        Column("ours_minus", "gnn's APGR minus this", 3, signed=True),
        *(
            Column(f"published_{level:.0%}", f"published CPT({level:.0%}), %", 2, 100, published=True)
            for level in LEVELS
        ),
        Column("published", "published APGR", 3, published=True),
    ]
    rows = table_rows(Scored(settings.out / "by_query"), strong, weak)
    title = "RouteLLM, Tables 1 to 3: APGR and CPT"
    notes = [settings.note(), *differences(pair, strong, weak)]
    return PaperTable(NAME, title, log_label(log), columns, rows, claims(pair, strong), notes, SOURCES)


def choose_pair(log: LLMLog, strong: str | None, weak: str | None) -> tuple[str, str]:
    """Return the strong and the weak LLM: those named, or the better and the worse of a log of two.

    Raises:
        UserError: If one is unknown, both are the same, or a log of more than two leaves it open.
    """
    import numpy as np

    from graphrouter.errors import UserError, suggest

    names = list(log.llm_names)
    for option, name in (("--strong", strong), ("--weak", weak)):
        if name is not None and name not in names:
            raise UserError(f"{option} must be an LLM of {log.name}, but {name!r} is none{suggest(name, names)}")
    if len(names) != 2 and (strong is None or weak is None):
        raise UserError(f"{log.name} has {len(names)} LLMs, so say with --strong and --weak which two are meant")
    ranked = [names[column] for column in np.argsort(np.nanmean(log.cells("performance"), axis=0))]
    strong = strong or next(name for name in reversed(ranked) if name != weak)
    weak = weak or next(name for name in ranked if name != strong)
    if strong == weak:
        raise UserError(f"the strong and the weak LLM must differ, but both are {strong!r}")
    return strong, weak


def curve(tested: Scored, router: str, task: str, strong: int, weak: int) -> np.ndarray:
    """Return [1 + B, G], the mean performance of a router on a task at each share of calls, over seeds."""
    from graphrouter.evaluation.bootstrap import mean_over_seeds
    from graphrouter.metrics import call_curve

    parts = []
    for outcomes, utility, weights in zip(
        tested.outcomes, tested.utility(router), tested.resampling.weights, strict=True
    ):
        rows = (outcomes.tasks == task) & ~_missing(outcomes.performance[:, [strong, weak]])
        performance = outcomes.performance[rows].astype(float)
        score = utility[rows, strong] - utility[rows, weak]
        parts.append(call_curve(score, performance[:, weak], performance[:, strong], weights[:, rows]))
    return mean_over_seeds(parts)


def _missing(cells: np.ndarray) -> np.ndarray:
    import numpy as np

    return np.asarray(np.isnan(cells).any(axis=1))


def table_rows(tested: Scored, strong: str, weak: str) -> list[Record]:
    """Return, for each task, a row for each router here, and then the published rows."""
    from experiments.paper.scored import estimate
    from graphrouter.metrics import apgr, cpt

    columns = tested.llms.index(strong), tested.llms.index(weak)
    rows: list[Record] = []
    for task in tested.tasks():
        curves = {router: curve(tested, router, task, *columns) for router in tested.routers}
        for router, found in curves.items():
            row: Record = {"task": task, "router": router, "data": "this log"} | estimate("apgr", apgr(found))
            for level in LEVELS:
                row |= estimate(f"cpt_{level:.0%}", cpt(found, level))
            if router != "gnn":
                row |= estimate("ours_minus", apgr(curves["gnn"]) - apgr(found))
            rows.append(row)
        for (where, name, data), numbers in PUBLISHED.items():
            if where == task:
                keys = (*(f"published_{level:.0%}" for level in LEVELS), "published")
                rows.append({"task": task, "router": name, "data": data} | dict(zip(keys, numbers, strict=True)))
    return rows


def claims(log: LLMLog, strong: str) -> list[str]:
    """Return the published performance of the strong LLM, and that of the log."""
    published = {"mt_bench": (9.3, 10), "mmlu": (81, 100), "gsm8k": (86, 100)}
    column = log.llm_names.index(strong)
    found = []
    for task, (number, scale) in published.items():
        rows = (log.queries["task"] == task).fill_null(value=False).to_numpy()
        if rows.any():
            here = float(log.cells("performance")[rows, column].mean())
            found.append(f"{task} {number} (here {here * scale:.3g}, {rows.sum()} queries)")
    return [f"Captions of the tables: the strong LLM alone has {', '.join(found)}."] if found else []


def differences(log: LLMLog, strong: str, weak: str) -> list[str]:
    """Return how the setting differs from the published one."""
    return [
        f"Strong: {strong}; weak: {weak}. The cost is the share of calls to the strong one, as published.",
        "The routers here are trained on 60% of this log's own queries and tested on another 20%, by text group, for each "
        "seed; the paper trains on Chatbot Arena votes and tests on all queries. So ours know the benchmark and its tasks, "
        f"but see few queries of a small one (mt_bench: {int((log.queries['task'] == 'mt_bench').sum())} in all).",
        "Curves are averaged over seeds before they are scored. The published code joins ten thresholds, ours has a point for "
        "each per cent; where a curve falls, its CPT interpolates as if it rose.",
        "The paper discards benchmark queries that are in its training data; which these are is not in the log.",
        "Our routellm is the similarity-weighted ranking on other vectors, without the Arena's votes. BERT and the causal LLM "
        "have no counterpart here. The oracle routes by the outcomes.",
    ]


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add what only this table takes."""
    parser.add_argument("--strong", metavar="NAME", help="the strong LLM (default: the better of two)")
    parser.add_argument("--weak", metavar="NAME", help="the weak LLM (default: the other)")


def add_commands(commands: Any) -> None:
    """Add the command."""
    log = "a log with a strong and a weak LLM (at hand: routellm)"
    add_table(commands, NAME, rebuild, "RouteLLM's Tables 1 to 3: APGR and CPT", log, options=add_options)


if __name__ == "__main__":
    sys.exit(main(sys.modules[__name__], NAME))
