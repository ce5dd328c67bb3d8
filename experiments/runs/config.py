"""Config of one run: a log, a router, a seed, and what is held out or hidden."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from copy import deepcopy
from dataclasses import dataclass, field, fields, replace
from functools import lru_cache
from typing import Any

from graphrouter.config import hyperparameters, make_router
from graphrouter.errors import UserError, suggest
from graphrouter.log import RARE_TASKS
from graphrouter.routers import router_names
from graphrouter.scenario import find_scenario
from graphrouter.settings import check, merge, parse_overrides, to_plain

PROTOCOLS = ("by_query", "leave_task_out", "leave_llm_out", "by_time")
HELD_OUT = {"leave_task_out": "task", "leave_llm_out": "LLM"}


@dataclass
class RunConfig:
    """Config of one run.

    Attributes:
        log: Name or folder, see `graphrouter.log.load_log`.
        router: Name of the router.
        encoder: Spec of the encoder, see `graphrouter.encoders.find_encoder`; None for the log's default.
        scenarios: Names; None for those that the log has values for.
        estimate_cost: Whether to estimate the costs that the log lacks.
        seed: Seed of the split and of the router.
        protocol: ``by_query``, ``leave_task_out``, ``leave_llm_out`` or ``by_time``.
        held_out: The task or the LLM of the two protocols that leave one out.
        shots: With ``leave_llm_out``, number of logged training queries of the new LLM the router takes in.
        train_share: Share of the training queries that is kept; a larger share contains a smaller one.
        missing: Share of the cells of train and validation that is hidden; likewise nested.
        rare_tasks: Treatment of tasks that are too small to be divided: ``refuse``, ``pool`` or ``drop``.
        llms: Names or patterns such as ``*7b*``; empty for all.
        pool: So many of these LLMs, drawn by a hash of the seed and the name, nested; None for all.
        hyperparameters: Hyperparameters of the router, where they differ from its defaults.
    """

    log: str = "micropool"
    router: str = "gnn"
    encoder: str | None = None
    scenarios: list[str] | None = None
    estimate_cost: bool = False
    seed: int = 0
    protocol: str = "by_query"
    held_out: str | None = None
    shots: int = 0
    train_share: float = 1.0
    missing: float = 0.0
    rare_tasks: str = "refuse"
    llms: list[str] = field(default_factory=list)
    pool: int | None = None
    hyperparameters: dict[str, Any] = field(default_factory=dict)


OF_ROUTER = "hyperparameters"
FIELDS = tuple(field.name for field in fields(RunConfig))


def read_run(values: dict[str, Any], overrides: Sequence[str] = (), where: str = "config") -> RunConfig:
    """Check the values of one run.

    Args:
        values: Fields of `RunConfig`, and hyperparameters either under ``hyperparameters`` or with the router's name
            in front: ``gnn.dropout`` or ``{"gnn": {"dropout": ...}}``.
        overrides: ``key=value`` words laid over them: ``seed=3``, ``gnn.dropout=0.3``.
        where: Named in errors.

    Raises:
        UserError: If a key is unknown, or a value is of the wrong type or out of range.
    """
    overridden = parse_overrides(overrides)
    router = str(overridden.get("router", values.get("router", RunConfig.router)))
    given = merge(_by_field(values, router), _by_field(overridden, router))
    for key in given:
        if key not in FIELDS:
            raise UserError(f"{where}: unknown key {key!r}{_hint(key, router)}")
    config = RunConfig(**check(RunConfig, given, where))
    _check(config, where)
    return config


def changed(config: RunConfig, values: dict[str, Any], where: str) -> RunConfig:
    """Return a run with other values; hyperparameters of a router that it no longer has are left behind.

    Args:
        config: The base.
        values: As for `read_run`.
        where: Named in errors.
    """
    router = str(values.get("router", config.router))
    base = to_plain(config if router == config.router else replace(config, hyperparameters={}))
    return read_run(merge(base, _by_field(values, router)), (), where)


def settings(config: RunConfig) -> dict[str, Any]:
    """Return a run's settings flat and fully resolved, each hyperparameter as ``router.name``."""
    plain = {name: to_plain(getattr(config, name)) for name in FIELDS if name != OF_ROUTER}
    if config.rare_tasks == RunConfig.rare_tasks:
        del plain["rare_tasks"]  # runs keep the id that they had before there was a choice
    return plain | deepcopy(_resolved(config.router, json.dumps(config.hyperparameters, sort_keys=True)))


def run_id(config: RunConfig) -> str:
    """Return a short name that is unique for the resolved config, such as ``gnn-s0-3f9a1c2b``."""
    text = json.dumps(settings(config), sort_keys=True)
    name = config.router.rpartition("/")[2].replace(":", "-")  # of a router from a file
    return f"{name}-s{config.seed}-{hashlib.sha256(text.encode()).hexdigest()[:8]}"


def _by_field(values: dict[str, Any], router: str) -> dict[str, Any]:
    """Put what stands under the router's name, with a dot or nested, under ``hyperparameters``."""
    given: dict[str, Any] = {}
    for key, value in values.items():
        name, *rest = key.split(".")
        for part in reversed(rest):
            value = {part: value}
        name = OF_ROUTER if name == router and isinstance(value, dict) else name
        given = merge(given, {name: value})
    return given


@lru_cache(maxsize=4096)
def _resolved(router: str, values: str) -> dict[str, Any]:
    """Return a router's hyperparameters flat; a grid of thousands of runs has but a few different ones."""
    return _flat(router, to_plain(hyperparameters(make_router(router, json.loads(values)))))


def _flat(name: str, value: Any) -> dict[str, Any]:
    if not isinstance(value, dict):
        return {name: value}
    return {key: item for part in value for key, item in _flat(f"{name}.{part}", value[part]).items()}


def _hint(key: str, router: str) -> str:
    if key in router_names():
        return f": the run's router is {router}, so its hyperparameters are {router}.NAME"
    return suggest(key, [*FIELDS, router])


def _check(config: RunConfig, where: str) -> None:
    make_router(config.router, config.hyperparameters, where)
    for name in config.scenarios or ():
        find_scenario(name)
    if config.protocol not in PROTOCOLS:
        raise UserError(f"{where}: unknown protocol {config.protocol!r}{suggest(config.protocol, PROTOCOLS)}")
    what = HELD_OUT.get(config.protocol)
    if (what is None) != (config.held_out is None):
        need = f"must name the {what}" if what else "must not be set"
        raise UserError(f"{where}: with {config.protocol}, held_out {need}, but is {config.held_out!r}")
    rules = {
        "seed": ("be 0 or more", config.seed >= 0),
        "shots": (
            "be 0 or more, and 0 but with leave_llm_out",
            config.shots == 0 or (config.shots > 0 and config.protocol == "leave_llm_out"),
        ),
        "train_share": ("be above 0 and at most 1", 0 < config.train_share <= 1),
        "missing": ("be within [0, 1)", 0 <= config.missing < 1),
        "rare_tasks": (f"be {', '.join(RARE_TASKS)}", config.rare_tasks in RARE_TASKS),
        "pool": ("be 2 or more", config.pool is None or config.pool >= 2),
    }
    for key, (rule, holds) in rules.items():
        if not holds:
            raise UserError(f"{where}: {key} must {rule}, but is {getattr(config, key)!r}")
