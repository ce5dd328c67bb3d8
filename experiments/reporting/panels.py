"""Runs -> panels of one log and protocol, and in them the configurations that several seeds share."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from experiments.reporting.records import FINISHED, Run
from graphrouter.metrics import lower_is_better

UNIT = ("seed", "held_out")
"""Settings over which the runs of one configuration are averaged."""

NOT_VARIED = (*UNIT, "log", "protocol", "estimate_cost")
FIRST_CHOICE = ("nll", "performance_first/reward", "performance_first/performance")


@dataclass(eq=False)
class Configuration:
    """The runs of one setting, which differ in their seed (or what is held out) only.

    Attributes:
        label: Short name, unique in its panel.
        runs: That finished, by seed.
    """

    label: str
    runs: list[Run]

    @property
    def first(self) -> Run:
        """One of the runs, for what they share."""
        return self.runs[0]

    @property
    def base(self) -> bool:
        """Whether others are compared against it."""
        return self.first.base

    @property
    def units(self) -> list[tuple[int, Any]]:
        """Seed and held-out part of each run."""
        return [(run.seed, run.settings.get("held_out")) for run in self.runs]

    def values(self, metric: str) -> np.ndarray:
        """Return [n], the metric of the runs that have it."""
        return np.array([run.metrics[metric] for run in self.runs if metric in run.metrics])

    def mean(self, metric: str) -> float:
        """Return the mean over runs; NaN where none has the metric."""
        values = self.values(metric)
        return float(values.mean()) if len(values) else float("nan")

    def deviation(self, metric: str) -> float:
        """Return the standard deviation over runs; NaN for fewer than two."""
        values = self.values(metric)
        return float(values.std(ddof=1)) if len(values) > 1 else float("nan")

    def pairs(self, other: Configuration) -> list[tuple[Run, Run]]:
        """Return the runs of both on the same seed and held-out part."""
        theirs = dict(zip(other.units, other.runs, strict=True))
        return [(run, theirs[unit]) for unit, run in zip(self.units, self.runs, strict=True) if unit in theirs]

    def differences(self, other: Configuration, metric: str) -> np.ndarray:
        """Return [n], what the metric is above that of another configuration, by seed that both have."""
        found = [(a.metrics.get(metric), b.metrics.get(metric)) for a, b in self.pairs(other)]
        return np.array([a - b for a, b in found if a is not None and b is not None])


@dataclass(eq=False)
class Panel:
    """All runs that may be compared with each other: those of one log and protocol.

    Attributes:
        log: As the settings name it.
        protocol: How the log was split.
        runs: In the order they were read.
        kind: ``ablation``, ``sweep`` or another kind of runs, where the report has several; else empty.
    """

    log: str
    protocol: str
    runs: list[Run] = field(default_factory=list)
    kind: str = ""

    @property
    def title(self) -> str:
        """Heading of the panel."""
        name = Path(self.log).name or self.log
        cost = " (cost estimated)" if any(run.estimated for run in self.runs) and "cost estimated" not in name else ""
        rest = [part for part in ("" if self.protocol == "by_query" else self.protocol, self.kind) if part]
        return ", ".join([f"{name}{cost}", *rest])

    @cached_property
    def finished(self) -> list[Run]:
        """The runs with results."""
        return [run for run in self.runs if run.status == FINISHED]

    @cached_property
    def configurations(self) -> list[Configuration]:
        """The best first, by the default metric on validation."""
        grouped: dict[str, list[Run]] = {}
        for run in self.finished:
            grouped.setdefault(identity(run), []).append(run)
        made = [Configuration("", sorted(runs, key=lambda run: run.seed)) for runs in grouped.values()]
        made = self.ranked(self.metric, made)
        _name(made)
        return made

    @cached_property
    def varying(self) -> list[str]:
        """Settings that take more than one value among the runs that have them, without seed and held-out part."""
        return list(self.words)

    @cached_property
    def words(self) -> dict[str, dict[str, str]]:
        """By varying setting, each of its values (as JSON) as text."""
        seen: dict[str, dict[str, Any]] = {}
        for run in self.finished:
            for key, value in run.settings.items():
                seen.setdefault(key, {})[_key(value)] = value
        return {key: _words(values) for key, values in seen.items() if len(values) > 1 and key not in NOT_VARIED}

    @cached_property
    def metrics(self) -> list[str]:
        """Names without their part, such as ``nll``; those that can be chosen by on validation come first."""
        known = dict.fromkeys(key for run in self.finished for key in run.metrics)
        names = {
            part: [key.partition("/")[2] for key in known if key.startswith(part)] for part in ("validation/", "test/")
        }
        both = [name for name in names["validation/"] if name in names["test/"]]
        return list(dict.fromkeys([*both, *names["validation/"], *names["test/"]]))

    @cached_property
    def metric(self) -> str:
        """Metric that ranks configurations at first: what was validated, the likelihood before rewards."""
        chosen = [name for name in self.metrics if self.part(name) == "validation"] or self.metrics
        return next((name for name in FIRST_CHOICE if name in chosen), chosen[0] if chosen else "nll")

    def part(self, metric: str) -> str:
        """Return ``validation`` where any run has the metric there, else ``test``."""
        on_validation = any(f"validation/{metric}" in run.metrics for run in self.finished)
        return "validation" if on_validation else "test"

    def ranked(self, metric: str, configurations: Sequence[Configuration] | None = None) -> list[Configuration]:
        """Return the configurations, the best first; those without a value, and oracles, come last."""
        listed = self.configurations if configurations is None else configurations
        key, sign = f"{self.part(metric)}/{metric}", 1 if lower_is_better(metric) else -1

        def place(one: Configuration) -> tuple[bool, bool, float]:
            value = one.mean(key)
            return one.first.group == "oracle", not np.isfinite(value), sign * value if np.isfinite(value) else 0.0

        return sorted(listed, key=place)

    def shown(self, most: int, able: Callable[[Configuration], object] = lambda _: True) -> list[Configuration]:
        """Return the base and the best configurations, for figures that have no room for all.

        Args:
            most: At most so many.
            able: Whether a configuration has what the figure shows.
        """
        able_ones = [one for one in self.configurations if able(one)]
        bases = [one for one in able_ones if one.base]
        return list(dict.fromkeys([*bases[:most], *able_ones]))[:most]

    @property
    def scenarios(self) -> list[str]:
        """Those that any run has shares for."""
        return list(dict.fromkeys(name for run in self.finished for name in run.shares))


def panels(runs: Iterable[Run]) -> list[Panel]:
    """Divide runs by log, protocol and kind; a run without settings, whose record could not be read, is in none.

    The trials of a sweep are not ranked among the variants of an ablation, which may have other encoders or fewer training
    queries. Runs that are neither stand together.
    """
    known = [run for run in runs if "log" in run.settings]
    kinds = {_kind(run) for run in known}
    found: dict[tuple[str, str, bool, str], Panel] = {}
    for run in known:
        log, protocol = str(run.settings["log"]), str(run.settings.get("protocol") or "by_query")
        kind = _kind(run) if len(kinds) > 1 else ""
        found.setdefault((log, protocol, run.estimated, kind), Panel(log, protocol, [], kind)).runs.append(run)
    return list(found.values())


def _kind(run: Run) -> str:
    return run.kind if run.kind in ("ablation", "sweep") else "runs"


def identity(run: Run) -> str:
    """Return the key of a configuration, equal for its runs: folder, name and all settings but seed and held-out part."""
    settings = {key: value for key, value in run.settings.items() if key not in UNIT}
    return json.dumps([run.source, run.group, run.name, settings], sort_keys=True, default=str)


def show(value: Any) -> str:
    """Return a setting's value as short text."""
    if value is None:
        return "–"
    if isinstance(value, float):
        return f"{value:.4g}"
    if isinstance(value, list | tuple):
        return " + ".join(show(one) for one in value) or "none"
    return str(value)


