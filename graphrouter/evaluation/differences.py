"""Estimates and paired differences with their intervals: the one place where an interval and a verdict are made.

Resampled values are arrays [1 + B], the sample itself first, then B resamples of the queries (and, for an interval of
methods, of the seeds); see `graphrouter.evaluation.bootstrap`. All that is compared is resampled by the same draws, so
that differences are paired. An interval is *pointwise* (percentiles, for one claim) or *simultaneous* (for all rows of a
table at once, with adjusted p-values).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from graphrouter.evaluation.bootstrap import RESAMPLES, draw_weights, interval, mean_over_seeds
from graphrouter.evaluation.simultaneous import simultaneous
from graphrouter.metrics import lower_is_better
from graphrouter.metrics.weighted import mean
from graphrouter.typing import Array


@dataclass(frozen=True)
class Estimate:
    """A value and its 95% interval.

    Attributes:
        value: Value on the sample itself.
        low: Lower end of the interval.
        high: Upper end.
    """

    value: float
    low: float
    high: float

    def cells(self, key: str) -> dict[str, float]:
        """Return the cells of a row: KEY, KEY_low and KEY_high."""
        return {key: self.value, f"{key}_low": self.low, f"{key}_high": self.high}


@dataclass(frozen=True)
class Difference(Estimate):
    """A paired difference.

    Attributes:
        mean: Mean of the first side.
        other_mean: Mean of the second.
        error: Standard error by the bootstrap.
        p: Adjusted p-value; NaN beside a pointwise interval.
        deviation: Standard deviation of the difference over seeds, which shows what training adds to it; NaN for one seed.
        verdict: ``better``, ``worse``, or ``unclear`` where the interval holds 0.
    """

    mean: float
    other_mean: float
    error: float
    p: float
    deviation: float
    verdict: str


class Resampling:
    """Draws of the test queries of several seeds, the same for all that is compared.

    Attributes:
        weights: Weights for each seed [1 + B, Q]: how often each query counts.
        seeds: From `draw_seeds`, to resample the seeds too; None to hold them fixed.
    """

    def __init__(
        self, groups: Sequence[Array], resamples: int = RESAMPLES, seed: int = 0, seeds: Array | None = None
    ) -> None:
        self.weights = draw_weights(list(groups), resamples, seed)
        self.seeds = seeds

    def mean(self, values: Sequence[Array], masks: Sequence[Array] | None = None) -> Array:
        """Return [1 + B], the mean over queries and then over seeds.

        Args:
            values: Values for each seed [Q], NaN where a query has no value.
            masks: Masks for each seed [Q]: which queries count; None for all.
        """
        kept = (
            values
            if masks is None
            else [np.where(mask, part, np.nan) for part, mask in zip(values, masks, strict=True)]
        )
        return self.over_seeds([mean(part, draws) for part, draws in zip(kept, self.weights, strict=True)])

    def over_seeds(self, values: Sequence[Array]) -> Array:
        """Return the mean over seeds of arrays [..., 1 + B]; a seed that is NaN is left out."""
        return mean_over_seeds(list(values), self.seeds)


def estimate(resampled: Array) -> Estimate:
    """Return a value with its pointwise interval.

    Args:
        resampled: [1 + B].
    """
    return Estimate(float(resampled[0]), *interval(resampled[1:]))


def difference(one: Array, other: Array, metric: str) -> Difference:
    """Return one less other with its pointwise interval.

    Args:
        one: [1 + B].
        other: [1 + B].
        metric: Metric whose direction decides the verdict.
    """
    resampled = one - other
    low, high = interval(resampled[1:])
    error, none = float(np.nanstd(resampled[1:], ddof=1)), float("nan")
    means = float(one[0]), float(other[0])
    return Difference(float(resampled[0]), low, high, *means, error, none, none, verdict(metric, low, high))


@dataclass(frozen=True, eq=False)
class Pair:
    """Two sides of a row before its interval is known; a unit is a seed, or a seed and the task or LLM that was left out.

    Attributes:
        one: [U, 1 + B], resampled values of U units.
        other: [U, 1 + B], those of what it is compared with.
        metric: Name of the metric whose direction decides the verdict.
        seeds: [U], seeds of the units.
    """

    one: Array
    other: Array
    metric: str
    seeds: Array


def differences(pairs: Sequence[Pair]) -> list[Difference]:
    """Return one row for each pair: the means over units, and intervals that hold for all rows at once."""
    if not pairs:
        return []
    sides = [(pair.one.mean(axis=0), pair.other.mean(axis=0)) for pair in pairs]
    resampled = np.stack([one - other for one, other in sides])
    joint = simultaneous(resampled[:, 0], resampled[:, 1:])
    return [
        Difference(
            float(resampled[k, 0]),
            float(joint.low[k]),
            float(joint.high[k]),
            float(one[0]),
            float(other[0]),
            float(joint.error[k]),
            float(joint.p[k]),
            _deviation(pair),
            verdict(pair.metric, joint.low[k], joint.high[k]),
        )
        for k, (pair, (one, other)) in enumerate(zip(pairs, sides, strict=True))
    ]


def _deviation(pair: Pair) -> float:
    values = pair.one[:, 0] - pair.other[:, 0]
    by_seed = np.array([values[pair.seeds == seed].mean() for seed in np.unique(pair.seeds)])
    return float(by_seed.std(ddof=1)) if len(by_seed) > 1 else float("nan")


def verdict(metric: str, low: float, high: float) -> str:
    """Return ``better``, ``worse``, or ``unclear`` where the interval holds 0 or is not known."""
    if not (low > 0 or high < 0):
        return "unclear"
    return "better" if (high < 0) == lower_is_better(metric) else "worse"


def baselines(config: Mapping[str, Any]) -> list[str]:
    """Return the names of what routers are compared against: all but ours and the oracle."""
    routers = [
        name for name, router in config["routers"].items() if name not in config["ours"] and not router["oracle"]
    ]
    return [*routers, *(config.get("references") or [])]


def best_of(names: Iterable[str], means: Mapping[str, float], metric: str) -> str | None:
    """Return the name of the best finite mean, the first where they tie; None where there is none."""
    known = [name for name in names if np.isfinite(means.get(name, np.nan))]
    pick = min if lower_is_better(metric) else max
    return pick(known, key=lambda name: means[name]) if known else None
