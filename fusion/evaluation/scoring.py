"""Candidates of any kind - LLMs, routers, guided LLMs, students - scored on the same test queries."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl

from graphrouter.errors import UserError
from graphrouter.evaluation.bootstrap import draw_weights, interval, mean_over_seeds
from graphrouter.log import LLMLog
from graphrouter.metrics import choose
from graphrouter.metrics.routing import taken
from graphrouter.metrics.weighted import mean
from graphrouter.splits import query_groups

Array = np.ndarray
Measures = dict[str, Array]
"""By the name of a measure, [Q] float64; NaN where it is not known."""

MEASURES = ("performance", "input_tokens", "output_tokens", "cost")
NUMBERS = ("performance", "low", "high", *MEASURES[1:])
SCORES = {
    **dict.fromkeys(("candidate", "level", "kind", "scope", "name"), pl.String),
    "queries": pl.Int64,
    **dict.fromkeys(NUMBERS, pl.Float64),
}
DIFFERENCES = {
    **dict.fromkeys(("candidate", "against", "scope", "name"), pl.String),
    **dict.fromkeys(("difference", "low", "high"), pl.Float64),
}


@dataclass(frozen=True)
class ScoredCandidate:
    """What answers queries.

    Attributes:
        name: Unique among the candidates.
        level: ``query``, ``thought`` or ``model``; ``llm`` for an LLM of the log by itself.
        kind: ``llm``, ``router``, ``guide``, ``base`` or ``student``.
    """

    name: str
    level: str
    kind: str


@dataclass(frozen=True)
class Part:
    """The test queries of one seed, and what each candidate came to on them.

    Attributes:
        groups: [Q] int64, equal for queries of equal wording; also across seeds.
        tasks: [Q] names.
        domains: [Q] names.
        values: Measures of each candidate.
    """

    groups: Array
    tasks: Array
    domains: Array
    values: Mapping[ScoredCandidate, Measures]

    @classmethod
    def of(cls, test: LLMLog, values: Mapping[ScoredCandidate, Measures]) -> Part:
        """Return the part of a log that holds its test queries only, in its order."""
        tasks = test.queries["task"].fill_null("no task").to_numpy()
        domains = test.queries["domain"].fill_null("no domain").to_numpy()
        return cls(query_groups(test.queries["query"]), tasks, domains, values)


def of_llm(log: LLMLog, llm: str) -> Measures:
    """Return what an LLM of a log came to on each of its queries."""
    column = log.llm_names.index(llm)
    return {name: log.cells(name)[:, column].astype(np.float64) for name in MEASURES}


def of_choice(log: LLMLog, utility: Array) -> Measures:
    """Return what the LLMs that a router chooses came to.

    Args:
        log: Q queries and M LLMs.
        utility: [Q, M] of the router; see `graphrouter.metrics.choose`.
    """
    choice = choose(utility, log.cells("performance"))
    return {name: taken(choice, log.cells(name)).astype(np.float64) for name in MEASURES}


def aligned(log: LLMLog, test: LLMLog, llm: str) -> Measures:
    """Return what an LLM of another log came to on the queries of this one; NaN where it was not asked.

    Raises:
        UserError: If a query of the same id is worded differently there.
    """
    rows = test.queries.select("query_id", "query").join(
        log.queries.select("query_id", pl.col("query").alias("other")).with_row_index(),
        on="query_id",
        how="left",
        maintain_order="left",
    )
    changed = rows.filter(pl.col("other").is_not_null() & (pl.col("other") != pl.col("query")))
    if changed.height:
        raise UserError(
            f"{changed['query_id'][0]} must be the same question in {test.name} and {log.name}, but is worded "
            "differently; name the tasks that the log was collected with"
        )
    place = rows["index"].cast(pl.Int64).fill_null(-1).to_numpy()
    found = of_llm(log, llm)
    return {name: np.where(place >= 0, values[place], np.nan) for name, values in found.items()}


def score(parts: Sequence[Part], against: Sequence[tuple[str, str]]) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Score candidates overall, per domain and per task, with intervals; and pairs of them.

    Means are over the queries of a part, then over parts. Intervals are by a bootstrap over clusters of queries, see
    `graphrouter.evaluation.bootstrap.draw_weights`; all candidates are scored on the same draws, so that differences are
    paired.

    Args:
        parts: One per seed, with the same candidates.
        against: Names of a candidate and of what it is compared with.

    Returns:
        Tables with the columns of `SCORES` and `DIFFERENCES`. ``scope`` is ``all``, ``domain`` or ``task``.
    """
    draws = draw_weights([part.groups for part in parts])
    scores, differences = [], []
    for scope, name, masks in _scopes(parts):
        weights = [draw * mask for draw, mask in zip(draws, masks, strict=True)]
        count = int(sum(mask.sum() for mask in masks))
        scores += [(*row[:3], scope, name, count, *row[3:]) for row in _score(parts, weights)]
        differences += [(one, other, scope, name, *_pair(parts, weights, one, other)) for one, other in against]
    return (
        pl.DataFrame(scores, schema=SCORES, orient="row"),
        pl.DataFrame(differences, schema=DIFFERENCES, orient="row"),
    )


def _scopes(parts: Sequence[Part]) -> Iterator[tuple[str, str, list[Array]]]:
    """Yield a scope, its name, and per part [Q], 1 for the queries in it."""
    yield "all", "", [np.ones(len(part.groups)) for part in parts]
    for scope in ("domain", "task"):
        labels = [getattr(part, f"{scope}s") for part in parts]
        for name in sorted({label for part in labels for label in part.tolist()}):
            yield scope, name, [(part == name).astype(np.float64) for part in labels]


def _score(parts: Sequence[Part], weights: Sequence[Array]) -> Iterator[tuple[object, ...]]:
    for candidate in parts[0].values:
        first = [draw[:1] for draw in weights]
        resampled = _over_parts([part.values[candidate]["performance"] for part in parts], weights)
        rest = [
            float(_over_parts([part.values[candidate][measure] for part in parts], first)[0])
            for measure in MEASURES[1:]
        ]
        yield (
            candidate.name,
            candidate.level,
            candidate.kind,
            float(resampled[0]),
            *interval(resampled[1:]),
            *rest,
        )


def _pair(parts: Sequence[Part], weights: Sequence[Array], one: str, other: str) -> tuple[float, float, float]:
    named = [{candidate.name: values["performance"] for candidate, values in part.values.items()} for part in parts]
    resampled = _over_parts([values[one] - values[other] for values in named], weights)
    return float(resampled[0]), *interval(resampled[1:])


def _over_parts(values: Sequence[Array], weights: Sequence[Array]) -> Array:
    """Return [B], the mean over parts of the weighted mean over queries."""
    return mean_over_seeds([mean(part, draw) for part, draw in zip(values, weights, strict=True)])
