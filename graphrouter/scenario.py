"""Performance and cost -> reward, for a scenario."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from graphrouter.errors import UserError, suggest

if TYPE_CHECKING:
    from graphrouter.log import LLMLog


@dataclass(frozen=True)
class Scenario:
    """How performance is traded against cost.

    Attributes:
        name: As it stands in results.
        alpha: Weight of performance.
        beta: Weight of normalised cost.
        target: The column of the log that counts as performance.
    """

    name: str
    alpha: float
    beta: float
    target: str = "performance"

    def reward(self, performance: np.ndarray, cost: np.ndarray, cost_scale: float) -> np.ndarray:
        """Return ``alpha * performance - beta * cost / cost_scale``.

        Args:
            performance: Any shape, in [0, 1].
            cost: The same shape, in US dollars; not looked at where ``beta`` is 0, so it may be NaN then.
            cost_scale: Dollars that count as a normalised cost of 1; see `fit_cost_scale`.
        """
        if self.beta == 0:
            return self.alpha * performance
        return self.alpha * performance - self.beta * cost / cost_scale


SCENARIOS = {
    scenario.name: scenario
    for scenario in (
        Scenario("performance_first", 1.0, 0.0),
        Scenario("balance", 0.5, 0.5),
        Scenario("cost_first", 0.2, 0.8),
        Scenario("judge", 1.0, 0.0, target="judge_score"),
    )
}
"""The scenarios of GraphRouter (arXiv:2410.03834, section 4.1) and the judge scenario of FusionFactory."""


def find_scenario(name: str) -> Scenario:
    """Return a scenario by name.

    Raises:
        UserError: If there is none of that name.
    """
    if name not in SCENARIOS:
        raise UserError(f"unknown scenario {name!r}{suggest(name, list(SCENARIOS))}")
    return SCENARIOS[name]


def choose_scenarios(
    log: LLMLog, scenarios: Sequence[str | Scenario] | str | Scenario | None, target: str = "performance"
) -> list[Scenario]:
    """Check scenarios, or choose those that a log has values for.

    Args:
        log: The log.
        scenarios: Scenarios or their names; None to choose.
        target: Target of those that are chosen.

    Raises:
        UserError: If the log has no cost for a scenario that weighs it, or their targets differ.
    """
    if scenarios is None:
        named = [scenario for scenario in SCENARIOS.values() if scenario.target == target]
        found = [scenario for scenario in named if scenario.beta == 0 or log.has_cost]
        return found or [Scenario(target, 1.0, 0.0, target)]
    given = [scenarios] if isinstance(scenarios, str | Scenario) else scenarios
    chosen = [find_scenario(one) if isinstance(one, str) else one for one in given]
    if not chosen:
        raise UserError("a comparison must have one scenario or more, but none was named")
    if len({scenario.name for scenario in chosen}) < len(chosen):
        raise UserError(f"every scenario must occur once, but they are {', '.join(s.name for s in chosen)}")
    for scenario in chosen:
        if scenario.beta != 0 and not log.has_cost:
            raise UserError(
                f"the scenario {scenario.name} weighs cost, but {log.name} has none for every record; estimate it "
                "with --estimate-cost, or choose performance_first"
            )
        if scenario.target != chosen[0].target:
            raise UserError(
                f"the scenarios of one comparison must share a target, but {chosen[0].name} has "
                f"{chosen[0].target} and {scenario.name} has {scenario.target}; run two comparisons"
            )
    return chosen


def fit_cost_scale(cost: np.ndarray) -> float:
    """Return the mean cost of the costliest LLM on the training split, in US dollars.

    One number turns dollars into the normalised cost of a reward, linearly, so that the mean reward of a router is
    fixed by its mean performance and mean cost, and no outlier of one record sets the scale.

    Args:
        cost: [Q, M] in US dollars, NaN where missing; training queries only.

    Returns:
        The scale, or NaN where the log has no cost.
    """
    counts = (~np.isnan(cost)).sum(axis=0)
    if not counts.any():
        return float("nan")
    means = np.nansum(cost, axis=0)[counts > 0] / counts[counts > 0]
    return float(means.max()) or 1.0
