"""Look-ups in an evaluation: what the report and the terminal table ask for."""

from __future__ import annotations

import numpy as np
import polars as pl

from graphrouter.evaluation.collected import Evaluation
from graphrouter.evaluation.differences import baselines, best_of
from graphrouter.metrics import METRICS
from graphrouter.noise import NoiseBudget
from graphrouter.typing import Record

INTERVALS = {
    "fitted": "95% interval for these fitted routers: test queries are resampled, splits and training held fixed",
    "methods": "95% interval for the methods: test queries and seeds (splits and training) are resampled",
}
SAME = 1e-9
"""How far means of the same numbers in another order may differ."""


class View:
    """An evaluation by router, scenario and metric.

    Attributes:
        evaluation: The evaluation.
        references: The LLMs that stand in for baselines where there are none.
        names: All routers and references, as they were asked for.
        ours: Those that are no baselines, but for the oracle.
        baselines: Routers that they are compared against.
        oracles: Those that know the outcomes.
        scenarios: Names of the scenarios.
        comparator: Name of the best baseline.
        support: How far the log's outcomes can score choices.
        interval: Claim of an interval, as a phrase.
        noise: Noise budget of the whole log; None where choices cannot be scored, and for results of before there was one.
    """

    def __init__(self, evaluation: Evaluation) -> None:
        config = evaluation.config
        self.evaluation = evaluation
        self.references = config.get("references") or []
        self.names = [*config["routers"], *self.references]
        self.baselines = baselines(config)
        self.oracles = [name for name, router in config["routers"].items() if router["oracle"]]
        self.ours = [name for name in self.names if name not in self.baselines and name not in self.oracles]
        self.scenarios = [scenario["name"] for scenario in config["scenarios"]]
        self.comparator = "the best baseline" if config["kind"] == "compare" else "the best single LLM in hindsight"
        self.support = evaluation.support
        self.interval = INTERVALS[config.get("interval", "fitted")]
        known = "noise" in config and self.support.routable
        self.noise = NoiseBudget.from_about(config["noise"]) if known else None
        self._rows = {
            (row["router"], row["scenario"], row["metric"]): row for row in evaluation.summary.iter_rows(named=True)
        }

    def row(self, router: str, scenario: str, metric: str) -> Record | None:
        """Return a row of the summary; None where the metric has no value."""
        return self._rows.get((router, scenario, metric))

    def has(self, scenario: str, metric: str) -> bool:
        """Whether any router has a value."""
        return any((name, scenario, metric) in self._rows for name in self.names)

    def scenario(self, name: str) -> Record:
        """Return a scenario's name, alpha, beta and target."""
        return next(scenario for scenario in self.evaluation.config["scenarios"] if scenario["name"] == name)

    def means(self, scenario: str, metric: str) -> dict[str, float]:
        """Return the mean of each router that has one."""
        known = ((name, self.row(name, scenario, metric)) for name in self.names)
        return {name: row["mean"] for name, row in known if row is not None}

    def ranked(self, scenario: str, metric: str) -> list[str]:
        """Return the routers that have a value, the best first."""
        means, order = self.means(scenario, metric), []
        while means:
            order.append(best_of(means, means, metric) or next(iter(means)))
            del means[order[-1]]
        return order

    def is_best(self, router: str, scenario: str, metric: str) -> bool:
        """Whether no router but an oracle has a better mean, and some router has a worse one."""
        means = {name: mean for name, mean in self.means(scenario, metric).items() if name not in self.oracles}
        best = best_of(means, means, metric)
        if router not in means or best is None or not METRICS[metric].merit:
            return False
        ties = [name for name, mean in means.items() if abs(mean - means[best]) < SAME]
        return router in ties and len(ties) < len(means)

    def leading(self, scenario: str) -> tuple[str, str]:
        """Return scenario and metric that order the routers: the reward, or where choices cannot be scored, the NLL."""
        return (scenario, "reward") if self.support.routable else ("", "nll")

    def restricted(self, scenario: str) -> bool:
        """Whether a router would have chosen an LLM that the log has no outcome of."""
        return any(mean < 1 for mean in self.means(scenario, "logged_choice").values())

    def span(self, scenario: str, metric: str) -> tuple[float, float]:
        """Return a common scale for intervals: that of the better half of the routers, oracles left out."""
        order = [name for name in self.ranked(scenario, metric) if name not in self.oracles]
        rows = [self.row(name, scenario, metric) for name in order[: max(3, -(-len(order) // 2))]]
        bounds = [(row["low"], row["high"]) for row in rows if row is not None]
        if not bounds:
            return 0.0, 1.0
        return min(low for low, _ in bounds), max(high for _, high in bounds)

    def style(self, router: str) -> str:
        """Return the CSS class of a router's row."""
        if router in self.ours:
            return "ours"
        return "aside" if router in self.oracles else ""

    def task_means(self, scenario: str, metric: str) -> dict[str, dict[str, float]]:
        """Return by task and router the mean over seeds."""
        wanted = (pl.col("task") != "") & (pl.col("scenario") == scenario) & (pl.col("metric") == metric)
        found = self.evaluation.results.filter(wanted).group_by("task", "router").agg(pl.col("value").mean())
        by_task: dict[str, dict[str, float]] = {}
        for task, router, value in found.sort("task").iter_rows():
            by_task.setdefault(task, {})[router] = value
        return by_task

    def about_mean(self, router: str, key: str) -> float:
        """Return the mean over seeds of a number that is known of each fit; NaN where it is not."""
        known = [entry[key] for entry in self.evaluation.about.get(router, []) if key in entry]
        return float(np.mean(known)) if known else float("nan")
