"""Smoothed means of each LLM on each task: the prior that routing starts from."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import numpy as np

from graphrouter.routers.parts.fitted import Fitted
from graphrouter.routers.parts.new_llm import NewLLM, shrunk_mean
from graphrouter.typing import Array

SHRINK_TO = ("llm", "additive")
"""What the mean of a task and an LLM can be shrunk to."""
NEWTON_STEPS = 30
"""Damped Newton steps on tasks and LLMs in turn, as `graphrouter.nn.task_mean_conv` has them and for its reasons; so are the next two."""
DAMPING = 0.7
CURVATURE = 0.5
CLIP = 0.01
"""Least distance of an additive expectation from 0 and 1."""


@dataclass(eq=False)
class TaskMeans(Fitted):
    """Mean of each LLM on each task, shrunk to what is known without the pair.

    ``mean[t, m] = (sum over t + strength * expected[t, m]) / (count + strength)``, and a query whose task is unknown or
    None gets ``overall[m]``. An LLM without any observed cell gets the mean over all LLMs.

    Attributes:
        strength: How many observations the expectation counts as.
        shrink_to: ``llm``, where it is ``overall[m]``; or, for values in [0, 1], ``additive``: a logistic model of the effects
            of task and LLM (Rasch, 1960), so that an easy task is easy for an LLM of which little is known there.
    """

    strength: float = 5.0
    shrink_to: str = "llm"

    def fit(self, values: Array, tasks: Array) -> Self:
        """Learn the means.

        Args:
            values: [Q, M], NaN where missing.
            tasks: [Q] names, or None.
        """
        seen = ~np.isnan(values)
        filled = np.where(seen, values, 0.0).astype(np.float64)
        grand = filled.sum() / seen.sum() if seen.any() else float("nan")
        counts = seen.sum(axis=0)
        self.overall_ = np.where(counts > 0, filled.sum(axis=0) / np.maximum(counts, 1), grand)
        self.tasks_ = sorted({task for task in tasks if task is not None})
        one_hot = self._members(tasks)
        sums, cells = one_hot @ filled, one_hot @ seen
        expected = self.overall_ if self.shrink_to == "llm" else _additive(sums, cells, self.overall_, grand)
        self.means_ = (sums + self.strength * expected) / (cells + self.strength)
        return self

    def _members(self, tasks: Array) -> Array:
        """Return [T, Q] float64, 1 where a query belongs to a task."""
        rows = [[task == name for task in tasks] for name in self.tasks_]
        return np.array(rows, dtype=np.float64).reshape(-1, len(tasks))

    def extend(self, new_llm: NewLLM, values: Array, tasks: Array, ratios: Array | float = 1.0) -> TaskMeans:
        """Return the means with one LLM more; those of the others stay.

        What is expected of it is what the others show: their mean, and how much better they do on a task than overall,
        within the range that they have there. Its outcomes, as they come in, count against that.

        Args:
            new_llm: The LLM.
            values: [Q] of it, NaN where missing.
            tasks: [Q] names, or None.
            ratios: [M - 1], what one unit of each known LLM is for the new one.
        """
        pool, pool_overall = self.means_ * ratios, self.overall_ * ratios
        overall = shrunk_mean(values, float(pool_overall.mean()))
        prior = overall + pool.mean(axis=1) - pool_overall.mean()
        prior = np.clip(prior, pool.min(axis=1, initial=np.inf), pool.max(axis=1, initial=-np.inf))
        seen = ~np.isnan(values)
        filled = np.where(seen, values, 0.0).astype(np.float64)
        members = self._members(tasks)
        means = (members @ filled + self.strength * prior) / (members @ seen + self.strength)
        extended = TaskMeans(self.strength, self.shrink_to)
        extended.tasks_ = self.tasks_
        extended.overall_ = new_llm.insert(self.overall_, overall)
        extended.means_ = new_llm.insert(self.means_, means)
        return extended

    def lookup(self, tasks: Array) -> Array:
        """Return [Q, M] float64, the means for queries of these tasks."""
        table = np.vstack([self.means_, self.overall_])
        position = {name: row for row, name in enumerate(self.tasks_)}
        return table[[position.get(task, len(self.tasks_)) for task in tasks]]


def _additive(sums: Array, cells: Array, overall: Array, grand: float) -> Array:
    """Fit ``expected[t, m] = 1 / (1 + exp(-(task[t] + llm[m])))`` by maximum likelihood; returns it, [T, M].

    Args:
        sums: [T, M] sums of the outcomes.
        cells: [T, M] counts of the outcomes.
        overall: [M] mean of each LLM.
        grand: Mean of all outcomes.
    """
    task = _logit((sums.sum(axis=1) + grand) / (cells.sum(axis=1) + 1))
    llm = _logit(overall) - _logit(np.array(grand))
    for _ in range(NEWTON_STEPS):
        for axis in (1, 0):
            expected = _logistic(task[:, None] + llm)
            rest = (sums - cells * expected).sum(axis=axis)
            slope = (cells * expected * (1 - expected)).sum(axis=axis) + CURVATURE
            if axis:
                task = task + DAMPING * rest / slope
            else:
                llm = llm + DAMPING * (rest - CURVATURE * llm) / slope
    return np.clip(_logistic(task[:, None] + llm), CLIP, 1 - CLIP)


def _logit(share: Array) -> Array:
    clipped = np.clip(share, CLIP, 1 - CLIP)
    logit: Array = np.log(clipped / (1 - clipped))
    return logit


def _logistic(logit: Array) -> Array:
    share: Array = 1 / (1 + np.exp(-logit))
    return share
