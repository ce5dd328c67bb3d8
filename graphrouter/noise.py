"""Noise budget of a log: what no LLM solves, and how much of the oracle's gain is luck of the draw."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from typing import Any, NamedTuple

import numpy as np

from graphrouter.log import LLMLog
from graphrouter.splits import query_groups
from graphrouter.typing import Array

SOLVED = 0.5
"""Mean performance over draws from which on an LLM solves a query: right in half of its draws, or half of the marks."""
LEVEL = 0.95
NORMAL = 1.96
"""Standard errors of a two-sided interval of `LEVEL`."""
TASK_PRIOR = 5.0
"""Cells that the LLM's overall mean counts as in its mean of a task; as in `graphrouter.routers.parts.task_means`."""
CELL_PRIOR = 1.0
"""Draws that the LLM's mean of the task counts as in a cell. Any number gives a valid bound; with 1, the draws of a cell that
has ten decide, and one that has a single draw is left to the task."""
REPEATS = 20
"""Times that a draw of each cell is held out: what chance is left is a fifth of that of one time, and far below that of queries."""


class Interval(NamedTuple):
    """A value with its 95% interval."""

    value: float
    low: float
    high: float


@dataclass(frozen=True)
class NoiseBudget:
    r"""What choosing among the LLMs of a log can bring at all, and how much of it is luck.

    Let :math:`p_{qm}` be the expected performance of an LLM on a query over draws, and :math:`y_{qm}` the mean of the draws in
    the log. The oracle that every comparison shows picks by outcomes, and has :math:`O = \mathrm{mean}_q \max_m y_{qm}`. A
    router chooses before an answer is drawn, so its ceiling is :math:`P = \mathrm{mean}_q \max_m p_{qm}`, which is lower:
    the best of noisy outcomes is partly a lucky one. With :math:`S` of the best single LLM, the share of luck is

    .. math:: L = (O - P) / (O - S).

    :math:`P` is not observed, but bounded from below without a model. Hold one draw of every cell out, choose by the others
    (and, since they may be few or none, by the LLM's mean on other queries of the task), and score the choice by the draw
    that was held out: whatever the rule, the mean :math:`V` is at most :math:`P` in expectation, so that
    :math:`L \le (O - V) / (O - S)`. Where draws are many this is close; where each cell has one draw, :math:`V` is what best
    per task brings on queries that it has not seen, and all that the oracle gains beyond may or may not be luck.

    From below, :math:`L` is bounded for an oracle that sees one draw per cell, :math:`O_1`: more draws only lower the
    oracle, :math:`P \le O \le O_1` in expectation, so that its share is between :math:`(O_1 - O) / (O_1 - S)` and
    :math:`(O_1 - V) / (O_1 - S)`.

    It is assumed that draws of a query are independent. An oracle over independent LLMs of the same means is no
    bound: LLMs fail together, on hard queries, so it is too high, for 'no LLM solves' often by far.

    Sources: the co-failure ceiling and its interval, arXiv:2606.27288 (interval: Clopper and Pearson, Biometrika 26, 1934);
    single draws as misleading labels, arXiv:2606.06924; choosing and scoring on different draws: van Hasselt, Double
    Q-learning, NeurIPS 2010.

    Attributes:
        queries: Number of scored queries.
        groups: Number of text groups, which the intervals resample: equal texts count once.
        draws: Fewest and most draws of a cell.
        none_solves: Share of queries that none of the LLMs with an outcome solves, see `SOLVED`; Clopper-Pearson interval.
        all_solve: Share of queries that all of the LLMs with an outcome solve, likewise.
        best_single: :math:`S`, in hindsight.
        oracle: :math:`O`.
        one_draw_oracle: :math:`O_1`.
        held_out: :math:`V`.
        luck: Range of the share of luck in the oracle's gain: 0, and the upper bound's own upper limit (1.96 standard errors over
            queries), at most 1. NaN where the oracle gains nothing.
        one_draw_luck: Range of that share for the oracle of one draw: the lower bound's lower and the upper bound's upper limit.
        tasks: Budgets of the tasks by name, where there are two or more; the best single LLM is then that of the task.
    """

    queries: int
    groups: int
    draws: tuple[int, int]
    none_solves: Interval
    all_solve: Interval
    best_single: float
    oracle: float
    one_draw_oracle: float
    held_out: float
    luck: tuple[float, float]
    one_draw_luck: tuple[float, float]
    tasks: dict[str, NoiseBudget] = field(default_factory=dict)

    @property
    def gain(self) -> float:
        """Mean performance that the oracle has above the best single LLM."""
        return self.oracle - self.best_single

    @property
    def repeated(self) -> bool:
        """Whether a cell has several draws."""
        return self.draws[1] > 1

    def about(self) -> dict[str, Any]:
        """Return the entry for a config, with None for NaN."""
        return {key: _plain(value) for key, value in asdict(self).items()}

    @classmethod
    def from_about(cls, about: dict[str, Any]) -> NoiseBudget:
        """Return the budget of an entry that `about` made."""
        known = {key: _number(value) for key, value in about.items() if key != "tasks"}
        spans = {key: Interval(*about[key]) for key in ("none_solves", "all_solve")}
        return cls(**known | spans, tasks={name: cls.from_about(one) for name, one in about["tasks"].items()})

    def sentences(self) -> Iterator[str]:
        """Yield the budget in words; of the oracle only where it gains something."""
        shown = [f"{part.value:.1%} [{part.low:.1%}, {part.high:.1%}]" for part in (self.none_solves, self.all_solve)]
        yield (
            f"No LLM solves {shown[0]} of the queries, all LLMs solve {shown[1]} (performance of {SOLVED} or more; 95% Clopper-Pearson "
            f"intervals over {self.groups:,} text groups). On these there is nothing to choose."
        )
        if np.isnan(self.luck).any():
            return
        gains = f"The oracle has {self.gain:.4f} more than the best single LLM"
        if not self.repeated:
            yield (
                f"{gains}. At most {self.luck[1]:.0%} of that is luck of the draw. One draw per cell bounds it no further: only what "
                "a choice by task brings on queries that it has not seen is surely no luck."
            )
            return
        low, high = self.one_draw_luck
        yield (
            f"{gains}. At most {self.luck[1]:.0%} of that is luck of the draw: a choice by all draws but one keeps the rest on the draw "
            f"that it has not seen. Of what an oracle of one draw per cell would gain ({self.one_draw_oracle - self.best_single:.4f}), "
            f"{low:.0%} to {high:.0%} is luck."
        )


