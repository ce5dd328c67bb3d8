"""The published GraphRouter, faithful but for its leaks."""

from __future__ import annotations

import time
from collections.abc import Collection
from dataclasses import dataclass, field, replace
from typing import Any, ClassVar, Self, cast

import numpy as np
import torch
from torch import Tensor, nn

from graphrouter.dataset import Queries, RoutingData
from graphrouter.errors import UserError
from graphrouter.ranges import COUNT, Range
from graphrouter.routers.base import Prediction, Router
from graphrouter.routers.graphrouter.network import EdgeNetwork, Graph
from graphrouter.routers.parts.calibration import PlattScaling
from graphrouter.routers.parts.new_llm import NewLLM
from graphrouter.routers.parts.task_means import TaskMeans
from graphrouter.run import RunOptions
from graphrouter.scenario import SCENARIOS, Scenario, find_scenario, fit_cost_scale
from graphrouter.training import Schedule, fit_module, pick_device
from graphrouter.typing import Array


@dataclass(eq=False)
class GraphRouter(Router):
    """The published GraphRouter: one network for each scenario, trained to find the LLM of the highest reward.

    As published: messages go from queries to LLMs only, by `GeneralConv` with sums; a query's label is 1 for the first
    LLM of the highest reward, ties or not; each of ``passes`` random masks a step hides a share of the training edges
    from the messages and supervises those, and the optimiser moves on the mean of all; there are 1,000 steps.
    The weights that are kept have the best reward on validation (the code takes the best macro F1 of the label; its
    README advises the evaluation measure). The pace falls as in the paper, by the schedule of `fit_module`; the
    code keeps it constant.

    Leaks that are mended: queries of validation and test are no part of the training graph, and their outcomes never
    carry messages (the code shows it validation edges at test time, and lets all queries enter the batch statistics);
    costs are scaled by the training split (the code scales by the whole table).

    The code embeds descriptions of the tasks. A log has none, so the mean vector of the task's training queries, scaled
    to the mean length of a query's vector, stands for it, and the mean over all for a task that is unknown or None.

    Scores are no probabilities of a right answer: Platt scaling on validation makes the quality from those of the
    network for ``performance_first``.

    A new LLM joins as in the paper's few-shot setting: its node starts at its description, its few logged queries send
    their messages, and nothing is trained. With sums, a node of few messages is unlike those of the training, so do not
    expect much. Its sigmoid is the mean of the others'.

    Attributes:
        scenarios: Names of the scenarios to train for, ``performance_first`` among them. Those that weigh cost are
            left out where the training split has no cost.
        hidden: Half the width of a node.
        passes: Random masks for each optimiser step (``batch_size`` in the code).
        mask_rate: Share of the training edges that carry messages under a mask.
        steps: Optimiser steps, each on all training queries.
        patience: Steps without a better validation reward before training stops; the code has no early stop.
        learning_rate: Highest learning rate of AdamW.
        weight_decay: Weight decay of AdamW.
    """

    scenarios: list[str] = field(default_factory=lambda: ["performance_first", "balance", "cost_first"])
    hidden: int = 8
    passes: int = 32
    mask_rate: float = 0.5
    steps: int = 1000
    patience: int = 1000
    learning_rate: float = 3e-4
    weight_decay: float = 1e-4

    name: ClassVar[str] = "graphrouter"
    source: ClassVar[str] = (
        "GraphRouter, arXiv:2410.03834; github.com/ulab-uiuc/GraphRouter, model/graph_nn.py and configs/config.yaml"
    )
    ranges: ClassVar[dict[str, Range]] = {"passes": COUNT, "mask_rate": Range(0, 1, above=True, below=True)}
    choices: ClassVar[dict[str, Collection[str]]] = {"scenarios": SCENARIOS}
    parts: ClassVar[dict[str, Any]] = {**Router.parts, "calibration_": PlattScaling}
    search_space: ClassVar[tuple[dict[str, Any], ...]] = (
        {},
        {"learning_rate": 1e-3, "patience": 200},
        {"hidden": 32, "learning_rate": 1e-2, "patience": 100},
        {"learning_rate": 1e-2, "patience": 100},
        {"learning_rate": 3e-3, "patience": 100},
        {"hidden": 32, "learning_rate": 1e-3, "patience": 100},
    )
    tuned_by: ClassVar[str | None] = "reward"
    extends: ClassVar[bool] = True

    def __post_init__(self) -> None:
        super().__post_init__()
        if "performance_first" not in self.scenarios:
            raise UserError(f"graphrouter: scenarios must hold performance_first, but are {self.scenarios}; add it")

    def fit(self, train: RoutingData, validation: RoutingData) -> Self:
        """Train one network for each scenario.

        Sets ``history_``: one dict per step of ``scenario, step, seconds`` (since the training of that scenario
        began; NaN before a cut that it was resumed from) and ``validation_reward``.

        Raises:
            UserError: If a scenario is not known, or ``performance_first`` is not among them.
        """
        train, validation = train.sorted(), validation.sorted()
        chosen = self._trainable(train)
        self.llms_ = list(train.llms.names)
        self.cost_scale_ = fit_cost_scale(train.cost)
        self._fit_tasks(train.queries)
        self.sizes_ = {
            "inputs": train.queries.vectors.shape[1],
            "llm_inputs": train.llms.vectors.shape[1],
            "edges": 3 if _has_cost(train) else 2,
            "hidden": self.hidden,
            "scenarios": [scenario.name for scenario in chosen],
        }
        torch.manual_seed(self.seed)
        self.module_ = self.build(**self.sizes_)
        self.history_: list[dict[str, Any]] = []
        self.llm_nodes_: dict[str, Array] = {}
        for scenario in chosen:
            self._fit_scenario(scenario, train, validation)
        scores = self.scores(validation.queries, "performance_first")
        self.calibration_ = PlattScaling().fit(scores, validation.performance)
        self.cost_ = TaskMeans().fit(train.cost, train.queries.tasks)
        return self

    def build(self, **sizes: Any) -> nn.ModuleDict:
        """Make the networks, one for each scenario."""
        shape = {key: value for key, value in sizes.items() if key != "scenarios"}
        return nn.ModuleDict({name: EdgeNetwork(**shape) for name in sizes["scenarios"]})

    def scores(self, queries: Queries, scenario: str) -> Array:
        """Return the logits [Q, M] float32 of a scenario's network; each query's follow from its vector and task."""
        network = self._network(scenario)
        device = network.query.weight.device
        known = (queries.vectors, self._task_rows(queries), self.task_vectors_, self.llm_nodes_[scenario])
        vectors, task_of, tasks, llms = (torch.as_tensor(array, device=device) for array in known)
        with torch.inference_mode():
            logits: Array = network.score(network.query_nodes(vectors, task_of, tasks), llms).T.cpu().numpy()
        return logits

    def predict(self, queries: Queries) -> Prediction:
        """Predict the quality from the calibrated scores for ``performance_first``, and the cost from the task."""
        quality = self.calibration_.apply(self.scores(queries, "performance_first"))
        return Prediction(quality, self.cost_.lookup(queries.tasks))

    def utility(self, queries: Queries, scenario: Scenario, cost_scale: float) -> Array:
        """Return [Q, M] float64, how likely each LLM has the highest reward, by the network of the scenario.

        Raises:
            UserError: If there is no network for the weights of this scenario.
        """
        for name in self.sizes_["scenarios"]:
            known = find_scenario(name)
            if (known.alpha, known.beta) == (scenario.alpha, scenario.beta):
                return 1 / (1 + np.exp(-self.scores(queries, name).astype(np.float64)))
        trained = ", ".join(self.sizes_["scenarios"])
        raise UserError(
            f"graphrouter must be trained for a scenario before it routes for it, but for {scenario.name} (alpha "
            f"{scenario.alpha:g}, beta {scenario.beta:g}) it was not; it has {trained}; add it to scenarios and train again"
        )

    def _add_llm(self, new_llm: NewLLM) -> None:
        nodes = {}
        for name, known in self.llm_nodes_.items():
            graph = self._graph(find_scenario(name), new_llm.data, torch.device("cpu"))
            with torch.no_grad():
                node = self._network(name).precomputed_llms(graph)[new_llm.column].numpy()
            nodes[name] = np.ascontiguousarray(new_llm.insert(known.T, node).T)
        self.llm_nodes_ = nodes
        self.calibration_ = self.calibration_.extend(new_llm)
        self.cost_ = self.cost_.extend(new_llm, new_llm.cost, new_llm.data.queries.tasks, new_llm.price_ratios)

    def _trainable(self, train: RoutingData) -> list[Scenario]:
        scenarios = [find_scenario(name) for name in self.scenarios]
        return [scenario for scenario in scenarios if scenario.beta == 0 or _has_cost(train)]

    def _fit_tasks(self, queries: Queries) -> None:
        self.tasks_ = sorted({task for task in queries.tasks if task is not None})
        members = [np.array([task == name for task in queries.tasks]) for name in self.tasks_]
        means = [queries.vectors[rows].mean(axis=0) for rows in members] + [queries.vectors.mean(axis=0)]
        vectors = np.array(means, dtype=np.float32)
        length = np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-12)
        self.task_vectors_ = vectors / length * np.linalg.norm(queries.vectors, axis=1).mean()

    def _task_rows(self, queries: Queries) -> Array:
        rows = {name: row for row, name in enumerate(self.tasks_)}
        return np.array([rows.get(task, len(self.tasks_)) for task in queries.tasks], dtype=np.int64)

    def _fit_scenario(self, scenario: Scenario, train: RoutingData, validation: RoutingData) -> None:
        device, count = pick_device(self.run.device), len(train.queries)
        network, graph = self._network(scenario.name).to(device), self._graph(scenario, train, device)
        plan = Schedule(self.steps, self.patience, count, self.learning_rate, self.weight_decay)
        seconds: list[float] = []
        began = time.perf_counter()

        def loss(rows: Tensor) -> Tensor:
            # Sums over thousands of queries need all the digits of float32.
            with torch.autocast(device.type, enabled=False):
                return network.loss(graph, self.passes, self.mask_rate)

        def validate() -> float:
            self._keep_llm_nodes(scenario, graph)
            seconds.append(time.perf_counter() - began)
            return -self._mean_reward(scenario, validation)

        run, label = self._run_for(scenario), f"{self.name} {scenario.name}"
        # The source looks at validation after every step.
        history = fit_module(network, loss, count, validate, plan, seed=self.seed, run=run, label=label, every=1)
        self._keep_llm_nodes(scenario, graph)
        network.cpu()
        self._record(scenario, history, seconds)

    def _network(self, scenario: str) -> EdgeNetwork:
        return cast(EdgeNetwork, self.module_[scenario])

    def _run_for(self, scenario: Scenario) -> RunOptions:
        if self.run.checkpoint is None:
            return self.run
        file = self.run.checkpoint
        return replace(self.run, checkpoint=file.with_name(f"{file.stem}.{scenario.name}{file.suffix}"))

    def _keep_llm_nodes(self, scenario: Scenario, graph: Graph) -> None:
        with torch.no_grad():
            nodes = self._network(scenario.name).precomputed_llms(graph)
        self.llm_nodes_[scenario.name] = nodes.cpu().numpy()

    def _record(self, scenario: Scenario, history: list[dict[str, float]], seconds: list[float]) -> None:
        # The first time is that of the untrained network. Steps before a cut have none.
        times = [float("nan")] * (len(history) - len(seconds) + 1) + seconds[1:]
        for one, at in zip(history, times, strict=True):
            entry = {"step": one["step"], "seconds": at, "validation_reward": -one["validation_loss"]}
            self.history_.append({"scenario": scenario.name, **entry})

    def _graph(self, scenario: Scenario, train: RoutingData, device: torch.device) -> Graph:
        reward = np.where(train.observed, scenario.reward(train.performance, train.cost, self.cost_scale_), -np.inf)
        features = [reward, train.performance]
        if _has_cost(train):
            features.append(train.cost / self.cost_scale_)
        edges = np.where(train.observed[:, :, None], np.stack(features, axis=2), 0)
        best = np.eye(len(train.llms))[reward.argmax(axis=1)]
        arrays = (
            train.queries.vectors,
            self._task_rows(train.queries),
            self.task_vectors_,
            train.llms.vectors,
            edges.transpose(1, 0, 2),
            train.observed.T,
            (1 - 2 * best).T,
        )
        floats = (np.ascontiguousarray(a, dtype=np.int64 if a.dtype == np.int64 else np.float32) for a in arrays)
        return Graph(*(torch.as_tensor(a, device=device) for a in floats))

    def _mean_reward(self, scenario: Scenario, data: RoutingData) -> float:
        """Return the mean reward of the answered LLM with the highest score."""
        answered = data.observed.any(axis=1)
        reward = scenario.reward(data.performance, data.cost, self.cost_scale_)
        scores = np.where(data.observed, self.scores(data.queries, scenario.name), -np.inf)
        return float(reward[np.arange(len(scores)), scores.argmax(axis=1)][answered].mean())


def _has_cost(data: RoutingData) -> bool:
    """Whether every observed cell has a cost."""
    return not bool(np.isnan(data.cost[data.observed]).any())
