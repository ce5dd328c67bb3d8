"""The base of all routers: a dataclass of hyperparameters with ``fit`` and ``predict``."""

from __future__ import annotations

import copy
import re
from abc import ABC, abstractmethod
from collections.abc import Collection, Sequence
from dataclasses import MISSING, dataclass, field, fields
from typing import Any, ClassVar, NamedTuple, Self

import numpy as np

from graphrouter.dataset import Queries, RoutingData
from graphrouter.errors import UserError
from graphrouter.ranges import COUNT, NOT_NEGATIVE, POSITIVE, Range, check_names, check_numbers
from graphrouter.routers.parts.new_llm import NewLLM
from graphrouter.routers.parts.task_means import TaskMeans
from graphrouter.run import RunOptions
from graphrouter.scenario import Scenario
from graphrouter.typing import Array

RANGES: dict[str, Range] = {
    "seed": NOT_NEGATIVE,
    "steps": COUNT,
    "patience": COUNT,
    "batch_size": COUNT,
    "members": COUNT,
    "hidden": COUNT,
    "layers": COUNT,
    "dimensions": COUNT,
    "learning_rate": Range(0, 1, above=True),  # AdamW moves each weight by about the rate in a step
    "weight_decay": NOT_NEGATIVE,
    "dropout": Range(0, 1, below=True),
    "strength": POSITIVE,  # at 0 an LLM without outcomes on a task has no mean
}
"""Ranges of hyperparameters that mean the same in every router."""


class Prediction(NamedTuple):
    """Expected quality and cost of every (query, LLM) edge.

    Attributes:
        quality: [Q, M] float32 in (0, 1), the expected performance.
        cost: [Q, M] float64 in US dollars, NaN where the training log has no cost.
    """

    quality: Array
    cost: Array

    def __repr__(self) -> str:
        queries, llms = self.quality.shape
        ranges = f"quality {_range(self.quality)}, cost {_range(self.cost)} US dollars"
        return f"Prediction of {queries:,} queries x {llms:,} LLMs: {ranges}"


def _range(values: Array) -> str:
    known = values[np.isfinite(values)]
    return f"{known.min():.3g} to {known.max():.3g}" if known.size else "unknown"


class NotFittedError(UserError, AttributeError):
    """A router was asked before it learnt anything."""


