"""Makes one template of near-duplicates, and one library of two."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import polars as pl

from fusion.templates.library import Library, sort_key
from fusion.templates.template import Template, template_id
from fusion.templates.truths import content_words
from graphrouter.errors import UserError
from graphrouter.nearest import within
from graphrouter.splits import normalise_text
from graphrouter.text_groups import fold_text

NEAR = 0.92
"""Cosine of two templates' vectors from which they count as near-duplicates, within a task, if they share most words.

Read through on mmlu_pro with MiniLM: from 0.92 on, two templates tell the same rule; below, often only the same subject.
"""

SHARED = 0.6
"""Share of their content words that near-duplicates have in common: the same rule for another name stays apart."""

BLOCK = 1024
"""Templates that are compared with all at once, to bound the memory."""

ROUNDING = 1e-6
"""Error of a product of vectors in single precision: equal vectors reach a threshold of 1."""


def merge_near(library: Library, threshold: float = NEAR) -> Library:
    """Merge the near-duplicates of each task.

    The best template of its task (by score, then id) leads; each following one joins the first leader that is as near as
    the threshold and shares most words, or has the same wording; or it leads itself. So the order of the templates does not matter, each is near
    its leader, no two leaders are near each other, and merging again changes nothing. The leader's words stay; sources,
    scores and LLMs are united.

    Args:
        library: Any.
        threshold: Cosine in (0, 1]; 1 merges only what is worded alike, or has the same vector.
    """
    if not 0 < threshold <= 1:
        raise UserError(f"the threshold of near-duplicates must be within (0, 1], but is {threshold}")
    of_task: dict[str | None, list[int]] = {}
    for number, one in enumerate(library.templates):
        of_task.setdefault(one.task, []).append(number)
    merged: list[tuple[Template, int]] = []
    for numbers in of_task.values():
        for group in _groups(library, numbers, threshold):
            merged.append((_unite([library.templates[number] for number in group]), group[0]))
    return _with(library, merged)


def merge_libraries(libraries: Sequence[Library], threshold: float = NEAR) -> Library:
    """Make one library of several; their order does not matter.

    Args:
        libraries: With vectors of the same encoder.
        threshold: See `merge_near`.

    Raises:
        UserError: If their encoders differ, a query id stands for different texts, or the same log was split in
            different ways, so that training queries of one are test queries of the other.
    """
    _check_alike(libraries)
    ordered = sorted(libraries, key=lambda one: str(sorted(one.about.items(), key=str)))
    frames = [
        one.queries.with_columns(row=pl.int_range(pl.len()), part=pl.lit(part)) for part, one in enumerate(ordered)
    ]
    queries = pl.concat(frames).unique(["task", "query_id"], keep="first", maintain_order=True)
    vectors = np.stack([ordered[part].vectors[row] for row, part in queries.select("row", "part").iter_rows()])
    place = queries.with_row_index().sort(pl.col("task").is_not_null(), "task", "query_id", nulls_last=False)
    pairs = [pair for part in ordered for pair in zip(part.templates, part.text_vectors, strict=True)]
    pairs.sort(key=lambda pair: (*sort_key(pair[0]), *_rank(pair[0])))
    both = Library(
        templates=tuple(one for one, _ in pairs),
        queries=place.select("task", "query_id", "query"),
        vectors=vectors[place["index"].to_numpy()],
        text_vectors=np.stack([text for _, text in pairs]),
        about=_about([one.about for one in ordered]),
        encoder_state=ordered[0].encoder_state,
    )
    both.encoder_now = ordered[0].encoder_now
    made = merge_near(both, threshold)
    made.about["counts"] = {"before_merging": len(both), "templates": len(made)}
    return made


def keep_only(library: Library, ids: set[str]) -> Library:
    """Return the library without the templates, and the source queries, that are not of these ids."""
    return _with(library, [(one, row) for row, one in enumerate(library.templates) if one.id in ids])


def _groups(library: Library, numbers: list[int], threshold: float) -> list[list[int]]:
    """Return groups of near-duplicates, the leader first."""
    order = sorted(numbers, key=lambda number: _rank(library.templates[number]))
    texts = [library.templates[number].text for number in order]
    folded = [fold_text(text) for text in texts]
    said = [content_words(normalise_text(text)) for text in texts]
    vectors = library.text_vectors[order]
    near = list(within(vectors, vectors, threshold - ROUNDING, block=BLOCK, earlier=True))
    leads: dict[int, list[int]] = {}
    worded: dict[str, int] = {}
    for place, wording in enumerate(folded):
        first = min((one for one in near[place] if one in leads and _alike(said[one], said[place])), default=None)
        same = worded.get(wording)
        leader = min((one for one in (first, same) if one is not None), default=None)
        if leader is None:
            leads[place] = [place]
            worded[wording] = place
        else:
            leads[leader].append(place)
    return [[order[place] for place in group] for group in leads.values()]


def _rank(template: Template) -> tuple[float, str, str, tuple[str, ...]]:
    """Return the sort key of a group's leader: the score, then fields that make the order of equal ones irrelevant."""
    return -template.score, template.id, template.ranking, template.llms


