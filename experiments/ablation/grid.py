"""A grid in YAML -> the runs that it asks for, and who is compared with whom."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Any

from experiments.runs.config import FIELDS, RunConfig, changed, read_run
from experiments.runs.configuration import SeedRuns
from graphrouter.errors import UserError, suggest
from graphrouter.log import load_log
from graphrouter.settings import check, find_config, merge, parse_overrides, read_yaml, to_plain

BASE = ("", "base")
Key = tuple[str, str]
"""Factor (empty for the base of all) and name of a variant."""
_AGAINST_BASE: tuple[Key, ...] = (BASE,)


@dataclass
class Factor:
    """Differences that belong together.

    Attributes:
        base: Values of a base of the factor's own, which its differences start from and are compared with; they are
            compared with the base of all too. Empty for the base of all alone.
        differences: Each ``{name: ..., set: {dotted key: value}}``.
        product: Key -> values; every combination is a difference. A second key with numbers is the axis of a curve.
        against: A key of the product: each combination is compared with the one that has the base's value there, and
            only those that have it are compared with the base.
        over: As in `Grid`, where it differs for this factor.
    """

    base: dict[str, Any] = field(default_factory=dict)
    differences: list[Any] = field(default_factory=list)
    product: dict[str, Any] = field(default_factory=dict)
    against: str | None = None
    over: dict[str, Any] | None = None


@dataclass
class Grid:
    """A base and named differences.

    Attributes:
        base: Values of a `RunConfig`.
        seeds: How many, from 0.
        over: Key -> ``tasks``, ``llms`` or a list: every variant is run for each of these, and compared within each.
        factors: By name; a bare list stands for its ``differences``.
    """

    base: dict[str, Any] = field(default_factory=dict)
    seeds: int = 5
    over: dict[str, Any] = field(default_factory=dict)
    factors: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Variant:
    """The base or one difference, over all seeds.

    Attributes:
        key: Factor and name.
        config: Its settings; the seed and what it is run over are set for each run.
        values: Values that it sets, as in the YAML.
        over: Key -> list.
        against: The variants that it is compared with.
    """

    key: Key
    config: RunConfig
    values: dict[str, Any]
    over: dict[str, list[Any]]
    against: tuple[Key, ...]

    def runs(self, seeds: int) -> Iterator[tuple[dict[str, Any], RunConfig]]:
        """Yield each unit (seed, and what it is run over) and its run."""
        for seed in range(seeds):
            for values in itertools.product(*self.over.values()):
                unit = dict(zip(self.over, values, strict=True))
                yield {"seed": seed, **unit}, replace(self.config, seed=seed, **unit)


@dataclass(frozen=True)
class Plan:
    """Configurations and runs of a grid.

    Attributes:
        grid: Resolved: what it is run over stands in it as lists.
        variants: By key, the base first.
    """

    grid: Grid
    variants: dict[Key, Variant]

    def jobs(self, only: str | None = None, out: Path = Path()) -> list[SeedRuns]:
        """Return every run once, the base first, seed by seed.

        Args:
            only: A factor; the bases and its differences then.
            out: Folder of the results.

        Raises:
            UserError: If there is no such factor.
        """
        if only is not None and only not in self.grid.factors:
            raise UserError(f"the grid has no factor {only!r}{suggest(only, list(self.grid.factors))}")
        chosen = [v for v in self.variants.values() if only is None or v.key[0] in ("", only)]
        jobs: dict[str, SeedRuns] = {}
        for seed in range(self.grid.seeds):
            for variant in chosen:
                for unit, config in variant.runs(self.grid.seeds):
                    if unit["seed"] == seed:
                        factor, name = variant.key
                        about = {"kind": "ablation", "unit": unit, "group": factor or None, "name": name}
                        job = SeedRuns((config,), out, about=about | {"base": name == "base"})
                        jobs.setdefault(job.id, job)
        return list(jobs.values())


def read_plan(name: str, overrides: Sequence[str] = ()) -> Plan:
    """Read a grid.

    Args:
        name: Name of a YAML file, or of one in ``configs/ablation``.
        overrides: ``seeds=3``, or a key of the base: ``log=micropool``, ``gnn.steps=400``.

    Raises:
        UserError: If a key is unknown, a value does not do, or two differences have one name.
    """
    file = find_config(name, "ablation")
    where, own = str(file), [one.name for one in fields(Grid)]
    values = read_yaml(file)
    for key, value in parse_overrides(overrides).items():
        if key not in own and key not in FIELDS and key != values.get("base", {}).get("router", RunConfig.router):
            raise UserError(f"{where}: unknown key {key!r}{suggest(key, [*own, *FIELDS])}")
        values = merge(values, {key: value} if key in own else {"base": {key: value}})
    grid = Grid(**check(Grid, values, where))
    if grid.seeds < 1:
        raise UserError(f"{where}: seeds must be 1 or more, but is {grid.seeds}")
    grid.over = _resolve(grid.over, grid.base)
    base = _config(grid.base, grid.over, where)
    variants = {BASE: Variant(BASE, base, {}, grid.over, ())}
    for name, given in grid.factors.items():
        factor = Factor(**check(Factor, {"differences": given} if isinstance(given, list) else given, where))
        if factor.over is not None:
            factor.over = _resolve(factor.over, grid.base)
        grid.factors[name] = to_plain(factor)
        for variant in _variants(name, factor, grid, base, where):
            if variant.key in variants:
                raise UserError(f"{where}: {name} has two differences {variant.key[1]!r}; rename one")
            variants[variant.key] = variant
    return Plan(grid, variants)


def _variants(name: str, factor: Factor, grid: Grid, base: RunConfig, where: str) -> Iterator[Variant]:
    over = grid.over if factor.over is None else factor.over
    start, against = base, _AGAINST_BASE
    place = f"{where}, {name}"
    if factor.base:
        start, against = _changed(base, factor.base, over, f"{place}, base"), ((name, "base"), BASE)
        yield Variant((name, "base"), start, factor.base, over, (BASE,))
    for given in factor.differences:
        if not isinstance(given, dict) or set(given) != {"name", "set"} or not isinstance(given["set"], dict):
            raise UserError(f"{place}: a difference must be {{name: ..., set: {{key: value}}}}, but is {given!r}")
        label = str(given["name"])
        config = _changed(start, given["set"], over, f"{place}, {label}")
        yield Variant((name, label), config, given["set"], over, against)
    if factor.against is not None and factor.against not in factor.product:
        raise UserError(f"{place}: against must be a key of the product{suggest(factor.against, list(factor.product))}")
    for values in _combinations(factor.product, place):
        label = _label(values)
        config = _changed(start, values, over, f"{place}, {label}")
        yield Variant((name, label), config, values, over, _reference(name, factor, values, start, against))


def _combinations(product: dict[str, Any], where: str) -> list[dict[str, Any]]:
    for key, values in product.items():
        if not isinstance(values, list) or not values:
            raise UserError(f"{where}: {key} must have a list of values in the product, but has {values!r}")
    return [dict(zip(product, row, strict=True)) for row in itertools.product(*product.values())] if product else []


def _reference(
    name: str, factor: Factor, values: dict[str, Any], start: RunConfig, against: tuple[Key, ...]
) -> tuple[Key, ...]:
    if factor.against is None:
        return against
    usual = getattr(start, factor.against)
    return against if values[factor.against] == usual else ((name, _label(values | {factor.against: usual})),)


def _label(values: dict[str, Any]) -> str:
    return ", ".join(str(value) if key == "router" else f"{key}={value}" for key, value in values.items())


def _config(values: dict[str, Any], over: dict[str, list[Any]], where: str) -> RunConfig:
    """Read a run; what it is run over has its first value for the check."""
    return read_run(merge(values, {key: items[0] for key, items in over.items()}), (), where)


def _changed(base: RunConfig, values: dict[str, Any], over: dict[str, list[Any]], where: str) -> RunConfig:
    return changed(base, {key: items[0] for key, items in over.items()} | values, where)


def _resolve(over: dict[str, Any], base: dict[str, Any]) -> dict[str, list[Any]]:
    """Put names of tasks and LLMs where the grid says ``tasks`` and ``llms``."""
    resolved = {}
    for key, values in over.items():
        if key not in FIELDS or key == "seed":
            raise UserError(f"over must name keys of a run but the seed, not {key!r}{suggest(key, list(FIELDS))}")
        if values in ("tasks", "llms"):
            log = load_log(base.get("log", RunConfig.log))
            values = list(log.tasks if values == "tasks" else log.llm_names)
        if not isinstance(values, list) or not values:
            raise UserError(f"over must give {key} tasks, llms or a list of values, but gives {values!r}")
        resolved[key] = values
    return resolved
