"""GraphRouter (arXiv:2410.03834), Table 5: LLMs that are new, with few logged queries of each.

Usage: python -m experiments paper graphrouter_table5 LOG --out DIR [--new A,B] [--shots N]
"""

from __future__ import annotations

import argparse
import sys
from typing import TYPE_CHECKING, Any

from experiments.paper.command import add_table, main
from graphrouter.typing import Record

if TYPE_CHECKING:
    from experiments.paper.runs import PaperSettings
    from experiments.paper.scored import Scored
    from experiments.paper.table import PaperTable
    from graphrouter.log import LLMLog
    from graphrouter.routers.base import Router

NAME = "graphrouter_table5"
ROUTERS = ("best_per_task", "knn", "graphrouter", "gnn")
SCENARIO = "balance"
NEW_SHARE = 0.4
"""Of the LLMs: the paper has four of ten."""
PAPER_ROWS = {"graphrouter few": "GraphRouter (few-shots)", "graphrouter trained": "GraphRouter (trained)"}
SOURCES = [
    "Table 5 was not in the sources at hand (they hold the paper without its tables), so its cells are 'not found'.",
    "The claim is from the abstract of arXiv:2410.03834.",
]


def choose_new(log: LLMLog, named: list[str] | None) -> list[str]:
    """Return the LLMs that are to be new: those named, or four of ten by a hash of their names.

    Raises:
        UserError: If one is unknown, or fewer than two LLMs would be left.
    """
    from graphrouter.errors import UserError, suggest
    from graphrouter.splits import text_digest

    known = list(log.llm_names)
    for name in named or ():
        if name not in known:
            raise UserError(f"--new must name LLMs of {log.name}, but {name!r} is none{suggest(name, known)}")
    count = max(1, round(NEW_SHARE * len(known)))
    new = sorted(set(named)) if named else sorted(sorted(known, key=text_digest)[:count])
    if len(known) - len(new) < 2:
        raise UserError(f"two LLMs or more must not be new, but of {len(known)} {len(new)} are; name fewer with --new")
    return new


def arms(settings: PaperSettings, new: list[str], shots: int) -> dict[str, Router]:
    """Return every router: trained on all, and with few logged queries of the new LLMs."""
    from experiments.paper.few_shot import EXTENDED, REFITTED, FewShot
    from experiments.paper.runs import make_routers
    from graphrouter.config import hyperparameters
    from graphrouter.settings import to_plain

    made: dict[str, Router] = {}
    for name, router in make_routers(settings, ROUTERS).items():
        own = to_plain(hyperparameters(router))
        made[f"{name}.trained"] = router
        for how in (EXTENDED, REFITTED) if router.extends else (REFITTED,):
            made[f"{name}.{how}"] = FewShot(router=name, hyperparameters=own, new=new, shots=shots, how=how)
    return made


def rebuild(args: argparse.Namespace) -> PaperTable:
    """Run the comparison, and make the table."""
    from experiments.paper.runs import PaperSettings, compare_routers, open_log
    from experiments.paper.scored import Scored
    from experiments.paper.table import Column, PaperTable
    from graphrouter.errors import UserError
    from graphrouter.identity import log_label

    if args.shots < 0:
        raise UserError(f"--shots must be 0 or more, but is {args.shots}")
    settings, log = PaperSettings.of(args), open_log(args)
    new = choose_new(log, args.new)
    evaluation = compare_routers(
        log,
        settings,
        f"new_llms_{args.shots}",
        arms(settings, new, args.shots),
        scenarios=[SCENARIO, "performance_first"],
    )
    here = Scored(settings.out / f"new_llms_{args.shots}", SCENARIO)
    performance = Scored(settings.out / f"new_llms_{args.shots}", "performance_first")
    seconds = {name: [entry["fit_seconds"] for entry in about] for name, about in evaluation.about.items()}
    columns = [
        Column("router", "router"),
        Column("setting", "setting"),
        Column("paper_name", "row of the paper"),
        Column("reward", f"reward, {SCENARIO}"),
        Column("to_trained", "minus the same router, trained", signed=True),
        Column("performance", "performance, performance_first"),
        Column("to_new", "queries sent to new LLMs", 3),
        Column("seconds", "fit, s", 1),
        Column("published", "published reward", 3, published=True),
    ]
    rows = table_rows(here, performance, new, args.shots, seconds)
    title = "GraphRouter, Table 5: new LLMs with few logged queries"
    return PaperTable(
        NAME, title, log_label(log), columns, rows, claims(rows), differences(settings, log, new), SOURCES
    )


