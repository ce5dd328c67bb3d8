"""Intervals and p-values that hold for all comparisons of a table at once."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from graphrouter.typing import Array

DRAWS = 20_000
"""Draws of the largest of the null comparisons; the critical value is then good to about 0.01 standard errors."""
LEVEL = 0.05
CHUNK = 1000


@dataclass(frozen=True, eq=False)
class Simultaneous:
    """Simultaneous intervals and p-values of K comparisons.

    Attributes:
        error: [K] standard errors, from the bootstrap.
        low: [K], the lower ends of intervals that all hold together with a chance of 95%.
        high: [K], the upper ends.
        p: [K], adjusted: the chance that the largest of K null comparisons is as far from 0.
        critical: How many standard errors the intervals reach; 1.96 would do for one comparison.
    """

    error: Array
    low: Array
    high: Array
    p: Array
    critical: float


def simultaneous(values: Array, resampled: Array, seed: int = 0) -> Simultaneous:
    """Correct K comparisons for their number.

    The single-step maximum statistic: the intervals are as many standard errors wide as the largest of K correlated
    standard normal variables stays below with a chance of 95% (Hothorn, Bretz and Westfall, 2008, Biometrical Journal
    50, 346; Westfall and Young, 1993). Standard errors and correlations are those of the bootstrap, so comparisons that
    share a base or queries are not paid for twice, as they would be with Bonferroni's or Holm's correction.

    Args:
        values: [K], the differences.
        resampled: [K, B], the same in B resamples, all with the same draws. A comparison without any spread, such as
            that of a run with itself, counts as no comparison.
        seed: The same seed gives the same result.
    """
    error = resampled.std(axis=1, ddof=1)
    real = error > 1e-12
    scaled = (resampled[real] - resampled[real].mean(axis=1, keepdims=True)) / error[real, None]
    largest = _largest(scaled, seed)
    critical = float(np.quantile(largest, 1 - LEVEL)) if real.any() else float("nan")
    reach = np.where(real, critical * error, 0.0)
    distance = np.abs(values) / np.where(real, error, np.inf)
    at_least = len(largest) - np.searchsorted(np.sort(largest), distance, side="left")
    p = np.where(real, (1 + at_least) / (1 + len(largest)), 1.0)
    return Simultaneous(error, values - reach, values + reach, p, critical)


def _largest(scaled: Array, seed: int) -> Array:
    """Draw the largest absolute value of normal variables with the correlations of the rows of ``scaled`` [K, B]."""
    random = np.random.default_rng(seed)
    if not len(scaled):
        return np.zeros(DRAWS)
    parts = []
    for _ in range(DRAWS // CHUNK):
        weights = random.standard_normal((CHUNK, scaled.shape[1])) / np.sqrt(scaled.shape[1] - 1)
        parts.append(np.abs(weights @ scaled.T).max(axis=1))
    return np.concatenate(parts)
