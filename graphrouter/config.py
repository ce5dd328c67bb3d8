"""Routers and comparisons from YAML and overrides."""

from __future__ import annotations

import dataclasses
import typing
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from graphrouter.errors import UserError, suggest
from graphrouter.log import RARE_TASKS
from graphrouter.ranges import COUNT, Allowed, check_fields
from graphrouter.routers import find_router, router_names
from graphrouter.routers.base import Router
from graphrouter.run import TUNE_BY
from graphrouter.scenario import find_scenario
from graphrouter.settings import COMMAND_LINE, check, check_layers, find_config, merge, parse_overrides, read_yaml

NOT_IN_CONFIG = ("seed",)
"""Fields of a router that a run sets and a config does not."""


INTERVALS = ("fitted", "methods")

BASELINES = [
    "random",
    "best_single",
    "best_per_task",
    "static_mix",
    "oracle",
    "knn",
    "kmeans",
    "linear",
    "mlp",
    "matrix_factorisation",
]
"""References, and the baselines that are hard to beat."""

ALLOWED: dict[str, Allowed] = {
    "seeds": COUNT,
    "tune_by": (*TUNE_BY, "none"),
    "settings": COUNT,
    "interval": INTERVALS,
    "rare_tasks": RARE_TASKS,
}
"""Range or names of each key of a comparison that has them."""


@dataclasses.dataclass
class CompareConfig:
    """Settings of a comparison, beside the log and the folder that it writes to.

    Attributes:
        routers: Names of routers; ``all`` stands for every one, ``-NAME`` behind it leaves one out.
        seeds: How many seeds, from 0; each is a split and a start of every router.
        scenarios: Names of scenarios. The default leaves out those that a log without cost cannot run.
        encoder: See `graphrouter.encoders.find_encoder`; None for the default of the log.
        tune_by: Measure by which validation chooses each router's setting: ``nll``, ``reward`` or ``none``.
        settings: At most so many settings of each router's search space are tried, the same number for every router.
        ours: Names of the routers that are no baselines; None for gnn and others that say so of themselves.
        interval: Claim of intervals: about ``fitted`` routers (test queries are resampled) or ``methods`` (seeds too).
        estimate_cost: Whether to estimate the cost of a log that has none, from characters and prices.
        prices: YAML with prices for the estimate; None for prices by size.
        rare_tasks: Treatment of tasks that are too small to be divided: ``refuse``, ``pool`` or ``drop``; see
            `graphrouter.splits.by_query`.
        hyperparameters: Hyperparameters of each router by name, where they differ from the router's own defaults.
    """

    routers: list[str] = dataclasses.field(default_factory=lambda: [*BASELINES, "gnn"])
    seeds: int = 5
    scenarios: list[str] | None = None
    encoder: str | None = None
    tune_by: str = "nll"
    settings: int = 6
    ours: list[str] | None = None
    interval: str = "fitted"
    estimate_cost: bool = False
    prices: str | None = None
    rare_tasks: str = "refuse"
    hyperparameters: dict[str, Any] = dataclasses.field(default_factory=dict)


def make_router(name: str | type[Router], values: dict[str, Any] | None = None, where: str = "config") -> Router:
    """Make a router from its name and hyperparameters.

    Args:
        name: See `graphrouter.routers.find_router`; or its class.
        values: Hyperparameters that differ from the defaults; nested where a field is a dataclass.
        where: Named in errors.

    Raises:
        UserError: If the router or a key is unknown, or a value is of the wrong type or out of range.
    """
    kind = find_router(name) if isinstance(name, str) else name
    resolved = check(_schema(kind), values or {}, f"{where}, router {kind.name}")
    fields = {key: _like(default, resolved[key]) for key, default in hyperparameters(kind()).items()}
    try:
        return kind(**fields)
    except UserError as error:
        raise UserError(f"{where}, router {kind.name}: {error}") from None


def _names_of(name: str) -> tuple[str, ...]:
    """Return the names of a router in overrides: its name, and for one from outside the package its class."""
    kind = find_router(name)
    return (kind.name,) if name == kind.name else (kind.name, kind.__name__)


