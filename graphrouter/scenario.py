"""Performance and cost -> reward, for a scenario."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from graphrouter.errors import UserError, suggest


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
