"""The thought level: each LLM with guides against itself without, on the same test queries."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl

from graphrouter.errors import UserError
from graphrouter.evaluation.differences import Resampling, estimate
from graphrouter.log import LLMLog
from graphrouter.metrics.weighted import ratio
from graphrouter.splits import query_groups
from graphrouter.typing import Array

ZERO_SHOT = "zero_shot"
ALL = "all LLMs"
"""Stands for the LLM where all are pooled: each query counts once for each LLM."""

MEASURES = ("performance", "input_tokens", "output_tokens", "cost")
SCHEMA = {
    **dict.fromkeys(("llm", "guide", "kind", "ranking", "domain"), pl.String),
    **dict.fromkeys(("queries", "answers"), pl.Int64),
    **dict.fromkeys(("performance", "difference", "difference_low", "difference_high"), pl.Float64),
    **{name: pl.Float64 for measure in MEASURES[1:] for name in (measure, f"extra_{measure}")},
    "shown": pl.Float64,
}
"""Columns of a result. ``domain`` is null for all queries together; the others follow `ThoughtLevel`."""


@dataclass(frozen=True)
class PromptArm:
    """One way of asking an LLM.

    Attributes:
        candidate: Name in the log.
        guide: Name of the guide, or None for the question alone.
        kind: `ZERO_SHOT`, ``few_shot`` or ``thought``.
        ranking: Ranking that chose the responses behind the guide; None for the question alone.
    """

    candidate: str
    guide: str | None = None
    kind: str = ZERO_SHOT
    ranking: str | None = None


@dataclass(frozen=True)
class ThoughtLevel:
    """Performance of guided LLMs against the same LLMs without a guide.

    Attributes:
        log: Name of the log.
        queries: Test queries.
        domains: Names, sorted.
        table: One row per LLM (and `ALL`), way of asking and domain (null for all); columns as in `SCHEMA`.
            ``answers`` are those that the difference is of: queries that the LLM has answered with and without the
            guide. ``difference`` is that of performance to zero-shot, paired, with its 95% interval; ``extra_*`` are the
            paired differences of tokens and of cost in US dollars; ``shown`` is the mean number of examples or thoughts.
    """

    log: str
    queries: int
    domains: tuple[str, ...]
    table: pl.DataFrame


def evaluate_thoughts(log: LLMLog, seed: int = 0) -> ThoughtLevel:
    """Compare every guide of a log with the same LLM without it, on the test part that the log names.

    Intervals are by a bootstrap over clusters of queries, see `graphrouter.evaluation.bootstrap.draw_weights`; every
    difference is resampled by the same draws.

    Args:
        log: From ``fusion collect`` with guides.
        seed: Seed of the bootstrap.

    Raises:
        UserError: If the log has no guides or no test queries.
    """
    arms = find_arms(log)
    asked = part_rows(log, "test")
    asked = asked[log.cells("draws")[asked].sum(axis=1) > 0]
    if not len(asked):
        raise UserError(
            f"{log.name} must have answers to test queries, but has none; collect without --part, or with --part test"
        )
    test = log.take(asked)
    named = test.queries["domain"].fill_null("no domain").to_numpy()
    domains = tuple(sorted(set(named.tolist())))
    draws = Resampling([query_groups(test.queries["query"])], seed=seed).weights[0]
    masks = {None: np.ones(len(named)), **{domain: (named == domain).astype(np.float64) for domain in domains}}
    rows = list(_rows(test, arms, {domain: draws * mask for domain, mask in masks.items()}, masks))
    return ThoughtLevel(log.name, len(named), domains, pl.DataFrame(rows, schema=SCHEMA, orient="row"))


def find_arms(log: LLMLog) -> dict[str, list[PromptArm]]:
    """Return, for each LLM and style with a guide, its ways of being asked, the question alone first.

    Raises:
        UserError: If the log has no guides, or an LLM with a guide is not in it without.
    """
    columns = ["llm", "model", "style", "guide", "guide_kind", "guide_ranking"]
    absent = [column for column in [*columns, "part"] if column not in (*log.llms.columns, *log.queries.columns)]
    if absent:
        raise UserError(
            f"{log.name} must hold answers with guides, but has no column {absent[0]!r}; make it with fusion collect --guide"
        )
    alone = {(model, style): llm for llm, model, style, guide, *_ in log.llms.select(columns).iter_rows() if not guide}
    found: dict[str, list[PromptArm]] = {}
    for llm, model, style, guide, kind, ranking in log.llms.select(columns).iter_rows():
        if guide:
            if (model, style) not in alone:
                raise UserError(f"{log.name} must have {model} without a guide too, to compare {llm} with; collect it")
            base = alone[model, style]
            found.setdefault(base, [PromptArm(base)]).append(PromptArm(llm, guide, kind, ranking))
    if not found:
        raise UserError(
            f"{log.name} must hold answers with guides, but has none; make them with fusion collect --guide"
        )
    order = {name: (kind, ranking) for name, kind, ranking in log.llms.select(columns[3:]).iter_rows()}
    return {
        base: [arms[0], *sorted(arms[1:], key=lambda arm: (order[arm.guide], arm.guide))]
        for base, arms in found.items()
    }


def part_rows(log: LLMLog, part: str) -> Array:
    """Return the rows of ``log.queries`` that are of a part of the split."""
    return np.flatnonzero((log.queries["part"] == part).fill_null(False).to_numpy())


@dataclass(frozen=True)
class _Answers:
    """Cells of one way of asking, over L LLMs: [Q, L] for each measure, NaN where missing; and what was shown."""

    measures: dict[str, Array]
    shown: Array

    @classmethod
    def of(cls, log: LLMLog, candidates: Sequence[str]) -> _Answers:
        columns = [log.llm_names.index(candidate) for candidate in candidates]
        measures = {name: log.cells(name)[:, columns].astype(np.float64) for name in MEASURES}
        return cls(measures, np.stack([_shown(log, candidate) for candidate in candidates], axis=1))


def _shown(log: LLMLog, candidate: str) -> Array:
    """[Q], how many examples or thoughts were shown in the mean over draws."""
    means = log.records.filter(pl.col("llm") == candidate).group_by("query_id").agg(pl.col("shown").mean())
    return log.queries.select("query_id").join(means, on="query_id", how="left")["shown"].cast(pl.Float64).to_numpy()


def _rows(
    log: LLMLog, arms: dict[str, list[PromptArm]], draws: dict[str | None, Array], masks: dict[str | None, Array]
) -> Iterator[tuple[object, ...]]:
    groups = {base: [(arm, [base], [arm.candidate]) for arm in of_base] for base, of_base in arms.items()}
    if len(arms) > 1:
        groups = {ALL: _pooled(arms)} | groups
    for llm, of_llm in groups.items():
        for arm, bases, candidates in of_llm:
            alone, with_guide = _Answers.of(log, bases), _Answers.of(log, candidates)
            for domain, weights in draws.items():
                about = (llm, arm.guide, arm.kind, arm.ranking, domain)
                yield (*about, *_compare(alone, with_guide, weights, masks[domain], arm.guide is not None))


def _pooled(arms: dict[str, list[PromptArm]]) -> list[tuple[PromptArm, list[str], list[str]]]:
    """Return each way of asking with the LLMs that were asked so: their names without and with the guide."""
    found: dict[str | None, tuple[PromptArm, list[str], list[str]]] = {}
    for base, of_base in arms.items():
        for arm in of_base:
            _, bases, candidates = found.setdefault(arm.guide, (arm, [], []))
            bases.append(base)
            candidates.append(arm.candidate)
    return list(found.values())


def _compare(alone: _Answers, guided: _Answers, weights: Array, mask: Array, paired: bool) -> tuple[object, ...]:
    """Return the values of a row from ``queries`` on.

    Args:
        alone: Without the guide.
        guided: With it; the same for zero-shot itself.
        weights: [1 + B, Q], those of other domains 0; the first row is the sample itself.
        mask: [Q], 1 for the queries of the domain.
        paired: Whether there is a difference to give.
    """
    both = ~np.isnan(alone.measures["performance"]) & ~np.isnan(guided.measures["performance"])
    means = {name: float(_mean(values, both, weights[:1])[0]) for name, values in guided.measures.items()}
    extra = {name: _mean(values - alone.measures[name], both, weights) for name, values in guided.measures.items()}
    difference = vars(estimate(extra["performance"])).values() if paired else (None,) * 3
    rest = [value for name in MEASURES[1:] for value in (means[name], float(extra[name][0]) if paired else None)]
    shown = float(_mean(guided.shown, both, weights[:1])[0])
    counted = both[mask > 0]
    return (int(counted.any(axis=1).sum()), int(counted.sum()), means["performance"], *difference, *rest, shown)


def _mean(values: Array, both: Array, weights: Array) -> Array:
    """Return [B], the weighted mean over queries and LLMs of [Q, L] values; one that is not known makes it NaN."""
    sums = np.where(both, values, 0.0).sum(axis=1)
    return ratio(sums, both.sum(axis=1), weights)
