"""The test queries of a finished comparison, resampled: what routers and single LLMs come to on any part of them."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from pathlib import Path

import numpy as np

from graphrouter import metrics
from graphrouter.evaluation import differences
from graphrouter.evaluation.differences import Resampling
from graphrouter.evaluation.folder import Store
from graphrouter.evaluation.store import Outcomes
from graphrouter.scenario import Scenario
from graphrouter.typing import Array, Record

SINGLE = "LLM "
"""Before the name of an LLM that takes all queries."""


class Scored:
    """A comparison's test queries; all figures are resampled by the same draws, so that differences are paired.

    Args:
        out: Folder of the comparison.
        scenario: Whose choices and rewards count; None for its first.
    """

    def __init__(self, out: Path, scenario: str | None = None) -> None:
        self.store = Store(out)
        self.config: Record = self.store.config()
        scenarios = {one["name"]: Scenario(**one) for one in self.config["scenarios"]}
        self.scenario = scenarios[scenario or next(iter(scenarios))]
        self.seeds: list[int] = self.config["seeds"]
        self.llms: list[str] = self.config["log"]["llms"]
        self.routers: list[str] = list(self.config["routers"])

    @cached_property
    def outcomes(self) -> list[Outcomes]:
        """Of each seed."""
        return [self.store.outcomes(seed) for seed in self.seeds]

    @cached_property
    def resampling(self) -> Resampling:
        """Draws of the test queries."""
        return Resampling([outcomes.groups for outcomes in self.outcomes])

    def tasks(self) -> list[str]:
        """Return the names of the tasks of the test queries, sorted."""
        return sorted({str(task) for outcomes in self.outcomes for task in outcomes.tasks if task})

    def utility(self, label: str) -> list[Array]:
        """Return, for each seed, [Q, M] of a router."""
        return [self.store.predictions(label, seed).utility[self.scenario.name] for seed in self.seeds]

    def choices(self, label: str, without: Sequence[str] = ()) -> list[Array]:
        """Return, for each seed, [Q] the columns of the LLMs that a router chooses; some LLMs may be ruled out."""
        ruled_out = np.array([name in without for name in self.llms])
        return [
            metrics.choose(np.where(ruled_out, -np.inf, utility), outcomes.performance)
            for outcomes, utility in zip(self.outcomes, self.utility(label), strict=True)
        ]

    def values(self, label: str, what: str = "performance", without: Sequence[str] = ()) -> list[Array]:
        """Return, for each seed, [Q]: the ``performance``, ``cost`` or ``reward`` of the chosen LLMs.

        A single LLM is not replaced where its cell is missing: there its value is NaN, and no mean counts it.
        """
        if label not in self.routers:
            column = self.llms.index(label.removeprefix(SINGLE))
            return [self._table(outcomes, what)[:, column] for outcomes in self.outcomes]
        found = []
        for outcomes, choice in zip(self.outcomes, self.choices(label, without), strict=True):
            found.append(metrics.taken(choice, self._table(outcomes, what)))
        return found

    def _table(self, outcomes: Outcomes, what: str) -> Array:
        table: Array = outcomes.rewards(self.scenario) if what == "reward" else getattr(outcomes, what)
        return np.where(np.isnan(outcomes.performance), np.nan, table.astype(np.float64))

    def mean(self, values: Sequence[Array], masks: Sequence[Array] | None = None) -> Array:
        """Return [1 + B], the mean over queries and then over seeds.

        Args:
            values: Values for each seed, [Q].
            masks: Masks for each seed, [Q] bool: which queries count; None for all.
        """
        return self.resampling.mean(values, masks)

    def macro(self, values: Sequence[Array], tasks: Sequence[str], masks: Sequence[Array] | None = None) -> Array:
        """Return [1 + B], the mean over tasks of the mean over their queries (of a mask)."""
        kept = masks if masks is not None else self.all()
        return np.asarray(np.mean([self.mean(values, self.of_task(task, kept)) for task in tasks], axis=0))

    def all(self) -> list[Array]:
        """Return, for each seed, [Q] bool: all queries."""
        return [np.ones(len(outcomes.groups), dtype=bool) for outcomes in self.outcomes]

    def of_task(self, task: str, masks: Sequence[Array]) -> list[Array]:
        """Return masks of a task's queries, among those of other masks."""
        return [mask & (outcomes.tasks == task) for mask, outcomes in zip(masks, self.outcomes, strict=True)]


def estimate(key: str, resampled: Array) -> dict[str, float]:
    """Return a value and its 95% interval as the cells of a row: KEY, KEY_low, KEY_high."""
    return differences.estimate(resampled).cells(key)
