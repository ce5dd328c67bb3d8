"""Routers by scenario, as GraphRouter's and FusionFactory's tables have them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from experiments.paper.runs import PaperSettings, compare_routers
from experiments.paper.scored import Scored, estimate
from experiments.paper.table import NOT_FOUND, Column
from graphrouter.splits import Split, by_query
from graphrouter.typing import Record

if TYPE_CHECKING:
    from graphrouter.log import LLMLog

OURS = "gnn"
PUBLISHED = "graphrouter"


@dataclass(frozen=True)
class Paper:
    """A published table of routers by scenario.

    Attributes:
        names: Name in the paper of each router here, in the order of the rows.
        absent: Rows of the paper that nothing here stands for, each with the reason.
        rewards: Published rewards by scenario and name there; what is not in it was not found.
    """

    names: Mapping[str, str]
    absent: Mapping[str, str] = field(default_factory=dict)
    rewards: Mapping[tuple[str, str], float] = field(default_factory=dict)

    def cell(self, scenario: str, name: str) -> Record:
        """Return the cells of the published number of a row that the paper has."""
        return {"published": self.rewards.get((scenario, name), NOT_FOUND)}


def run_scenarios(
    log: LLMLog,
    settings: PaperSettings,
    folder: str,
    routers: Sequence[str],
    scenarios: Sequence[str],
    split: Callable[[LLMLog, int], Split] = by_query,
) -> dict[str, Scored]:
    """Compare routers, and return what was tested by scenario."""
    compare_routers(log, settings, folder, routers, scenarios=scenarios, split=split)
    return {name: Scored(settings.out / folder, name) for name in scenarios}


def scenario_rows(
    tested: Mapping[str, Scored], routers: Sequence[str], paper: Paper, second: Mapping[str, Scored] | None = None
) -> list[Record]:
    """Return a row for each scenario and router, and one for each row of the paper that nothing here stands for.

    Args:
        tested: By scenario.
        routers: In the order of the rows.
        paper: Printed values beside them.
        second: The same on another split, for a second column of rewards.
    """
    rows: list[Record] = []
    for scenario, here in tested.items():
        ours = here.mean(here.values(OURS, "reward"))
        for router in routers:
            reward = here.mean(here.values(router, "reward"))
            row: Record = {"scenario": scenario, "router": router, "paper_name": paper.names.get(router)}
            row |= estimate("performance", here.mean(here.values(router)))
            if here.config["log"]["has_cost"]:
                row |= {"cost": float(here.mean(here.values(router, "cost"))[0])}
            row |= estimate("reward", reward)
            if router != OURS:
                row |= estimate("ours_minus", ours - reward)
            if second is not None:
                row |= estimate("second", second[scenario].mean(second[scenario].values(router, "reward")))
            rows.append(row | (paper.cell(scenario, paper.names[router]) if router in paper.names else {}))
        for name, reason in paper.absent.items():
            rows.append({"scenario": scenario, "router": reason, "paper_name": name} | paper.cell(scenario, name))
    return rows


def scenario_columns(second: str | None = None) -> list[Column]:
    """Return the columns of `scenario_rows`; the second split's with the title that is given."""
    columns = [
        Column("scenario", "scenario"),
        Column("router", "router here"),
        Column("paper_name", "row of the paper"),
        Column("performance", "performance"),
        Column("cost", "$ per 1,000", 4, 1000),
        Column("reward", "reward"),
        Column("ours_minus", f"{OURS} minus this", signed=True),
    ]
    if second:
        columns.append(Column("second", second))
    return [*columns, Column("published", "published reward", 3, published=True)]


def least_gain(tested: Mapping[str, Scored], router: str, others: Sequence[str]) -> str:
    """Return a router's reward relative to the best of others, for the scenario where that is least."""
    found = []
    for scenario, here in tested.items():
        rewards = {name: float(here.mean(here.values(name, "reward"))[0]) for name in (router, *others)}
        best = max(others, key=lambda name: rewards[name])
        if rewards[best] > 0:
            found.append((rewards[router] / rewards[best] - 1, scenario, best))
    if not found:
        return f"{router}: no other router has a positive reward, so a relative gain has no meaning"
    gain, scenario, best = min(found)
    return f"{router}: {gain:+.1%} in {scenario}, over {best}"