def table_rows(
    here: Scored, performance: Scored, new: list[str], shots: int, seconds: dict[str, list[float]]
) -> list[Record]:
    """Return a row for each router and setting, and one of the GNN that must not use the new LLMs."""
    import numpy as np

    from experiments.paper.scored import estimate
    from experiments.paper.table import NOT_FOUND

    rows: list[Record] = []
    added = np.array([name in new for name in here.llms])
    for label in here.routers:
        router, how = label.split(".")
        key = f"{router} {'trained' if how == 'trained' else 'few'}"
        reward = here.mean(here.values(label, "reward"))
        row: Record = {"router": router, "setting": "trained on all" if how == "trained" else f"{shots} shots, {how}"}
        row |= {"paper_name": PAPER_ROWS.get(key)} | estimate("reward", reward)
        if how != "trained":
            row |= estimate("to_trained", reward - here.mean(here.values(f"{router}.trained", "reward")))
        row |= estimate("performance", performance.mean(performance.values(label)))
        row |= {"to_new": float(np.mean([added[choice].mean() for choice in here.choices(label)]))}
        row |= {"seconds": float(np.mean(seconds[label]))}
        rows.append(row | ({"published": NOT_FOUND} if key in PAPER_ROWS else {}))
    old = here.mean(here.values("gnn.trained", "reward", new))
    row = {"router": "gnn", "setting": "trained, new LLMs ruled out"} | estimate("reward", old)
    row |= estimate("to_trained", old - here.mean(here.values("gnn.trained", "reward")))
    rows.append(row | estimate("performance", performance.mean(performance.values("gnn.trained", without=new))))
    return rows


def claims(rows: list[Record]) -> list[str]:
    """Return the paper's claim about the setting, and our result."""
    few = {row["router"]: row["to_trained"] for row in rows if "to_trained" in row and "shots" in row["setting"]}
    shown = ", ".join(f"{router} {value:+.4f}" for router, value in few.items())
    return [
        "Abstract: new LLMs are taken in without training, at a gain of 9.5% or more 'in effect' over the baselines. Here, the "
        f"reward with few logged queries minus that of the same router trained on all: {shown}."
    ]


def differences(settings: PaperSettings, log: LLMLog, new: list[str]) -> list[str]:
    """Return how the setting differs from the published one."""
    return [
        settings.note(),
        f"New LLMs: {', '.join(new)}; by a hash of the names, or --new. The paper's new LLMs are four of its ten.",
        f"The log: {log.name}, {len(log.tasks)} tasks and {len(log.llm_names)} LLMs; cost "
        f"{'estimated' if log.cost_estimated else 'of the log'}. The paper's log needs a download.",
        "'extended' has learnt without the new LLMs and takes them in from their logged queries without training, as in the "
        "paper; 'refitted' is trained anew on all that is known. The test queries are the "
        "same for all, and every LLM can be chosen.",
        "Seconds are those of fitting and taking in together, on the machine that ran this.",
    ]


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add what only this table takes."""
    from graphrouter.cli.options import names

    parser.add_argument("--new", type=names, metavar="A,B", help="LLMs that are new (default: four of ten, by a hash)")
    parser.add_argument("--shots", type=int, default=20, metavar="N", help="logged queries of each (default: 20)")


def add_commands(commands: Any) -> None:
    """Add the command."""
    log = "a log like the paper's; a cost that it lacks is estimated (closest at hand: llmrouter)"
    add_table(
        commands,
        NAME,
        rebuild,
        "GraphRouter's Table 5: new LLMs with few logged queries",
        log,
        options=add_options,
        cost=True,
    )


if __name__ == "__main__":
    sys.exit(main(sys.modules[__name__], NAME))
