"""How the validation reward of two routers rises with training time, for `time_to_quality.py`.

Importing it imports torch, so limit the threads first.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median
from typing import Any

import numpy as np

from graphrouter import metrics
from graphrouter.dataset import RoutingData
from graphrouter.routers.base import Router
from graphrouter.routers.gnn import GNN
from graphrouter.routers.graphrouter import GraphRouter
from graphrouter.run import RunOptions
from graphrouter.scenario import Scenario, fit_cost_scale

Parts = dict[str, RoutingData]
LADDER = (1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 48)
"""Epochs that the GNN router is trained for, each time from the start."""


@dataclass(frozen=True)
class Point:
    """The validation reward of a router after some training.

    Attributes:
        epochs: How many, so far.
        seconds: Wall time until then.
        reward: On the validation split.
    """

    epochs: int
    seconds: float
    reward: float


@dataclass(frozen=True)
class Curve:
    """The points of one training, in order, and how much of the processor it got.

    Attributes:
        points: One per epoch of the published router, one per training of the GNN router.
        busy: CPU seconds per wall second of all training; below the number of threads where the machine was shared.
    """

    points: list[Point]
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
    choice = metrics.choose(router.utility(data.queries, scenario, cost_scale), data.performance)
    return float(metrics.reward(choice, scenario.reward(data.performance, data.cost, cost_scale)))


def published_curves(parts: Parts, scenarios: Sequence[Scenario], seed: int, setting: dict[str, Any]) -> list[Curve]:
    """Train the published GraphRouter, one network for each scenario; return a curve for each.

    The clock starts when its graph is built. An epoch's time includes its look at the validation split, which
    chooses the weights that are kept.

    Raises:
        RuntimeError: If the reward of the router that is kept is not the best one of its curve: the two routers'
            rewards would not be the same measure then.
    """
    names = list(dict.fromkeys(["performance_first", *(scenario.name for scenario in scenarios)]))
    router = GraphRouter(seed=seed, scenarios=names, **setting)
    wall, busy = _fit(router, parts)
    curves = []
    for scenario in scenarios:
        history = [one for one in router.history_ if one["scenario"] == scenario.name]
        points = [Point(one["epoch"] + 1, one["seconds"], one["validation_reward"]) for one in history]
        curves.append(Curve(points, busy / wall))
        kept = validation_reward(router, parts["validation"], scenario, router.cost_scale_)
        if kept < curves[-1].best.reward - 1e-4:
            raise RuntimeError(f"the router that was kept has reward {kept}, its curve {curves[-1].best.reward}")
    return curves


def gnn_curves(
    parts: Parts, scenarios: Sequence[Scenario], seed: int, rewards: Sequence[float], repeats: int
) -> tuple[list[Curve], list[Point]]:
    """Train the GNN router for ever more epochs until it has these rewards, and then as it is trained by default.

    Args:
        parts: Of the log.
        scenarios: S of them; one training serves all.
        seed: Of the router.
        rewards: S validation rewards to reach.
        repeats: How often each training is timed; the median counts.

    Returns:
        A curve for each scenario, and for each the point of the default training. A point's seconds are those of a whole
        ``fit`` from the start: graph, messages, training with its looks at the validation split, and calibration.
    """
    rungs: list[list[Point]] = []
    total = np.zeros(2)
    for epochs in LADDER:
        points, spent = _gnn_points(parts, scenarios, GNN(seed=seed, epochs=epochs), repeats)
        rungs.append(points)
        total += spent
        reached = np.max([[point.reward for point in rung] for rung in rungs], axis=0)
        if (reached >= np.array(rewards)).all():
            break
    default, _ = _gnn_points(parts, scenarios, GNN(seed=seed), 1)
    wall, busy = total
    return [Curve(list(points), busy / wall) for points in zip(*rungs, strict=True)], default


def _gnn_points(
    parts: Parts, scenarios: Sequence[Scenario], router: GNN, repeats: int
) -> tuple[list[Point], np.ndarray]:
    spent = np.array([_fit(router, parts) for _ in range(repeats)])
    wall = median(spent[:, 0].tolist())
    scale = fit_cost_scale(parts["train"].cost)
    rewards = [validation_reward(router, parts["validation"], scenario, scale) for scenario in scenarios]
    return [Point(router.epochs, wall, reward) for reward in rewards], spent.sum(axis=0)


def _fit(router: Router, parts: Parts) -> tuple[float, float]:
    """Fit a router; return wall and CPU seconds."""
    router.run = RunOptions(device="cpu")
    wall, busy = time.perf_counter(), time.process_time()
    router.fit(parts["train"], parts["validation"])
    return time.perf_counter() - wall, time.process_time() - busy
