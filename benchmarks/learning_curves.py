"""How the validation reward of two routers rises with training time, for `time_to_quality.py`.

Importing it imports torch, so limit the threads first.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from statistics import median
from typing import Any
from unittest.mock import patch

import numpy as np

from graphrouter import metrics
from graphrouter.dataset import RoutingData
from graphrouter.routers.base import Router
from graphrouter.routers.gnn import GNN
from graphrouter.routers.gnn import router as gnn_module
from graphrouter.routers.graphrouter import GraphRouter
from graphrouter.run import RunOptions
from graphrouter.scenario import Scenario, fit_cost_scale
from graphrouter.training import fit_module

Parts = dict[str, RoutingData]
CPU = RunOptions(device="cpu")


@dataclass(frozen=True)
class Point:
    """The validation reward of a router after some training.

    Attributes:
        steps: How many, so far.
        seconds: Wall time until then.
        reward: On the validation split.
    """

    steps: int
    seconds: float
    reward: float


@dataclass(frozen=True)
class Curve:
    """One training, seen by one scenario.

    Attributes:
        points: One per evaluation, in order.
        total_seconds: Wall time of the whole ``fit``.
        kept_reward: Of the router that came out of it.
        busy: CPU seconds per wall second of ``fit``; below the number of threads where work is not parallel or others had the cores.
    """

    points: list[Point]
    total_seconds: float
    kept_reward: float
    busy: float

    @property
    def best(self) -> Point:
        """The first point of the highest reward."""
        return max(self.points, key=lambda point: point.reward)

    def reach(self, reward: float) -> Point | None:
        """Return the first point of this reward or a higher one."""
        return next((point for point in self.points if point.reward >= reward), None)


def validation_reward(router: Router, data: RoutingData, scenario: Scenario, cost_scale: float) -> float:
    """Return the mean reward of what a router chooses among the LLMs with an outcome."""
    # New queries, as a router may keep its last answer, and its weights have moved since.
    queries = data.queries.take(np.arange(len(data.queries)))
    choice = metrics.choose(router.utility(queries, scenario, cost_scale), data.performance)
    return float(metrics.reward(choice, scenario.reward(data.performance, data.cost, cost_scale)))


def published_curves(parts: Parts, scenarios: Sequence[Scenario], seed: int, setting: dict[str, Any]) -> list[Curve]:
    """Train the published GraphRouter, one network for each scenario; return a curve for each.

    The clock starts when its graph is built. A step's time includes its look at the validation split, which
    chooses the weights that are kept. The total is that of all its networks.

    Raises:
        RuntimeError: If the reward of the router that is kept is not the best one of its curve: the rewards of the
            two routers would not be the same measure then.
    """
    names = list(dict.fromkeys(["performance_first", *(scenario.name for scenario in scenarios)]))
    router = GraphRouter(seed=seed, scenarios=names, **setting)
    router.run = CPU
    wall, busy = time.perf_counter(), time.process_time()
    router.fit(parts["train"], parts["validation"])
    wall, busy = time.perf_counter() - wall, time.process_time() - busy
    curves = []
    for scenario in scenarios:
        history = [one for one in router.history_ if one["scenario"] == scenario.name]
        points = [Point(one["step"], one["seconds"], one["validation_reward"]) for one in history]
        kept = validation_reward(router, parts["validation"], scenario, router.cost_scale_)
        curves.append(Curve(points, wall, kept, busy / wall))
        if kept < curves[-1].best.reward - 1e-4:
            raise RuntimeError(f"the router that was kept has reward {kept}, its curve {curves[-1].best.reward}")
    return curves


def gnn_curves(parts: Parts, scenarios: Sequence[Scenario], seed: int, repeats: int) -> list[Curve]:
    """Train the GNN router by its defaults; one training serves all scenarios. Return a curve for each.

    The clock starts with ``fit``, before the graph is built. At step 0 the messages alone speak. The weights that are kept are chosen by the likelihood, not by the reward.

    Args:
        parts: Of the log.
        scenarios: S of them.
        seed: Of the router.
        repeats: How often it is trained; every time is the median.
    """
    watches = [Watch(parts, scenarios, seed) for _ in range(repeats)]
    curves = [watch.train() for watch in watches]
    return [_median_of(same) for same in zip(*curves, strict=True)]


def _median_of(curves: Sequence[Curve]) -> Curve:
    """Return the curve with the median of each time; the rewards are the same in all."""
    times = [median(points) for points in zip(*([p.seconds for p in curve.points] for curve in curves), strict=True)]
    points = [replace(point, seconds=at) for point, at in zip(curves[0].points, times, strict=True)]
    total, busy = (median(getattr(curve, name) for curve in curves) for name in ("total_seconds", "busy"))
    return Curve(points, total, curves[0].kept_reward, busy)


class Watch:
    """Looks at a GNN router whenever it looks at the validation split; the clock stands still meanwhile.

    Args:
        parts: Of the log.
        scenarios: S of them.
        seed: Of the router.
    """

    def __init__(self, parts: Parts, scenarios: Sequence[Scenario], seed: int) -> None:
        self.parts, self.scenarios, self.router = parts, scenarios, GNN(seed=seed)
        self.router.run = CPU
        self.cost_scale = fit_cost_scale(parts["train"].cost)
        self.began = self.aside = 0.0
        self.steps: list[int] = []
        self.seconds: list[float] = []
        self.rewards: list[list[float]] = []

    def train(self) -> list[Curve]:
        """Train, and return the S curves."""
        self.began, busy = time.perf_counter(), time.process_time()
        with patch.object(gnn_module, "fit_module", self._fit_module):
            self.router.fit(self.parts["train"], self.parts["validation"])
        wall = time.perf_counter() - self.began
        share = (time.process_time() - busy) / wall
        return [
            Curve(
                [Point(step, at, reward) for step, at, reward in zip(self.steps, self.seconds, column, strict=True)],
                wall - self.aside,
                kept,
                share,
            )
            for column, kept in zip(zip(*self.rewards, strict=True), self._look(), strict=True)
        ]

    def _fit_module(
        self, module: Any, batch_loss: Any, rows: int, validate: Callable[[], float], *rest: Any, **options: Any
    ) -> Any:
        """Stand in for `graphrouter.training.fit_module`, which validates before the first step, and then from time to time."""

        def watched() -> float:
            loss = validate()
            stopped = time.perf_counter()
            self.seconds.append(stopped - self.began - self.aside)
            self.rewards.append(self._look())
            self.aside += time.perf_counter() - stopped
            return loss

        history = fit_module(module, batch_loss, rows, watched, *rest, **options)
        self.steps = [0, *(int(line["step"]) for line in history)]
        return history

    def _look(self) -> list[float]:
        """Return the S rewards of the router as it is."""
        return [
            validation_reward(self.router, self.parts["validation"], scenario, self.cost_scale)
            for scenario in self.scenarios
        ]
