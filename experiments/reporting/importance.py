"""How much each varying setting tells of the metric: permutation importance of a random forest."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from experiments.reporting.panels import Panel, identity, show
from graphrouter.typing import Array

FEWEST = 20
"""Configurations that are needed; below, a forest learns next to nothing."""
FOLDS, PERMUTATIONS, TREES = 5, 5, 100


@dataclass(frozen=True)
class Importance:
    """Importance of settings by a random forest.

    Attributes:
        settings: [S] names, the most important first.
        share: [S, F x P], by how much of the metric's variance the error grows when the setting is permuted.
        explained: R² on held-out configurations, the mean over folds.
        configurations: That it learnt from.
        runs: That it learnt from.
    """

    settings: list[str]
    share: Array
    explained: float
    configurations: int
    runs: int


def importance(panel: Panel, metric: str) -> Importance | str:
    """Measure it on configurations that the forest has not seen (Breiman, 2001, section 10).

    The folds divide configurations, not runs: seeds of one configuration stand on one side. The seed itself is a setting
    among the others, so that its importance shows what noise looks like.

    Args:
        panel: Runs of one log and protocol.
        metric: With its part, such as ``validation/nll``.

    Returns:
        The importance, or a sentence that says why there is none.
    """
    runs = [run for run in panel.finished if metric in run.metrics and run.group != "oracle"]
    groups = np.unique([identity(run) for run in runs], return_inverse=True)[1] if runs else np.zeros(0, int)
    count = len(set(groups.tolist()))
    settings = panel.varying
    if len(settings) < 2:
        return f"Importance needs two varying settings or more; here there {'is 1' if settings else 'are none'}."
    if count < FEWEST:
        return f"Importance needs {FEWEST} configurations or more with {metric}; here there are {count}."
    names = [*settings, *(["seed"] if len({run.seed for run in runs}) > 1 else [])]
    inputs = np.column_stack([encode([run.settings.get(name) for run in runs]) for name in names])
    target = np.array([run.metrics[metric] for run in runs])
    if np.ptp(target) == 0:
        return f"All runs have the same {metric}: no setting matters."
    share, explained = _permute(inputs, target, groups)
    order = np.argsort(-share.mean(axis=1), kind="stable")
    return Importance([names[row] for row in order], share[order], explained, count, len(runs))


def encode(values: Sequence[Any]) -> Array:
    """Return a setting as numbers: a number as its rank, words by alphabet; what is not set is -1."""
    numeric = all(_is_number(value) for value in values if value is not None)
    keys = [None if value is None else (float(value) if numeric else show(value)) for value in values]
    order = {key: place for place, key in enumerate(sorted({key for key in keys if key is not None}))}
    return np.array([-1 if key is None else order[key] for key in keys], dtype=np.float64)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _permute(inputs: Array, target: Array, groups: Array) -> tuple[Array, float]:
    """[S, F x P], and R²."""
    from sklearn.ensemble import RandomForestRegressor
    from sklearn.inspection import permutation_importance
    from sklearn.model_selection import GroupKFold

    grown, explained = [], []
    for train, held in GroupKFold(FOLDS, shuffle=True, random_state=0).split(inputs, target, groups):
        forest = RandomForestRegressor(TREES, min_samples_leaf=2, max_features=1 / 2, random_state=0)
        forest.fit(inputs[train], target[train])
        rest = inputs[held], target[held]
        error = np.mean((forest.predict(rest[0]) - rest[1]) ** 2)
        explained.append(1 - error / target.var())
        found = permutation_importance(
            forest, *rest, scoring="neg_mean_squared_error", n_repeats=PERMUTATIONS, random_state=0
        )
        grown.append(found.importances / target.var())
    return np.concatenate(grown, axis=1), float(np.mean(explained))
