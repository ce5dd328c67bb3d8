"""The three levels side by side: routers, guided LLMs and students on the same test queries, with tokens and cost."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl

from fusion.evaluation.model import ROUTERS, SCENARIO, best_llm, log_candidates, student_candidates
from fusion.evaluation.routing import recorded_split
from fusion.evaluation.scoring import Measures, Part, ScoredCandidate, aligned, of_llm, score
from fusion.evaluation.thought import find_arms
from graphrouter.errors import UserError
from graphrouter.log import LLMLog
from graphrouter.prepared import PreparedLog, prepare
from graphrouter.run import RunOptions


@dataclass(frozen=True)
class Levels:
    """Scores of the three levels.

    Attributes:
        log: Name of the log.
        queries: Test queries.
        single: The LLM that is best on the training part; the thought level shows its guides to this one.
        scores: Table of scores, see `fusion.evaluation.scoring.score`.
        differences: Table of differences of every router, guide and student to `single`; likewise.
    """

    log: str
    queries: int
    single: str
    scores: pl.DataFrame
    differences: pl.DataFrame


def evaluate_levels(
    log: LLMLog,
    *,
    guided: LLMLog | None = None,
    answers: LLMLog | None = None,
    base: str | None = None,
    seed: int = 0,
    routers: Sequence[str] = ROUTERS,
    encoder: str | None = None,
    run: RunOptions | None = None,
) -> Levels:
    """Compare what routing, guiding and fine-tuning are worth over the best single LLM.

    Nothing is chosen on the test queries: the single LLM is the best of the training part.

    Args:
        log: Log of single LLMs.
        guided: Log of LLMs with guides, on the same test queries, from ``fusion collect --guide``; None for no thought level.
        answers: Log of students, on the same test queries; None for no model level.
        base: Name of the students' base, or None.
        seed: Seed of the split.
        routers: Trained on the train and validation part.
        encoder: Encoder of the routers; None for the log's default.
        run: Options of the run.

    Raises:
        UserError: If a log is of other queries, or has another split.
    """
    run = run or RunOptions()
    options: Any = {"seed": seed, "scenarios": [SCENARIO], "device": run.device}
    prepared = prepare(log, encoder, **options)
    test, values = prepared.test_log, log_candidates(prepared, routers, run)
    single = best_llm({ScoredCandidate(llm, "llm", "llm"): of_llm(prepared.training_log, llm) for llm in log.llm_names})
    if guided is not None:
        values |= guided_candidates(guided, test, single)
        if len(set(guided.queries["part"].drop_nulls())) == 3:
            theirs = prepare(guided, encoder, split=recorded_split, **options)
            values |= _guided_routers(theirs, test, routers, run)
    if answers is not None:
        values |= student_candidates(answers, test, base)
    kinds = ("router", "guide", "student")
    pairs = [(one.name, single) for one in values if one.kind in kinds and one.name != single]
    scores, differences = score([Part.of(test, values)], pairs)
    return Levels(log.name, test.queries.height, single, scores, differences)


def guided_candidates(guided: LLMLog, test: LLMLog, single: str) -> dict[ScoredCandidate, Measures]:
    """Return the measures of the single LLM with each guide.

    Raises:
        UserError: If it was not asked with a guide, or about other test queries.
    """
    _check_split(guided, test)
    arms = find_arms(guided)
    if single not in arms:
        raise UserError(
            f"{guided.name} must hold answers of the best single LLM, {single}, with guides, but has {', '.join(arms)}; "
            "collect it too"
        )
    return {
        ScoredCandidate(arm.candidate, "thought", "guide"): aligned(guided, test, arm.candidate)
        for arm in arms[single][1:]
    }


def _check_split(guided: LLMLog, test: LLMLog) -> None:
    theirs = set(guided.queries.filter(pl.col("part") == "test")["query_id"])
    ours = set(test.queries["query_id"])
    if not theirs or not theirs <= ours:
        raise UserError(
            f"{guided.name} must have test queries of the same split, but {len(theirs - ours)} of its {len(theirs)} are "
            "others; collect it with --split-seed of this evaluation"
        )


def _guided_routers(
    guided: PreparedLog, test: LLMLog, routers: Sequence[str], run: RunOptions
) -> dict[ScoredCandidate, Measures]:
    """Return the measures of routers that may choose guided candidates too."""
    values = log_candidates(guided, routers, run)
    theirs = guided.test_log.queries.select("query_id").with_row_index()
    place = test.queries.select("query_id").join(theirs, on="query_id", how="left", maintain_order="left")["index"]
    rows = place.cast(pl.Int64).fill_null(-1).to_numpy()
    return {
        ScoredCandidate(f"{one.name} with guides", "thought", "router"): {
            name: np.where(rows >= 0, measure[rows], np.nan) for name, measure in found.items()
        }
        for one, found in values.items()
        if one.kind == "router"
    }