def noise_budget(log: LLMLog) -> NoiseBudget:
    """Return the noise budget of a log of any number of tasks, LLMs and draws; missing cells are left out."""
    scored = np.flatnonzero(log.cells("draws").sum(axis=1) > 0)
    log = log.take(scored)
    queries = _Queries.of(log)
    names = np.array([task if task is not None else "" for task in log.queries["task"]], dtype=object)
    tasks = {name: queries.take(names == name).budget() for name in log.tasks} if len(log.tasks) > 1 else {}
    return queries.budget(tasks)


def clopper_pearson(successes: float, trials: int, level: float = LEVEL) -> Interval:
    """Return a share with the Clopper-Pearson interval, which holds it with at least the level's chance.

    Args:
        successes: 0 to trials; may be a fraction, where a trial is a mean.
        trials: 1 or more.
        level: Chance of the interval to hold the share.
    """
    from scipy.special import betaincinv

    tail, failures = (1 - level) / 2, trials - successes
    low = float(betaincinv(successes, failures + 1, tail)) if successes > 0 else 0.0
    high = float(betaincinv(successes + 1, failures, 1 - tail)) if failures > 0 else 1.0
    return Interval(successes / trials, low, high)


@dataclass(frozen=True)
class _Queries:
    """What is known of each of Q queries.

    Attributes:
        performance: [Q, M] mean over draws, NaN where missing.
        draws: [Q, M] their number.
        groups: [Q] text group.
        one_draw: [Q] best of one draw per LLM, mean over repeats.
        held_out: [Q] draw of the LLM that the other draws choose, mean over repeats.
    """

    performance: Array
    draws: Array
    groups: Array
    one_draw: Array
    held_out: Array

    @classmethod
    def of(cls, log: LLMLog) -> _Queries:
        """Hold draws out, and choose by the others; the same log gives the same numbers."""
        draws, performance = log.cells("draws").astype(np.int64), log.cells("performance").astype(np.float64)
        groups, tasks = query_groups(log.queries["query"]), log.queries["task"].to_list()
        prior = _means_elsewhere(performance, groups, tasks)
        values = log.records["performance"].to_numpy().astype(np.float64)  # in the order of the cells
        first = np.cumsum(draws).reshape(draws.shape) - draws
        seen, one_draw, held_out = draws > 0, np.zeros(len(draws)), np.zeros(len(draws))
        rng, repeats = np.random.default_rng(0), REPEATS if draws.max() > 1 else 1
        for _ in range(repeats):
            place = first + (rng.random(draws.shape) * draws).astype(np.int64)
            drawn = np.where(seen, values[np.minimum(place, len(values) - 1)], -np.inf)
            others = np.where(seen, performance * draws - drawn, 0.0)
            score = (CELL_PRIOR * prior + others) / (CELL_PRIOR + np.maximum(draws - 1, 0))
            choice = np.where(seen, score, -np.inf).argmax(axis=1)
            one_draw += drawn.max(axis=1) / repeats
            held_out += drawn[np.arange(len(drawn)), choice] / repeats
        return cls(performance, draws, groups, one_draw, held_out)

    def take(self, rows: Array) -> _Queries:
        return _Queries(*(values[rows] for values in vars(self).values()))

    def budget(self, tasks: dict[str, NoiseBudget] | None = None) -> NoiseBudget:
        seen, filled = self.draws > 0, np.where(self.draws > 0, self.performance, 0.0)
        means = filled.sum(axis=0) / np.where(seen.any(axis=0), seen.sum(axis=0), np.inf)
        best = int(means.argmax())
        oracle = np.where(seen, filled, -np.inf).max(axis=1)
        single = np.where(seen[:, best], filled[:, best], means[best])
        solved = self.performance >= SOLVED
        luck = self._share(oracle - self.held_out, oracle - single)
        lower = self._share(self.one_draw - oracle, self.one_draw - single)
        upper = self._share(self.one_draw - self.held_out, self.one_draw - single)
        given = self.draws[seen]
        return NoiseBudget(
            queries=len(self.groups),
            groups=len(np.unique(self.groups)),
            draws=(int(given.min()), int(given.max())),
            none_solves=self._proportion(np.asarray((~solved).all(axis=1))),
            all_solve=self._proportion(np.asarray((solved | ~seen).all(axis=1))),
            best_single=float(means[best]),
            oracle=float(oracle.mean()),
            one_draw_oracle=float(self.one_draw.mean()),
            held_out=float(self.held_out.mean()),
            luck=(float("nan") if np.isnan(luck.high) else 0.0, luck.high),
            one_draw_luck=(lower.low, upper.high),
            tasks=tasks or {},
        )

    def _proportion(self, holds: Array) -> Interval:
        """Share of the text groups for which something holds; a group counts by the mean over its queries."""
        _, group = np.unique(self.groups, return_inverse=True)
        share = np.bincount(group, weights=holds) / np.bincount(group)
        return clopper_pearson(float(share.sum()), len(share))

    def _share(self, part: Array, whole: Array) -> Interval:
        """Ratio of two means over queries, within [0, 1], with the linearised standard error of text groups."""
        if whole.mean() <= 1e-9:  # rounding
            return Interval(float("nan"), float("nan"), float("nan"))
        ratio = part.mean() / whole.mean()
        _, group = np.unique(self.groups, return_inverse=True)
        off = np.bincount(group, weights=part - ratio * whole)
        error = NORMAL * np.sqrt((off**2).sum()) / whole.sum()
        return Interval(*np.clip([ratio, ratio - error, ratio + error], 0, 1).tolist())


