"""Paired differences of configurations to their base, query by query, with intervals that hold all at once.

The same statistic as the tables of an ablation: wordings are drawn, one draw serves all runs, and the correction is that
of `experiments.ablation.simultaneous`. Here it is done for all runs of a split at once, as one matrix product.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import polars as pl

from experiments.ablation.comparing import RESAMPLES, verdict
from experiments.ablation.simultaneous import simultaneous
from experiments.reporting.panels import Configuration, Panel
from experiments.reporting.records import Run
from experiments.runs.record import summed
from graphrouter.evaluation.bootstrap import draw_weights

Array = np.ndarray

MOST = 80
"""Configurations that are compared with a base: of more, the best ones."""


@dataclass(frozen=True)
class Difference:
    """A configuration against its base, in one metric.

    Attributes:
        one: The configuration.
        base: That it is compared with.
        metric: ``nll`` or ``SCENARIO/reward``.
        seeds: Runs that both have.
        value: Mean of the configuration less that of the base.
        low: Of the simultaneous 95% interval.
        high: Likewise.
        p: Adjusted.
        deviation: Over seeds, of the difference; NaN for one seed.
        verdict: ``better``, ``worse`` or ``unclear``.
    """

    one: Configuration
    base: Configuration
    metric: str
    seeds: int
    value: float
    low: float
    high: float
    p: float
    deviation: float
    verdict: str


@dataclass(eq=False)
class Resampled:
    """The metrics of runs in every resample.

    Attributes:
        values: By run and metric, [1 + B]; the first is the sample itself.
        queries: By run, a digest of its test queries.
    """

    values: dict[tuple[Run, str], Array] = field(default_factory=dict)
    queries: dict[Run, str] = field(default_factory=dict)


def differences(panel: Panel) -> tuple[list[Difference], int]:
    """Compare every configuration that has a base, of its own group before that of all, in its own folder.

    Returns:
        The differences, and how many pairs of runs were left out because their test queries differ.
    """
    fair = panel.shown(MOST, lambda one: one.first.group != "oracle")  # what knows the outcomes would squeeze the rest
    pairs = [(one, base) for one in fair if (base := base_of(one, panel.configurations)) is not None]
    runs = list(dict.fromkeys(run for pair in pairs for one in pair for run in one.runs))
    known, left_out = resample(runs), 0
    rows: list[tuple[Configuration, Configuration, str, Array]] = []
    for one, base in pairs:
        both = one.pairs(base)
        alike = [(a, b) for a, b in both if a in known.queries and known.queries[a] == known.queries.get(b)]
        left_out += len(both) - len(alike)
        for metric in dict.fromkeys(metric for _, metric in known.values):
            sides = [(known.values.get((a, metric)), known.values.get((b, metric))) for a, b in alike]
            by_seed = [x - y for x, y in sides if x is not None and y is not None]
            if by_seed and np.isfinite(by_seed).all():
                rows.append((one, base, metric, np.stack(by_seed)))
    return _corrected(rows), left_out


def base_of(one: Configuration, among: Sequence[Configuration]) -> Configuration | None:
    """Return what a configuration is compared with; None for the base of all, and where there is none."""
    bases = [base for base in among if base.base and base.first.source == one.first.source and base is not one]
    own = [base for base in bases if base.first.group == one.first.group and not one.base]
    return next(iter(own + [base for base in bases if base.first.group is None]), None)


def _corrected(rows: list[tuple[Configuration, Configuration, str, Array]]) -> list[Difference]:
    if not rows:
        return []
    means = np.stack([by_seed.mean(axis=0) for *_, by_seed in rows])
    joint = simultaneous(means[:, 0], means[:, 1:])
    return [
        Difference(
            one, base, metric, len(by_seed), float(means[k, 0]), float(joint.low[k]), float(joint.high[k]), float(joint.p[k]),
            float(by_seed[:, 0].std(ddof=1)) if len(by_seed) > 1 else float("nan"),
            verdict(metric.rpartition("/")[2], joint.low[k], joint.high[k]),
        )
        for k, (one, base, metric, by_seed) in enumerate(rows)
    ]  # fmt: skip


def resample(runs: Sequence[Run]) -> Resampled:
    """Read the queries of runs, and compute their metrics in every resample: one matrix product per split."""
    made, splits = Resampled(), dict[str, list[tuple[Run, pl.DataFrame]]]()
    for run in runs:
        frame = run.frame()
        if frame is not None and frame.height:
            digest = hashlib.sha256("\n".join(frame["query_id"]).encode()).hexdigest()
            made.queries[run] = digest
            splits.setdefault(digest, []).append((run, frame))
    groups = [alike[0][1]["group"].to_numpy() for alike in splits.values()]
    weights = draw_weights(groups, RESAMPLES) if groups else []
    for alike, drawn in zip(splits.values(), weights, strict=True):
        keys, tops, counts = [], [], []
        for run, frame in alike:
            for metric, (total, count) in _parts(frame).items():
                keys.append((run, metric))
                tops.append(total)
                counts.append(count)
        with np.errstate(invalid="ignore"):  # a metric that no query has a value for stays NaN
            ratios = (drawn @ np.stack(tops, axis=1)) / (drawn @ np.stack(counts, axis=1))
        made.values |= dict(zip(keys, ratios.T, strict=True))
    return made


def _parts(frame: pl.DataFrame) -> dict[str, tuple[Array, Array]]:
    """By metric [Q] and [Q]: what is summed, and what it is divided by."""
    parts = {}
    if "nll" in frame.columns:
        parts["nll"] = summed(frame, "nll")
    for name in frame.columns:
        if name.startswith("reward:"):
            parts[f"{name.partition(':')[2]}/reward"] = summed(frame, name)
    return parts