def _alike(one: set[str], other: set[str]) -> bool:
    return len(one & other) >= SHARED * len(one | other)


def _unite(group: list[Template]) -> Template:
    """Return the first template with the sources of all; the higher score counts where a query comes twice."""
    if len(group) == 1:
        return group[0]
    scores: dict[str, float] = {}
    for one in group:
        for query, score in zip(one.queries, one.scores or [one.score] * len(one.queries), strict=True):
            scores[query] = max(score, scores.get(query, score))
    queries = tuple(sorted(scores))
    worths = [one.worth for one in group if one.worth is not None]
    return replace(
        group[0],
        id=template_id(group[0].text, group[0].task, queries),
        queries=queries,
        llms=tuple(sorted({llm for one in group for llm in one.llms})),
        scores=tuple(scores[query] for query in queries),
        score=sum(scores.values()) / len(scores),
        ranking="+".join(sorted({name for one in group for name in one.ranking.split("+")})),
        worth=sum(worths) / len(worths) if worths else None,
    )


def _with(library: Library, templates: list[tuple[Template, int]]) -> Library:
    """Return a library of these templates, each with the row of its text's vector, and of their source queries."""
    ordered = sorted(templates, key=lambda pair: sort_key(pair[0]))
    used = {(one.task, query) for one, _ in ordered for query in one.queries}
    keys = library.queries.select("task", "query_id").iter_rows()
    rows = np.array([row for row, key in enumerate(keys) if key in used], dtype=np.int64)
    made = Library(
        templates=tuple(one for one, _ in ordered),
        queries=library.queries[rows],
        vectors=library.vectors[rows],
        text_vectors=library.text_vectors[np.array([row for _, row in ordered], dtype=np.int64)],
        about=dict(library.about),
        encoder_state=library.encoder_state,
    )
    return made.with_encoder_of(library)


def _check_alike(libraries: Sequence[Library]) -> None:
    if not libraries or not all(len(one) for one in libraries):
        raise UserError("each library must hold a template, but one is empty; leave it out")
    encoders = sorted({one.about["encoder"]["id"] for one in libraries})
    if len(encoders) > 1:
        raise UserError(
            f"libraries must have vectors of one encoder, but these have {' and '.join(encoders)}; mine one of them again"
        )
    seeds: dict[str, Any] = {}
    texts: dict[str, str] = {}
    for one in libraries:
        log, seed = one.about.get("log") or {}, one.about.get("split_seed")
        mark = str(log.get("fingerprint"))
        if seeds.setdefault(mark, seed) != seed:
            raise UserError(
                f"libraries of the same log must be of one split, but those of {log.get('name')} are of the seeds "
                f"{seeds[mark]} and {seed}: one would bring test queries of the other; mine one of them again"
            )
        for query, text in one.queries.select("query_id", "query").iter_rows():
            if texts.setdefault(query, text) != text:
                raise UserError(
                    f"a query id must stand for one text, but {query!r} stands for two; rename it in one log"
                )


def _about(abouts: list[dict[str, Any]]) -> dict[str, Any]:
    """Return the entries common to all, and the sources one by one."""
    if len(abouts) == 1 or all(about == abouts[0] for about in abouts):
        return dict(abouts[0])
    logs = [about.get("log") or {} for about in abouts]
    seeds = {about.get("split_seed") for about in abouts}
    parts = [_part(about) for about in abouts]
    return {
        "encoder": abouts[0]["encoder"],
        "ranking": "+".join(sorted({str(about.get("ranking")) for about in abouts})),
        "log": {
            "name": "+".join(sorted({str(log.get("name")) for log in logs})),
            "fingerprint": "+".join(sorted({str(log.get("fingerprint")) for log in logs})),
            "simulated": any(log.get("simulated") for log in logs),
        },
        "split_seed": seeds.pop() if len(seeds) == 1 else None,
        "merged_from": parts,
    }


def _part(about: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in about.items() if key not in ("encoder", "encoder_state", "format")}
