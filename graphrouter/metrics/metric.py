"""A metric's account of itself: what it measures, what it takes, which way is better, what it is called."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Literal, TypeVar

from graphrouter.typing import Array

Subject = Literal["edge", "scenario", "curve"]
Function = TypeVar("Function", bound=Callable[..., object])

INPUTS: dict[Subject, tuple[str, ...]] = {
    "edge": ("quality", "performance"),
    "scenario": ("utility", "choice", "performance", "rewards", "cost", "gains"),
    "curve": (
        *("cost", "performance", "cost_from_cheapest", "performance_from_cheapest", "lowest_cost", "highest_cost"),
        *("best_cost", "best_performance"),
        *("scaled_cost", "scaled_performance", "front_cost", "front_performance"),
    ),
}
"""Inputs that `graphrouter.evaluation.scores` has for metrics; see its functions for their shapes."""


@dataclass(frozen=True)
class Metric:
    """A metric; tables and reports ask it for all that they say of it.

    Attributes:
        name: Name of the function.
        of: ``edge`` for the predicted quality, ``scenario`` for the choices made for a scenario, ``curve`` for the
            cost-quality curve. Metrics of edges and curves are the same in every scenario.
        takes: Names of the function's inputs, in its order, from `INPUTS`. Where one of them is not known, such as the
            cost of a log without cost, the metric has no value. Metrics of edges and scenarios take the weights of the
            queries after them.
        title: Head of a column.
        note: Meaning of the value, as a sentence without its full stop, for the notes of a report.
        compute: The function.
        lower: Whether the best value is the lowest.
        merit: Whether one value is better than another. A metric without merit says how far others can be believed, and is
            also given where the outcomes of a log cannot score choices.
        headline: Whether it stands in tables that have room for few, such as that of an ablation.
        by_task: Whether it is given for each task too.
        slow: Whether it is no mean over queries, so that its intervals come from fewer resamples.
        relative: Whether it depends on the other routers of the comparison, so that it is none of a single run.
        percent: Whether it is read as a percentage.
        dollars: Whether it is in US dollars per query. Tables show it per 1,000 queries, which its title should say.
    """

    name: str
    of: Subject
    takes: tuple[str, ...]
    title: str
    note: str
    compute: Callable[..., object]
    lower: bool = False
    merit: bool = True
    headline: bool = False
    by_task: bool = False
    slow: bool = False
    relative: bool = False
    percent: bool = False
    dollars: bool = False

    def __call__(self, inputs: Mapping[str, Array | float], *weights: Array | None) -> Array | float | None:
        """Return the value for named inputs; None where one that it takes is not among them."""
        if any(name not in inputs for name in self.takes):
            return None
        return self.compute(*(inputs[name] for name in self.takes), *weights)  # type: ignore[return-value]


METRICS: dict[str, Metric] = {}
"""All metrics by name, in the order in which tables show them."""


def metric(of: Subject, takes: Iterable[str], title: str, note: str, **facts: bool) -> Callable[[Function], Function]:
    """Make a function one of the `METRICS`; the function itself stays as it is.

    Args:
        of: See `Metric` for this and the others.
        takes: Names of the function's inputs.
        title: Head of a column.
        note: Meaning of the value.
        facts: Those of `Metric` that differ from its defaults, such as ``lower=True``.

    Raises:
        ValueError: If it takes an input that its subject does not have, has no title, or its name is taken.
    """

    def enter(function: Function) -> Function:
        name, inputs = function.__name__, tuple(takes)
        if unknown := set(inputs) - set(INPUTS[of]):
            raise ValueError(
                f"the metric {name} must take inputs of {', '.join(INPUTS[of])}, but takes {unknown.pop()}"
            )
        if name in METRICS or not title or not note:
            raise ValueError(f"the metric {name} must have a name of its own, a title and a note")
        METRICS[name] = Metric(name, of, inputs, title, note, function, **facts)
        return function

    return enter


def metrics_of(subject: Subject, **facts: bool) -> list[str]:
    """Return the names of the metrics of a subject for which some facts hold, such as ``by_task=True``."""
    found = (one for one in METRICS.values() if one.of == subject)
    return [one.name for one in found if all(getattr(one, fact) == holds for fact, holds in facts.items())]


def lower_is_better(name: str) -> bool:
    """Whether the best value of a metric is the lowest; of a name such as ``test/balance/reward`` the last word counts."""
    known = METRICS.get(name.rpartition("/")[2])
    return known is not None and known.lower
