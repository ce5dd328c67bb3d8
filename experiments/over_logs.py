"""One router against others over several logs: paired differences of each log, and of the mean over logs."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from graphrouter import metrics
from graphrouter.errors import UserError
from graphrouter.evaluation.differences import Difference, Resampling, difference
from graphrouter.evaluation.folder import Store
from graphrouter.evaluation.rows import choices, routable
from graphrouter.evaluation.store import Outcomes
from graphrouter.evaluation.summary import seed_draws
from graphrouter.scenario import Scenario
from graphrouter.typing import Array, Record

MEAN = "mean over logs"


def differences_over_logs(
    folders: Sequence[Path], ours: str, other: str, scenario: str, metric: str
) -> list[tuple[str, Difference]]:
    """Return name and row of each log, and last of their mean, with pointwise intervals.

    Logs are independent, so each is resampled by draws of its own, and the mean's interval follows from theirs.

    Args:
        folders: Outputs of ``graphrouter compare``, one of each log.
        ours: Name of a router.
        other: Name of the one that it is compared with.
        scenario: Name of the scenario of a reward; empty for ``nll``.
        metric: ``nll`` or ``reward``.

    Raises:
        UserError: If a comparison lacks one of the routers.
    """
    rows: list[tuple[str, Difference]] = []
    drawn = []
    for number, folder in enumerate(folders):
        store = Store(folder)
        log, sides = _resampled(store, (ours, other), scenario, metric)
        rows.append((log, difference(sides[0], sides[1], metric)))
        drawn.append(np.stack([np.append(side[0], np.roll(side[1:], number)) for side in sides]))
    if len(rows) > 1:
        means = np.mean(drawn, axis=0)
        rows.append((MEAN, difference(means[0], means[1], metric)))
    return rows


def _resampled(store: Store, labels: Sequence[str], scenario: str, metric: str) -> tuple[str, list[Array]]:
    """Return the log's name, and [1 + B] of each router."""
    config = store.config()
    if missing := [label for label in labels if label not in config["routers"]]:
        raise UserError(f"{store.out} must compare {missing[0]}, but has {', '.join(config['routers'])}; name another")
    kept = [store.outcomes(seed) for seed in config["seeds"]]
    resampling = Resampling([outcomes.groups for outcomes in kept], seeds=seed_draws(config, kept))
    found = []
    for label in labels:
        values = [
            _score(store, label, seed, outcomes, config, scenario, metric, draws)
            for seed, outcomes, draws in zip(config["seeds"], kept, resampling.weights, strict=True)
        ]
        found.append(resampling.over_seeds(values))
    return str(config["log"]["name"]), found


def _score(
    store: Store, label: str, seed: int, outcomes: Outcomes, config: Record, scenario: str, metric: str, draws: Array
) -> Array:
    """Return [1 + B], the score of a router's run."""
    done = store.predictions(label, seed)
    if metric == "nll":
        if done.quality is None:
            raise UserError(
                f"{store.out}: {label} must predict a quality for a likelihood, but predicts none; leave it out"
            )
        return metrics.nll(done.quality, outcomes.performance, draws)
    choice = choices(outcomes, done.utility[scenario], routable(outcomes))
    weighed = next(Scenario(**one) for one in config["scenarios"] if one["name"] == scenario)
    return metrics.reward(choice, outcomes.rewards(weighed), draws)
