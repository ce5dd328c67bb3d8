"""A sweep file in W&B's own format -> what is to be searched.

The keys are those of https://docs.wandb.ai/models/sweeps/sweep-config-keys. A key that this runner cannot honour is an
error, so that a file means the same here and on W&B's servers.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from math import prod
from typing import Any

from experiments.sweeps.command import read_command
from experiments.sweeps.early import Halving, read_hyperband
from experiments.sweeps.parameter import Parameter
from experiments.sweeps.parameters import read_parameters
from graphrouter.errors import UserError, suggest
from graphrouter.settings import find_config, parse_overrides, read_yaml

METHODS = ("grid", "random", "bayes")
KEYS = (
    "program", "command", "method", "metric", "parameters", "early_terminate", "run_cap", "name", "project", "entity",
    "description",
)  # fmt: skip


@dataclass(frozen=True)
class SweepMetric:
    """What is optimised.

    Attributes:
        name: A key of a run's metrics, such as ``validation/nll``.
        goal: ``minimize`` or ``maximize``.
        target: No new run begins when one has reached it.
    """

    name: str = "validation/nll"
    goal: str = "minimize"
    target: float | None = None

    @property
    def minimise(self) -> bool:
        """Whether less is better."""
        return self.goal == "minimize"

    def better(self, value: float, other: float) -> bool:
        """Whether one value is better than another."""
        return value < other if self.minimise else value > other

    def reached(self, value: float | None) -> bool:
        """Whether a value is the target or better."""
        return value is not None and self.target is not None and not self.better(self.target, value)


@dataclass(frozen=True)
class Sweep:
    """A sweep file, checked.

    Attributes:
        method: ``grid``, ``random`` or ``bayes``.
        metric: What is optimised.
        parameters: Sorted by name.
        early: When to stop a run early; None for never.
        run_cap: Most runs; None for the whole grid.
        name: Of the sweep.
        project: On W&B; None where the file does not say.
        source: The file as W&B takes it, with the overrides in it.
    """

    method: str
    metric: SweepMetric
    parameters: list[Parameter]
    early: Halving | None
    run_cap: int | None
    name: str
    project: str | None
    source: dict[str, Any] = field(repr=False)

    @property
    def fixed(self) -> dict[str, Any]:
        """The parameters that have one value."""
        return {parameter.name: parameter.keys["value"] for parameter in self.parameters if parameter.fixed}

    @property
    def searched(self) -> list[Parameter]:
        """The others."""
        return [parameter for parameter in self.parameters if not parameter.fixed]

    @property
    def size(self) -> int | None:
        """How many configurations there are; None where there is no end to them."""
        if self.method == "grid":
            return prod(len(parameter.all_values()) for parameter in self.parameters)
        counts = [parameter.choices() for parameter in self.searched]
        return None if None in counts else prod(len(some) for some in counts if some is not None)

    @property
    def runs(self) -> int:
        """How many configurations are tried."""
        return min(count for count in (self.size, self.run_cap) if count is not None)


def read_sweep(name: str, overrides: Sequence[str] = (), runs: int | None = None) -> Sweep:
    """Read a sweep file.

    Args:
        name: Of a file, or of one in ``configs/sweep``.
        overrides: ``key=value`` words; each takes a parameter's place with a fixed value, or adds one.
        runs: In place of ``run_cap``.

    Raises:
        UserError: If the file is not as W&B's format wants it, or wants what cannot be run here.
    """
    file = find_config(name, "sweep")
    source = read_yaml(file)
    return make_sweep(source, overrides, runs, str(file))


def make_sweep(
    source: dict[str, Any], overrides: Sequence[str] = (), runs: int | None = None, where: str = "sweep"
) -> Sweep:
    """Check a sweep; the arguments are those of `read_sweep`, and the content of the file."""
    for key in source:
        if key not in KEYS:
            raise UserError(f"{where}: the key {key!r} of a sweep file is not supported{suggest(str(key), KEYS)}")
    source = dict(source) | ({"run_cap": runs} if runs is not None else {})
    command = parse_words(read_command(source, where, _has_flags(source.get("parameters"))))
    for key, value in (command | parse_words(overrides)).items():
        source["parameters"] = _without(source.get("parameters"), key) | {key: {"value": value}}
    method = source.get("method")
    if method not in METHODS:
        raise UserError(f"{where}: method must be {', '.join(METHODS)}, but is {method!r}")
    sweep = Sweep(
        method=method,
        metric=_metric(source, where),
        parameters=read_parameters(source.get("parameters"), where),
        early=read_hyperband(source["early_terminate"], where) if "early_terminate" in source else None,
        run_cap=_run_cap(source, where),
        name=_text(source, "name", where) or "sweep",
        project=_text(source, "project", where),
        source=source,
    )
    _check(sweep, where)
    return sweep


def parse_words(words: Sequence[str]) -> dict[str, Any]:
    """Turn ``key=value`` words into a mapping of whole keys, dots and all, to values.

    W&B's agent writes values as Python does, so ``None`` is none.
    """
    parse_overrides(words)  # an error names the word
    values = {word.partition("=")[0].strip(): word.partition("=")[2] for word in words}
    return {key: _python_none(parse_overrides([f"value={text}"])["value"]) for key, text in values.items()}


def _python_none(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _python_none(item) for key, item in value.items()}
    return None if value == "None" else value


def _has_flags(parameters: Any) -> bool:
    """Whether a parameter may be true or false."""
    if isinstance(parameters, dict):
        return any(_has_flags(value) for value in parameters.values())
    return any(map(_has_flags, parameters)) if isinstance(parameters, list) else isinstance(parameters, bool)


def _without(parameters: Any, name: str) -> dict[str, Any]:
    """Return parameters less one, which may be nested."""
    kept: dict[str, Any] = {}
    for key, value in (parameters or {}).items():
        if key == name:
            continue
        if isinstance(value, dict) and "parameters" in value and name.startswith(f"{key}."):
            value = {"parameters": _without(value["parameters"], name.removeprefix(f"{key}."))}
            if not value["parameters"]:
                continue
        kept[key] = value
    return kept


def _metric(source: dict[str, Any], where: str) -> SweepMetric:
    given = source.get("metric")
    if given is None:
        if source["method"] == "bayes" or "early_terminate" in source:
            raise UserError(
                f"{where}: metric must be set with method: bayes and early_terminate, as in {{name: validation/nll}}"
            )
        return SweepMetric()
    known = ("name", "goal", "target")
    if not isinstance(given, dict) or not isinstance(given.get("name"), str):
        raise UserError(f"{where}: metric must have a name, such as validation/nll, but is {given!r}")
    for key in given:
        if key not in known:
            raise UserError(f"{where}: metric has a key {key!r}, which is not supported{suggest(str(key), known)}")
    metric = SweepMetric(**given)
    if metric.goal not in ("minimize", "maximize"):
        raise UserError(f"{where}: metric.goal must be minimize or maximize, but is {metric.goal!r}")
    if not metric.name.startswith("validation/"):
        raise UserError(
            f"{where}: metric.name must be of validation, such as validation/nll, because test queries choose nothing, "
            f"but is {metric.name!r}"
        )
    if metric.target is not None and not isinstance(metric.target, int | float):
        raise UserError(f"{where}: metric.target must be a number, but is {metric.target!r}")
    return metric


def _run_cap(source: dict[str, Any], where: str) -> int | None:
    cap = source.get("run_cap")
    if cap is None and source["method"] != "grid":
        raise UserError(f"{where}: a {source['method']} search has no end of its own; set run_cap, or give --runs")
    if cap is not None and (not isinstance(cap, int) or isinstance(cap, bool) or cap < 1):
        raise UserError(f"{where}: run_cap must be a whole number from 1, but is {cap!r}")
    return cap


def _text(source: dict[str, Any], key: str, where: str) -> str | None:
    value = source.get(key)
    if value is not None and not isinstance(value, str):
        raise UserError(f"{where}: {key} must be text, but is {value!r}")
    return value


def _check(sweep: Sweep, where: str) -> None:
    for parameter in sweep.parameters:
        if parameter.name in ("seed", "seeds") and not parameter.fixed:
            raise UserError(
                f"{where}: {parameter.name} must have one value, because a sweep compares configurations on the same "
                "splits; set seeds: {value: N} for the mean over N seeds"
            )
    if sweep.method == "grid":
        for parameter in sweep.parameters:
            try:
                parameter.all_values()
            except UserError as error:
                raise UserError(f"{where}: {error}") from None
    elif not sweep.searched:
        raise UserError(f"{where}: parameters must have one or more to search, but all have one value")
