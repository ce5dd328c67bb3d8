"""A sweep file in W&B's own format -> what is to be searched.

The keys are those of https://docs.wandb.ai/models/sweeps/sweep-config-keys. A key that this runner cannot honour is an
error, so that a file means the same here and on W&B's servers.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, fields
from math import prod
from typing import Any

from experiments.sweeps.command import read_command
from experiments.sweeps.early import Halving, read_hyperband
from experiments.sweeps.parameter import Parameter
from experiments.sweeps.parameters import read_parameters
from graphrouter.errors import UserError, suggest
from graphrouter.ranges import COUNT, check_fields
from graphrouter.settings import check, find_config, parse_overrides, read_yaml

METHODS = ("grid", "random", "bayes")


@dataclass
class SweepKeys:
    """Keys of a sweep file that are plain values."""

    method: str = ""
    run_cap: int | None = None
    name: str | None = None
    project: str | None = None
    entity: str | None = None
    description: str | None = None


FIELDS = tuple(field.name for field in fields(SweepKeys))
KEYS = (*FIELDS, "program", "command", "metric", "parameters", "early_terminate")


@dataclass(frozen=True)
class SweepMetric:
    """Metric that a sweep optimises.

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
        metric: Metric that is optimised.
        parameters: Sorted by name.
        early: When to stop a run early; None for never.
        run_cap: Most runs; None for the whole grid.
        name: Name of the sweep.
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
        name: Name of a file, or of one in ``configs/sweep``.
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
    keys = SweepKeys(**check(SweepKeys, {key: value for key, value in source.items() if key in FIELDS}, where))
    check_fields(keys, {"method": METHODS, "run_cap": COUNT}, f"{where}: ")
    if keys.run_cap is None and keys.method != "grid":
        raise UserError(f"{where}: a {keys.method} search has no end of its own; set run_cap, or give --runs")
    early = source.get("early_terminate")
    sweep = Sweep(
        method=keys.method,
        metric=_metric(source.get("metric"), keys.method == "bayes" or early is not None, where),
        parameters=read_parameters(source.get("parameters"), where),
        early=None if early is None else read_hyperband(early, where),
        run_cap=keys.run_cap,
        name=keys.name or "sweep",
        project=keys.project,
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


def _metric(given: Any, needed: bool, where: str) -> SweepMetric:
    if given is None:
        if needed:
            raise UserError(
                f"{where}: metric must be set with method: bayes and early_terminate, as in {{name: validation/nll}}"
            )
        return SweepMetric()
    if not isinstance(given, dict) or not isinstance(given.get("name"), str):
        raise UserError(f"{where}: metric must have a name, such as validation/nll, but is {given!r}")
    metric = SweepMetric(**check(SweepMetric, given, f"{where}: metric"))
    check_fields(metric, {"goal": ("minimize", "maximize")}, f"{where}: metric.")
    if not metric.name.startswith("validation/"):
        raise UserError(
            f"{where}: metric.name must be of validation, such as validation/nll, because test queries choose nothing, "
            f"but is {metric.name!r}"
        )
    return metric


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