def _means_elsewhere(performance: Array, groups: Array, tasks: list[str | None]) -> Array:
    """Return [Q, M], the mean of the LLM on the task, over queries of other text groups than the query's.

    It shrinks to the LLM's mean over all tasks, see `TASK_PRIOR`, and that of an LLM without another cell is 0.5.
    """
    seen = ~np.isnan(performance)
    filled = np.where(seen, performance, 0.0)
    number = {task: place for place, task in enumerate(dict.fromkeys(tasks))}
    task = np.array([number[name] for name in tasks])
    _, both = np.unique(np.stack([groups, task]), axis=1, return_inverse=True)
    everywhere = np.zeros(len(task), dtype=np.int64)

    def elsewhere(values: Array, inside: Array, own: Array) -> Array:
        others: Array = _sums(values, inside) - _sums(values, own)
        return others

    _, group = np.unique(groups, return_inverse=True)
    total, count = (elsewhere(values, everywhere, group) for values in (filled, seen.astype(np.float64)))
    overall = np.where(count > 0, total / np.maximum(count, 1), 0.5)
    total, count = (elsewhere(values, task, both.ravel()) for values in (filled, seen.astype(np.float64)))
    means: Array = (total + TASK_PRIOR * overall) / (count + TASK_PRIOR)
    return means


def _sums(values: Array, inside: Array) -> Array:
    """Return [Q, M], for each query the sum over the queries that are numbered alike."""
    sums = np.zeros((int(inside.max()) + 1, values.shape[1]))
    np.add.at(sums, inside, values)
    found: Array = sums[inside]
    return found


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _plain(one) for key, one in value.items()}
    if isinstance(value, tuple | list):
        return [_plain(one) for one in value]
    return None if isinstance(value, float) and np.isnan(value) else value


def _number(value: Any) -> Any:
    if isinstance(value, list):
        return tuple(_number(one) for one in value)
    return float("nan") if value is None else value
