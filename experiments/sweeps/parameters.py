"""Parameters of a sweep: those of a sweep file in W&B's format.

The keys, defaults and meanings are those of W&B's "Sweep configuration options"
(https://docs.wandb.ai/models/sweeps/sweep-config-keys) and of the schema in https://github.com/wandb/sweeps.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

from experiments.sweeps.parameter import Parameter
from graphrouter.errors import UserError, suggest

RANGE = {"min": None, "max": None}
NORMAL = {"mu": 0.0, "sigma": 1.0}
BETA = {"a": 1.0, "b": 1.0}
STEP = {"q": 1}

DISTRIBUTIONS: dict[str, dict[str, Any]] = {
    "constant": {"value": None},
    "categorical": {"values": None},
    "categorical_w_probabilities": {"values": None, "probabilities": None},
    "int_uniform": RANGE,
    "uniform": RANGE,
    "q_uniform": RANGE | STEP,
    "log_uniform": RANGE,
    "log_uniform_values": RANGE,
    "q_log_uniform": RANGE | STEP,
    "q_log_uniform_values": RANGE | STEP,
    "inv_log_uniform": RANGE,
    "inv_log_uniform_values": RANGE,
    "normal": NORMAL,
    "q_normal": NORMAL | STEP,
    "log_normal": NORMAL,
    "q_log_normal": NORMAL | STEP,
    "beta": BETA,
    "q_beta": BETA | STEP,
}
"""Keys of each distribution and their defaults; None where a key must be given."""


def read_parameters(given: Any, where: str) -> list[Parameter]:
    """Read the ``parameters`` of a sweep file, sorted by name; nested ones get dotted names.

    Raises:
        UserError: If one is not as W&B's format wants it.
    """
    return sorted(_read(given, where, ""), key=lambda parameter: parameter.name)


def _read(given: Any, where: str, above: str) -> Iterator[Parameter]:
    if not isinstance(given, dict) or not given:
        raise UserError(f"{where}: {above or 'parameters'} must be a mapping of names to parameters, but is {given!r}")
    for key, keys in given.items():
        name = f"{above}{key}"
        if not isinstance(keys, dict):
            raise UserError(f"{where}: {name} must be a mapping, as in {{value: {keys!r}}}, but is {keys!r}")
        if "parameters" in keys:
            if len(keys) > 1:
                raise UserError(f"{where}: {name} must have parameters alone, but has {', '.join(keys)}")
            yield from _read(keys["parameters"], where, f"{name}.")
        else:
            yield read_parameter(name, keys, where)


def read_parameter(name: str, given: dict[str, Any], where: str) -> Parameter:
    """Read one parameter.

    Raises:
        UserError: If it is not as W&B's format wants it.
    """
    kind = given.get("distribution", _default_distribution(given))
    if kind not in DISTRIBUTIONS:
        known = list(DISTRIBUTIONS)
        raise UserError(
            f"{where}: {name} must have value, values, min and max, or a distribution, but has {given!r}"
            if kind is None
            else f"{where}: {name} has the distribution {kind!r}, which is not supported{suggest(str(kind), known)}"
        )
    wanted = DISTRIBUTIONS[kind]
    keys = {key: value for key, value in given.items() if key != "distribution"}
    for key in keys:
        if key not in wanted:
            raise UserError(f"{where}: {name} is {kind}, which takes {', '.join(wanted)}, but has {key!r}; remove it")
    for key, default in wanted.items():
        if default is None and key not in keys:
            raise UserError(f"{where}: {name} is {kind}, which needs {', '.join(wanted)}, but {key!r} is absent")
    parameter = Parameter(name, kind, {key: keys.get(key, default) for key, default in wanted.items()})
    _check(parameter, where)
    return parameter


def _default_distribution(given: dict[str, Any]) -> str | None:
    if "value" in given:
        return "constant"
    if "values" in given:
        return "categorical_w_probabilities" if "probabilities" in given else "categorical"
    if "min" in given and "max" in given:
        whole = all(isinstance(given[key], int) for key in ("min", "max"))
        return "int_uniform" if whole else "uniform"
    return None


def _check(parameter: Parameter, where: str) -> None:
    """Check the values of a parameter's keys."""
    keys, kind = parameter.keys, parameter.distribution
    rules: dict[str, bool] = {}
    if "values" in keys:
        rules["values must be a list of one or more"] = isinstance(keys["values"], list) and bool(keys["values"])
    if "probabilities" in keys:
        rules["probabilities must be as many as values, none below 0, and add up to 1"] = _are_chances(keys)
    numbers = [key for key in keys if key not in ("value", "values", "probabilities")]
    rules[f"{', '.join(numbers)} must be finite numbers"] = all(_is_number(keys[key]) for key in numbers)
    if all(rules.values()) and "min" in keys:
        rules["min must be less than max"] = keys["min"] < keys["max"]
        rules["min must be above 0"] = keys["min"] > 0 or not kind.endswith("log_uniform_values")
        rules["min and max are logarithms, so they must be within 700"] = (
            kind.removeprefix("q_") not in ("log_uniform", "inv_log_uniform")
            or max(abs(keys["min"]), abs(keys["max"])) <= 700
        )
        rules["min and max must be whole numbers"] = kind != "int_uniform" or all(
            isinstance(keys[key], int) for key in ("min", "max")
        )
    if all(rules.values()):
        rules["q, sigma, a and b must be above 0"] = all(keys.get(key, 1) > 0 for key in ("q", "sigma", "a", "b"))
    for rule, holds in rules.items():
        if not holds:
            raise UserError(f"{where}: {parameter.name} is {kind}: {rule}, but it is {keys!r}")


def _are_chances(keys: dict[str, Any]) -> bool:
    chances, values = keys["probabilities"], keys["values"]
    if not isinstance(chances, list) or not isinstance(values, list) or len(chances) != len(values):
        return False
    return all(_is_number(chance) and chance >= 0 for chance in chances) and abs(sum(chances) - 1) < 1e-6


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