@dataclass(eq=False)
class Router(ABC):
    """Base of all routers. Fields are hyperparameters and so the config schema.

    What ``fit`` learns goes into attributes whose names end in an underscore; `get_state` returns them, so they hold
    only arrays, numbers, text, lists, dicts of these, and things with the same two methods.

    Attributes:
        seed: Seed of every random choice.
        run: Where and how to run (device, progress, checkpoints); never changes what is learnt.
        name: Snake case of the class name, or what the class says; what the command line and results call it.
        source: Paper or code that the router follows.
        ranges: Ranges of its numbers by name, beside those that `RANGES` has for all routers.
        choices: Names that a text, or each text of a list, may be, by hyperparameter. A list can also say how it differs from the
            default: ``[-similar_to]`` is the default without ``similar_to``, ``[+name]`` the default with one more.
        parts: Fitted attributes that are objects with ``get_state`` and ``from_state``, and their classes.
        search_space: Hyperparameter settings to try on validation, at most 6; the first is the default.
        tuned_by: What its settings are compared by on validation where a comparison tunes by ``nll``; None for just that. It is
            ``reward`` for routers whose scores are no likelihoods, and only calibrated to be some.
        extends: Whether a fitted router can take in one LLM more; such a router keeps the names of its LLMs in ``llms_``.
        needs_outcomes: Whether it picks by the outcomes of the very queries that it routes, given to `reveal`: a reference,
            which cannot route new queries.
        baseline: Whether others are compared with it; a comparison can say otherwise.
        linear_utility: Whether its utility is ``alpha`` times one matrix plus ``beta`` times another, so that these two
            give its choice for any weights. A router with a `utility` of its own has to say so.
        own_utility: Whether it has one; follows from the class.
    """

    seed: int = 0
    llms_: list[str] = field(init=False, repr=False)
    run: RunOptions = field(default_factory=RunOptions, init=False, repr=False)

    name: ClassVar[str]
    source: ClassVar[str] = ""
    ranges: ClassVar[dict[str, Range]] = {}
    choices: ClassVar[dict[str, Collection[str]]] = {}
    parts: ClassVar[dict[str, Any]] = {"cost_": TaskMeans}
    search_space: ClassVar[tuple[dict[str, Any], ...]] = ({},)
    tuned_by: ClassVar[str | None] = None
    extends: ClassVar[bool] = False
    needs_outcomes: ClassVar[bool] = False
    baseline: ClassVar[bool] = True
    linear_utility: ClassVar[bool] = True
    own_utility: ClassVar[bool] = False

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        if "utility" in vars(cls):
            cls.own_utility = True
            cls.linear_utility = vars(cls).get("linear_utility", False)
        if "name" not in vars(cls):
            # Only a capitalised word starts a new part: BestPerTask is best_per_task, but RouteLLM is routellm.
            cls.name = re.sub(r"(?<=[a-z0-9])(?=[A-Z][a-z])", "_", cls.__name__).lower()

    def __post_init__(self) -> None:
        for one in fields(self):
            if not one.init:
                continue
            where, value = f"{self.name}.{one.name}", getattr(self, one.name)
            if (known := self.choices.get(one.name)) is not None:
                if isinstance(value, list) and any(str(name).startswith(("-", "+")) for name in value):
                    assert one.default_factory is not MISSING
                    value = _changed(where, value, one.default_factory(), known)
                    setattr(self, one.name, value)
                check_names(where, value, known)
            if (allowed := self.range_of(one.name)) is not None:
                check_numbers(where, value, allowed)

    @classmethod
    def range_of(cls, name: str) -> Range | None:
        """Return the range of a hyperparameter, or None where it has none."""
        return cls.ranges.get(name, RANGES.get(name))

    def __getattr__(self, name: str) -> Any:
        # Reached only where the attribute does not exist.
        if name.endswith("_") and not name.startswith("_"):
            raise NotFittedError(
                f"{self.name} must learn before it predicts, but was not fitted; call fit(train, validation)"
            )
        raise AttributeError(f"{type(self).__name__!r} has no attribute {name!r}", name=name, obj=self)

    @abstractmethod
    def fit(self, train: RoutingData, validation: RoutingData) -> Self:
        """Learn from the training split; validation only stops early, sets thresholds and calibrates."""

    @abstractmethod
    def predict(self, queries: Queries) -> Prediction:
        """Predict quality and cost of every LLM on each query, each query on its own.

        Args:
            queries: Q queries; a task may be unknown or None.
        """

    def utility(self, queries: Queries, scenario: Scenario, cost_scale: float) -> Array:
        """Score the LLMs for a scenario; the router picks the highest.

        Args:
            queries: Q queries.
            scenario: Weighs quality against cost.
            cost_scale: Dollars of a normalised cost of 1, fitted on train.

        Returns:
            [Q, M] float64; by default the reward of what `predict` expects.
        """
        quality, cost = self.predict(queries)
        return scenario.reward(quality.astype(np.float64), cost, cost_scale)

    def utilities(
        self, queries: Queries, scenarios: Sequence[Scenario], cost_scale: float
    ) -> tuple[Prediction, list[Array]]:
        """Return the result of `predict`, and the `utility` for each scenario; predicts once where that is enough."""
        prediction = self.predict(queries)
        if self.own_utility:
            return prediction, [self.utility(queries, scenario, cost_scale) for scenario in scenarios]
        quality = prediction.quality.astype(np.float64)
        return prediction, [scenario.reward(quality, prediction.cost, cost_scale) for scenario in scenarios]

    def reveal(self, data: RoutingData) -> Self:
        """Take the outcomes that the router picks by; of routers with ``needs_outcomes``."""
        raise NotImplementedError(f"{self.name} needs no outcomes")

    def extend(self, train: RoutingData) -> Self:
        """Take in an LLM that was not there in `fit`, without learning anew what was learnt.

        Args:
            train: The training split, with one LLM more; of that one any number of outcomes may be known, even none.

        Returns:
            A router that predicts [Q, M] in the order of ``train.llms``. This one stays as it is.

        Raises:
            UserError: If this kind of router cannot, or ``train`` has not just one LLM more than the router knows.
        """
        if not self.extends:
            raise UserError(
                f"{self.name} cannot take in an LLM without being fitted again; fit it with the new LLM, or use a router "
                "that can, such as knn or gnn ('graphrouter routers' lists them)"
            )
        new_llm = NewLLM.of(self.llms_, train)
        extended = copy.copy(self)
        extended._add_llm(new_llm)
        extended.llms_ = list(train.llms.names)
        return extended

    def _add_llm(self, new_llm: NewLLM) -> None:
        """Exchange what was learnt for what holds with the new LLM; arrays and parts are shared with the router before."""
        raise NotImplementedError(f"{self.name} extends, so it must say how")

    def get_state(self) -> dict[str, Any]:
        """Return the fitted state, as arrays, numbers, text, lists and dicts."""
        return {key: _packed(value) for key, value in vars(self).items() if key.endswith("_")}

    def set_state(self, state: dict[str, Any]) -> Self:
        """Take over what ``fit`` learnt elsewhere, from `get_state`."""
        for key, value in state.items():
            if key == "module_":
                module = self.build(**state["sizes_"])
                module.load_state_dict(_as_tensors(value))
                value = module.eval()
            elif key in self.parts:
                value = self.parts[key].from_state(value)
            setattr(self, key, value)
        return self

    def build(self, **sizes: Any) -> Any:
        """Make the torch module of a router that has one (``module_``) from its sizes (``sizes_``)."""
        raise NotImplementedError(f"{self.name} has no torch module")


def _changed(where: str, signs: list[str], default: list[str], known: Collection[str]) -> list[str]:
    """Return the default without the names behind a minus, and with those behind a plus."""
    if not all(sign.startswith(("-", "+")) for sign in signs):
        raise UserError(f"{where} must name what is used, or have a minus or a plus before every name, but is {signs}")
    check_names(where, [sign[1:] for sign in signs], known)
    kept = [name for name in default if f"-{name}" not in signs]
    return kept + [sign[1:] for sign in signs if sign[0] == "+" and sign[1:] not in kept]


def _packed(value: Any) -> Any:
    if hasattr(value, "state_dict"):
        return {key: tensor.detach().cpu().numpy() for key, tensor in value.state_dict().items()}
    return value.get_state() if hasattr(value, "get_state") else value


def _as_tensors(state: dict[str, Array]) -> dict[str, Any]:
    import torch

    return {key: torch.as_tensor(value) for key, value in state.items()}
