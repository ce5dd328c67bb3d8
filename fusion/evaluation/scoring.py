"""Candidates of any kind - LLMs, routers, guided LLMs, students - scored on the same test queries."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl

from graphrouter.errors import UserError
from graphrouter.evaluation.differences import Resampling, estimate
from graphrouter.log import LLMLog
from graphrouter.metrics import choose
from graphrouter.metrics.routing import taken
from graphrouter.splits import query_groups
from graphrouter.typing import Array

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
    """A candidate whose answers are scored.

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
    """The test queries of one seed, and the measures of each candidate on them.

    Attributes:
        groups: [Q] int64, equal for queries of one text group; also across seeds.
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
    """Return the measures of an LLM of a log on each of its queries."""
    column = log.llm_names.index(llm)
    return {name: log.cells(name)[:, column].astype(np.float64) for name in MEASURES}


def of_choice(log: LLMLog, utility: Array) -> Measures:
    """Return the measures of the LLMs that a router chooses.

    Args:
        log: Q queries and M LLMs.
        utility: [Q, M] of the router; see `graphrouter.metrics.choose`.
    """
    choice = choose(utility, log.cells("performance"))
    return {name: taken(choice, log.cells(name)).astype(np.float64) for name in MEASURES}


def aligned(log: LLMLog, test: LLMLog, llm: str) -> Measures:
    """Return the measures of an LLM of another log on the queries of this one; NaN where it was not asked.

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
    `graphrouter.evaluation.differences`; all candidates are scored on the same draws, so that differences are
    paired.

    Args:
        parts: One per seed, with the same candidates.
        against: Names of a candidate and of what it is compared with.

    Returns:
        Tables with the columns of `SCORES` and `DIFFERENCES`. ``scope`` is ``all``, ``domain`` or ``task``.
    """
    resampling = Resampling([part.groups for part in parts])
    scores, differences = [], []
    for scope, name, masks in _scopes(parts):
        count = int(sum(mask.sum() for mask in masks))
        means = {candidate: _means(parts, candidate, resampling, masks) for candidate in parts[0].values}
        for candidate, resampled in means.items():
            about = (candidate.name, candidate.level, candidate.kind, scope, name, count)
            found = estimate(resampled["performance"])
            scores.append((*about, *vars(found).values(), *(float(resampled[one][0]) for one in MEASURES[1:])))
        for one, other in against:
            found = estimate(resampling.mean([_paired(part, one, other) for part in parts], masks))
            differences.append((one, other, scope, name, *vars(found).values()))
    return (
        pl.DataFrame(scores, schema=SCORES, orient="row"),
        pl.DataFrame(differences, schema=DIFFERENCES, orient="row"),
    )


def _means(
    parts: Sequence[Part], candidate: ScoredCandidate, resampling: Resampling, masks: Sequence[Array]
) -> dict[str, Array]:
    """Return by measure [1 + B], the mean over queries and then over parts."""
    return {name: resampling.mean([part.values[candidate][name] for part in parts], masks) for name in MEASURES}


def _paired(part: Part, one: str, other: str) -> Array:
    """Return [Q], the performance of one candidate above that of another."""
    named = {candidate.name: values["performance"] for candidate, values in part.values.items()}
    return named[one] - named[other]


def _scopes(parts: Sequence[Part]) -> Iterator[tuple[str, str, list[Array]]]:
    """Yield a scope, its name, and per part [Q] which queries are in it."""
    yield "all", "", [np.ones(len(part.groups), dtype=bool) for part in parts]
    for scope in ("domain", "task"):
        labels = [getattr(part, f"{scope}s") for part in parts]
        for name in sorted({label for part in labels for label in part.tolist()}):
            yield scope, name, [part == name for part in labels]
