"""A log to a library of thought templates."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from fusion.templates.checks import NO_STEPS, Draft, DraftTally, counted, screen
from fusion.templates.choosing import spread
from fusion.templates.extractive import best_steps
from fusion.templates.library import Library
from fusion.templates.merging import NEAR, keep_only, merge_near
from fusion.templates.ranked_query import Rank, RankedQuery, sources_of
from fusion.templates.storage import check_folder
from fusion.templates.summary import Summaries, Summariser, summarise
from fusion.templates.template import make_template
from fusion.templates.validation import Measured, Validation, measure
from graphrouter.encoders import Encoder, encoder_of
from graphrouter.errors import UserError
from graphrouter.log import LLMLog, LogLike, load_log
from graphrouter.prepared import prepare
from graphrouter.run import provenance

NO_RIGHT = "no right response"
NOT_ASKED = "not asked within the budget"


@dataclass(frozen=True)
class MiningSettings:
    """Settings of mining.

    Attributes:
        ranking: Name of what ranks the responses.
        top_k: Best responses of a query that a template may come from.
        limit: Most queries, spread over tasks and clusters of queries; None for all training queries.
        seed: Seed of the split: templates come from its training queries.
        near: Cosine from which templates are merged, see `fusion.templates.merging.merge_near`.
    """

    ranking: str
    top_k: int = 3
    limit: int | None = None
    seed: int = 0
    near: float = NEAR

    def __post_init__(self) -> None:
        if self.limit is not None and self.limit < 1:
            raise UserError(f"limit must be 1 or more, but is {self.limit}")


@dataclass(frozen=True)
class Mined:
    """Results of mining.

    Attributes:
        library: Is saved already.
        summaries: Texts that the LLM wrote; None without one.
        measured: Findings of the validation; None without one.
    """

    library: Library
    summaries: Summaries | None
    measured: Measured | None


def mine(
    log: LogLike,
    rank: Rank,
    out: Path,
    settings: MiningSettings,
    encoder: str | Encoder | None = None,
    *,
    summariser: Summariser | None = None,
    validation: Validation | None = None,
    progress: bool = True,
) -> Mined:
    """Mine templates from a log's training queries, check and merge them, and write the library.

    Args:
        log: Log with responses, or its name or folder, or a DataFrame.
        rank: Ranks the responses; is given the training queries only.
        out: Folder of the library; one that is there is replaced. It gets a journal of what LLMs are asked.
        settings: Settings of mining.
        encoder: Name or encoder, see `graphrouter.encoders.encoder_of`; a copy is fitted on the training queries.
        summariser: Writes the templates; None to take the steps of a response as they are.
        validation: Measures what the templates are worth; None for no measurement.
        progress: Whether to show progress.

    Raises:
        UserError: If the log has no responses, the encoder cannot encode new texts, or no template came out of it.
        KeyboardInterrupt: After Ctrl-C; the same call goes on from there.
    """
    log, out = load_log(log), Path(out)
    encoder = encoder_of(log, encoder)
    check_folder(out)
    if not log.has_responses:
        raise UserError(f"{log.name} has no responses; templates are mined from a log with responses.parquet")
    if encoder.spec == "log":
        raise UserError("templates need an encoder that takes new texts, but 'log' does not; name another encoder")
    prepared = prepare(log, encoder, seed=settings.seed, progress=progress)
    training, vectors = prepared.training_log, prepared.training_vectors
    tasks = training.queries["task"].to_list()
    held_back = validation.hold_back(tasks, settings.seed) if validation else np.empty(0, dtype=np.int64)
    inside = np.setdiff1d(np.arange(training.queries.height), held_back)
    rows = inside[
        spread(training.queries["task"].gather(inside).to_list(), vectors[inside], settings.limit, settings.seed)
    ]
    ids = training.queries["query_id"].gather(rows).to_list()
    sources = sources_of(training, rank(training), ids, settings.top_k)
    tally = DraftTally()
    _count_unanswered(training, ids, sources, tally)
    drafts, summaries = _draft(sources, summariser, out, progress, tally)
    passed = screen(drafts, {one.query_id: one.truth for one in sources}, set(ids), tally)
    if not passed:
        raise UserError(f"{log.name}: at least one template must pass the checks, but none did: {_why_none(tally)}")
    templates = [
        make_template(text, one.task, one.domain, {one.query_id: one.score}, set(one.llms), settings.ranking)
        for one, text in passed
    ]
    texts = {one.query_id: one.query for one in sources}
    library = merge_near(Library.make(templates, texts, prepared.fitted, progress=progress), settings.near)
    measured = None
    if validation:
        measured = measure(validation, library, training.take(held_back), vectors[held_back], out, progress)
        library = keep_only(measured.library, measured.kept)
    library.about |= _about(log, settings, summariser, training.queries.height, ids, tally, len(passed), library)
    if measured:
        library.about["validation"] = measured.about()
    library.save(out)
    return Mined(library, summaries, measured)


def _why_none(tally: DraftTally) -> str:
    """Say why no draft passed, and what to do where responses have no steps to take."""
    reasons = tally.reasons()
    hint = "; collect responses with steps: styles: [reasoning] in the YAML of the LLMs" if NO_STEPS in reasons else ""
    return counted(reasons) + hint


def _count_unanswered(training: LLMLog, ids: Sequence[str], sources: Sequence[RankedQuery], tally: DraftTally) -> None:
    tasks = dict(training.queries.select("query_id", "task").iter_rows())
    answered = {one.query_id for one in sources}
    for query in ids:
        if query not in answered:
            tally.drop(tasks[query], NO_RIGHT)


def _draft(
    sources: Sequence[RankedQuery], summariser: Summariser | None, out: Path, progress: bool, tally: DraftTally
) -> tuple[list[Draft], Summaries | None]:
    if summariser is None:
        return [_extract(one) for one in sources], None
    summaries = summarise(summariser, sources, out / "mine", progress)
    drafts = []
    for one in sources:
        if one.query_id in summaries.texts or one.query_id in summaries.problems:
            drafts.append(_written(one, summaries))
        else:
            tally.drop(one.task, NOT_ASKED)
    return drafts, summaries


def _extract(source: RankedQuery) -> Draft:
    found = best_steps([best.text for best in source.responses], source.query, source.truth)
    best = source.responses[found[0] if found else 0]
    return Draft(
        source.query_id,
        source.task,
        source.domain,
        (best.llm,),
        best.score,
        found[1].text if found else None,
        None if found else NO_STEPS,
    )


def _written(source: RankedQuery, summaries: Summaries) -> Draft:
    scores = [best.score for best in source.responses]
    return Draft(
        source.query_id,
        source.task,
        source.domain,
        tuple(best.llm for best in source.responses),
        sum(scores) / len(scores),
        summaries.texts.get(source.query_id),
        summaries.problems.get(source.query_id),
    )


def _about(
    log: LLMLog,
    settings: MiningSettings,
    summariser: Summariser | None,
    training: int,
    ids: Sequence[str],
    tally: DraftTally,
    passed: int,
    library: Library,
) -> dict[str, Any]:
    from graphrouter.identity import log_digest

    of_task = Counter(one.task or "" for one in library.templates)
    return {
        "ranking": settings.ranking,
        "log": {"name": log.name, "fingerprint": log_digest(log), "simulated": log.simulated},
        "split_seed": settings.seed,
        "summariser": summariser.llm.name if summariser else "extractive",
        "settings": {"top_k": settings.top_k, "limit": settings.limit, "near": settings.near},
        "counts": {
            "training_queries": training,
            "chosen": len(ids),
            "dropped": tally.reasons(),
            "shortened": sum(tally.shortened.values()),
            "before_merging": passed,
            "templates": len(library),
            "by_task": {task: counts | {"templates": of_task[task]} for task, counts in tally.by_task().items()},
        },
        **provenance(),
    }