def _name(configurations: list[Configuration]) -> None:
    """Give each configuration a name of its own: the runs' name, with folder, factor or number where that is not enough."""
    ends = tails({one.first.source for one in configurations})
    for one in configurations:
        run = one.first
        plain = not run.name or (run.name == "base" and not run.base)
        one.label = str(run.settings.get("router") or run.id) if plain else run.name
        if run.kind == "ablation" and run.group:
            one.label = _with_factor(one, 0)
        if len(ends) > 1:
            one.label += f" · {ends[run.source]}"
    for further in (_with_factor, _numbered):
        labels = [one.label for one in configurations]
        for number, one in enumerate(configurations, 1):
            if labels.count(labels[number - 1]) > 1:
                one.label = further(one, number)


def tails(sources: set[str]) -> dict[str, str]:
    """Name folders by the end of their paths, as much of it as tells them apart."""
    for parts in range(1, 20):
        tails = {source: "/".join(Path(source).parts[-parts:]) for source in sources}
        if len(set(tails.values())) == len(sources):
            break
    return tails


def _with_factor(one: Configuration, _: int) -> str:
    group = one.first.group
    return f"{group}: {one.label}" if group and not one.label.startswith(f"{group}: ") else one.label


def _numbered(one: Configuration, number: int) -> str:
    return f"{one.label} #{number}"


def varied(one: Configuration, words: Mapping[str, Mapping[str, str]]) -> dict[str, str]:
    """Return the varying settings of a configuration as text; see `Panel.words`."""
    settings = one.first.settings
    return {key: known[_key(settings[key])] for key, known in words.items() if key in settings}


def _words(values: Mapping[str, Any]) -> dict[str, str]:
    """Name the values of one setting: lists by what they lack of all, which is short where they are long."""
    parts = list(values.values())
    if not all(isinstance(value, list) for value in parts):
        return {key: show(value) for key, value in values.items()}
    everything = list(dict.fromkeys(show(one) for value in parts for one in value))
    named = {}
    for key, value in values.items():
        lacking = [one for one in everything if one not in [show(part) for part in value]]
        named[key] = show(value) if len(lacking) > len(value) else f"without {', '.join(lacking)}" if lacking else "all"
    return named


def _key(value: Any) -> str:
    return json.dumps(value, sort_keys=True, default=str)