def router_of(router: str | Router) -> Router:
    """Return the router that a name stands for, or one as it is.

    Raises:
        UserError: If it is neither.
    """
    if isinstance(router, str):
        return make_router(router)
    if not isinstance(router, Router):
        came = f"the class {router.__name__}" if isinstance(router, type) else f"a {type(router).__name__}"
        raise UserError(f"a router must be a name or a Router, but is {came}; pass its name, such as 'knn'")
    return router


def read_router(config: str | Path | None = None, overrides: Sequence[str] = (), name: str | None = None) -> Router:
    """Make a router from a YAML file or by name, with ``key=value`` words laid over it.

    Args:
        config: File with ``router: NAME`` and hyperparameters, see `graphrouter.settings.find_config`; or the name of a
            router, for its defaults.
        overrides: Such as ``knn.k=20``; the router's name may be left out, as there is but one.
        name: Name of the router, where there is no file.

    Raises:
        UserError: As for `make_router`; it names the file or the command line, whichever holds the mistake.
    """
    values: dict[str, Any] = {}
    where = COMMAND_LINE
    if config is not None:
        try:
            where = str(find_config(config, "routers"))
        except UserError:
            if not str(config).isidentifier():
                raise
            name = find_router(str(config)).name
        else:
            values = read_yaml(where)
            name = values.pop("router", None)
    if not isinstance(name, str):
        raise UserError(f"{where} must name its router, as in 'router: knn', but has {name!r} there")
    make_router(name, values, where)
    typed = parse_overrides(overrides)
    for owner in _names_of(name):
        typed = merge(typed, _mapping(typed.pop(owner, {}), owner, COMMAND_LINE))
    return make_router(name, merge(values, typed), COMMAND_LINE if typed else where)


def _expanded(names: Sequence[str]) -> list[str]:
    """Put all routers in the place of ``all``, and leave out what has a minus in front."""
    found = [name for given in names for name in (router_names() if given == "all" else [given])]
    left_out = {name.removeprefix("-") for name in found if name.startswith("-")}
    for name in left_out:
        find_router(name)
    return [name for name in dict.fromkeys(found) if not name.startswith("-") and name not in left_out]


def read_comparison(file: str | Path | None, overrides: Sequence[str] = (), **given: Any) -> CompareConfig:
    """Resolve a comparison: defaults, then the file, then options, then overrides (``knn.k=20``, ``seeds=3``).

    Args:
        file: See `graphrouter.settings.find_config`; None for ``configs/compare/default.yaml``.
        overrides: A key is a field of `CompareConfig`, or the name of a router, a dot and its hyperparameter.
        given: Fields from command-line options; None where an option was not given.

    Raises:
        UserError: If a key, router or scenario is unknown, or a value is of the wrong type.
    """
    path = str(find_config(file or "default", "compare"))
    fields = [field.name for field in dataclasses.fields(CompareConfig)]
    typed = {key: value for key, value in given.items() if value is not None}
    overridden = parse_overrides(overrides)
    for key, value in overridden.items():
        typed = merge(typed, {key: value} if key in fields else {"hyperparameters": {key: value}})
    in_file = read_yaml(path)
    called = _outside(typed.get("routers", in_file.get("routers")))
    in_file, typed = _by_name(in_file, called), _by_name(typed, called)
    overridden = {called.get(key, key): value for key, value in overridden.items()}
    config = CompareConfig(**check_layers(CompareConfig, [(in_file, path), (typed, COMMAND_LINE)]))
    config = dataclasses.replace(config, routers=_expanded(config.routers))
    for key in overridden:
        if key not in (*fields, *config.routers):
            raise UserError(f"{COMMAND_LINE}: {_unknown(key, config.routers, fields)}")
    _check_comparison(config, {key: COMMAND_LINE if key in typed else path for key in fields})
    for where, values in ((path, in_file), (COMMAND_LINE, typed)):
        for name, below in (values.get("hyperparameters") or {}).items():
            _mapping(below, name, where)
    for name in dict.fromkeys([*config.routers, *config.hyperparameters]):
        in_words = name in (typed.get("hyperparameters") or {})
        make_router(name, config.hyperparameters.get(name), COMMAND_LINE if in_words else path)
    return config


