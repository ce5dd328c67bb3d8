"""Paired differences of configurations to their base, query by query, with intervals that hold all at once.

The same statistic as the tables of an ablation, see `graphrouter.evaluation.differences.differences`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl

from experiments.ablation.comparing import RESAMPLES
from experiments.reporting.panels import Configuration, Panel
from experiments.reporting.records import Run
from graphrouter.evaluation.differences import Difference, Pair
from graphrouter.evaluation.differences import differences as differences_of
from graphrouter.evaluation.rows import ResampledTables
from graphrouter.metrics import metrics_of

MOST = 80
"""Configurations that are compared with a base: of more, the best ones."""


@dataclass(frozen=True)
class ConfigurationDifference(Difference):
    """A configuration against its base, in one metric.

    Attributes:
        one: The configuration.
        base: That it is compared with.
        metric: ``nll`` or ``SCENARIO/reward``.
        seeds: Runs that both have.
    """

    one: Configuration
    base: Configuration
    metric: str
    seeds: int


def differences(panel: Panel) -> tuple[list[ConfigurationDifference], int]:
    """Compare every configuration that has a base, of its own group before that of all, in its own folder.

    Returns:
        The differences, and how many pairs of runs were left out because their test queries differ.
    """
    fair = panel.shown(MOST, lambda one: one.first.group != "oracle")  # what knows the outcomes would squeeze the rest
    pairs = [(one, base) for one in fair if (base := base_of(one, panel.configurations)) is not None]
    runs = list(dict.fromkeys(run for pair in pairs for one in pair for run in one.runs))
    known, left_out = resample(runs), 0
    rows: list[tuple[Configuration, Configuration, str, Pair]] = []
    for one, base in pairs:
        both = one.pairs(base)
        alike = [(a, b) for a, b in both if a in known.queries and known.queries[a] == known.queries.get(b)]
        left_out += len(both) - len(alike)
        columns = [(a, b, set(columns_of(known.tables[a])) & set(columns_of(known.tables[b]))) for a, b in alike]
        for name in dict.fromkeys(name for table in known.tables.values() for name in columns_of(table)):
            sides = [(known.score(a, name), known.score(b, name)) for a, b, shared in columns if name in shared]
            if sides and np.isfinite([x - y for x, y in sides]).all():
                metric, _, scenario = name.partition(":")
                ones, bases = (np.stack([both[side] for both in sides]) for side in (0, 1))
                pair = Pair(ones, bases, metric, np.arange(len(sides)))
                rows.append((one, base, f"{scenario}/{metric}" if scenario else metric, pair))
    found = differences_of([pair for *_, pair in rows])
    return [
        ConfigurationDifference(**vars(difference), one=one, base=base, metric=metric, seeds=len(pair.seeds))
        for (one, base, metric, pair), difference in zip(rows, found, strict=True)
    ], left_out


def base_of(one: Configuration, among: Sequence[Configuration]) -> Configuration | None:
    """Return the configuration that one is compared with; None for the base of all, and where there is none."""
    bases = [base for base in among if base.base and base.first.source == one.first.source and base is not one]
    own = [base for base in bases if base.first.group == one.first.group and not one.base]
    return next(iter(own + [base for base in bases if base.first.group is None]), None)


def resample(runs: Sequence[Run]) -> ResampledTables[Run]:
    """Read the queries of runs, those that have any, and resample them."""
    frames = ((run, run.frame()) for run in runs)
    return ResampledTables({run: frame for run, frame in frames if frame is not None and frame.height}, RESAMPLES)


def columns_of(frame: pl.DataFrame) -> list[str]:
    """Return the columns that are compared: the headline metrics that are means over queries."""
    headlines = {name for subject in ("edge", "scenario") for name in metrics_of(subject, headline=True, slow=False)}
    return [name for name in frame.columns if name.partition(":")[0] in headlines]
