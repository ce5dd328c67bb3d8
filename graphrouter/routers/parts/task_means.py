"""Smoothed means of each LLM on each task: the prior that routing starts from."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import numpy as np

from graphrouter.routers.parts.fitted import Fitted
from graphrouter.routers.parts.new_llm import NewLLM, shrunk_mean
from graphrouter.typing import Array


@dataclass(eq=False)
class TaskMeans(Fitted):
    """Mean of each LLM on each task, shrunk to the LLM's overall mean.

    ``mean[t, m] = (sum over t + strength * overall[m]) / (count + strength)``, and a query whose task is unknown or
    None gets ``overall[m]``. An LLM without any observed cell gets the mean over all LLMs.

    Attributes:
        strength: How many observations the overall mean counts as.
    """

    strength: float = 5.0

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
        self.means_ = (one_hot @ filled + self.strength * self.overall_) / (one_hot @ seen + self.strength)
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
        extended = TaskMeans(self.strength)
        extended.tasks_ = self.tasks_
        extended.overall_ = new_llm.insert(self.overall_, overall)
        extended.means_ = new_llm.insert(self.means_, means)
        return extended

    def lookup(self, tasks: Array) -> Array:
        """Return [Q, M] float64, the means for queries of these tasks."""
        table = np.vstack([self.means_, self.overall_])
        position = {name: row for row, name in enumerate(self.tasks_)}
        return table[[position.get(task, len(self.tasks_)) for task in tasks]]