def _outside(routers: Any) -> dict[str, str]:
    """Import the routers from outside the package; return their names by reference and by class."""
    called: dict[str, str] = {}
    for reference in routers if isinstance(routers, list) else ():
        if isinstance(reference, str) and ":" in reference:
            kind = find_router(reference)
            called |= {reference: kind.name, kind.__name__: kind.name}
    return called


def _by_name(values: dict[str, Any], called: dict[str, str]) -> dict[str, Any]:
    """Call routers by their names throughout a mapping of `CompareConfig`."""
    named = dict(values)
    for key in ("routers", "ours"):
        if isinstance(values.get(key), list):
            named[key] = [called.get(name, name) for name in map(str, values[key])]
    if isinstance(below := values.get("hyperparameters"), dict):
        named["hyperparameters"] = {}
        for owner, value in below.items():
            named["hyperparameters"] = merge(named["hyperparameters"], {called.get(str(owner), str(owner)): value})
    return named


def _unknown(key: str, routers: list[str], fields: list[str]) -> str:
    owners = [name for name in routers if key in hyperparameters(find_router(name)())]
    if owners:
        return f"{key!r} is a setting of {', '.join(owners)}; write the router's name in front, as in {owners[0]}.{key}=..."
    return f"{key!r} is neither a router of this comparison nor a key{suggest(key, [*routers, *fields])}"


def comparison_routers(config: CompareConfig) -> list[Router]:
    """Make the routers of a comparison. A hyperparameter that the config sets is not tuned any more."""
    routers = []
    for name in config.routers:
        values = config.hyperparameters.get(name) or {}
        router = make_router(name, values)
        kept = [{key: value for key, value in setting.items() if key not in values} for setting in router.search_space]
        router.search_space = tuple(  # type: ignore[misc]
            setting for row, setting in enumerate(kept) if setting not in kept[:row] and _fits(router, setting)
        )
        routers.append(router)
    return routers


def _fits(router: Router, setting: dict[str, Any]) -> bool:
    """Whether a setting of the search space goes with the hyperparameters that the config sets."""
    try:
        dataclasses.replace(router, **setting)
    except UserError:
        return False
    return True


def _check_comparison(config: CompareConfig, where: dict[str, str]) -> None:
    rules = {
        "routers": ("name one router or more", bool(config.routers)),
        "ours": ("be among the routers", set(config.ours or ()) <= set(config.routers)),
    }
    for key, (rule, holds) in rules.items():
        if not holds:
            raise UserError(f"{where[key]}: {key} must {rule}, but is {getattr(config, key)!r}")
    for key, allowed in ALLOWED.items():
        check_fields(config, {key: allowed}, f"{where[key]}: ")
    for name in config.scenarios or ():
        find_scenario(name)
    for name in config.routers:
        find_router(name)


def _mapping(value: Any, name: str, where: str) -> dict[str, Any]:
    if value is not None and not isinstance(value, dict):
        raise UserError(
            f"{where}: {name} must be a mapping of hyperparameters, as in {name}.key=value, but is {value!r}"
        )
    return value or {}


def hyperparameters(router: Router) -> dict[str, Any]:
    """Return a router's hyperparameters: its fields, less the seed and what says where to run."""
    fields = [field.name for field in dataclasses.fields(router) if field.init and field.name not in NOT_IN_CONFIG]
    return {name: getattr(router, name) for name in fields}


def _schema(kind: type[Router]) -> type:
    """Make a plain dataclass of a router's hyperparameters: OmegaConf has no use for fields outside ``__init__``."""
    hints = typing.get_type_hints(kind)
    specs: list[Any] = []
    for field in dataclasses.fields(kind):
        if field.init and field.name not in NOT_IN_CONFIG:
            default = dataclasses.field(default=field.default, default_factory=field.default_factory)
            specs.append((field.name, hints[field.name], default))
    return dataclasses.make_dataclass(kind.__name__, specs)


def _like(default: Any, value: Any) -> Any:
    """Give a plain value the type of the default: a dataclass or a tuple."""
    if dataclasses.is_dataclass(default) and not isinstance(default, type):
        return type(default)(**{key: _like(getattr(default, key), item) for key, item in value.items()})
    return tuple(value) if isinstance(default, tuple) else value
