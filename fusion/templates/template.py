"""Thought template and its checks."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass


@dataclass(frozen=True)
class Template:
    """A thought that helped with some queries, in words that may help with similar ones (arXiv:2507.10540).

    Attributes:
        id: Follows from the task, the text and the queries; see `template_id`.
        text: The thought: 1 to 5 sentences, without the answer.
        task: Task of its queries; None where the log has none.
        domain: Group of tasks, or None.
        queries: Ids of the queries that it comes from, sorted.
        llms: Names of the LLMs whose responses it comes from, sorted.
        score: Score of these responses by the ranking, in [0, 1]: the mean of `scores`.
        ranking: Ranking of the responses; see `fusion.ranking`.
        scores: One for each of `queries`; empty where only the mean is known.
        worth: Mean performance with it minus without it on held-back queries near it; None where not measured.
    """

    id: str
    text: str
    task: str | None
    domain: str | None
    queries: tuple[str, ...]
    llms: tuple[str, ...]
    score: float
    ranking: str
    scores: tuple[float, ...] = ()
    worth: float | None = None

    def __post_init__(self) -> None:
        if not self.queries:
            raise ValueError(f"template {self.id}: there must be a source query")
        if self.scores and len(self.scores) != len(self.queries):
            raise ValueError(f"template {self.id}: {len(self.scores)} scores for {len(self.queries)} queries")


def template_id(text: str, task: str | None, queries: tuple[str, ...]) -> str:
    """Return 16 hexadecimal digits that follow from what a template says and what it comes from."""
    return hashlib.sha256(json.dumps([task, text, sorted(queries)]).encode()).hexdigest()[:16]


def make_template(
    text: str,
    task: str | None,
    domain: str | None,
    sources: dict[str, float],
    llms: set[str],
    ranking: str,
) -> Template:
    """Make a template.

    Args:
        text: The thought.
        task: Task of its queries.
        domain: Domain of the task.
        sources: Score of the responses to each source query.
        llms: Whose responses it comes from.
        ranking: Ranking that scored them.
    """
    queries = tuple(sorted(sources))
    scores = tuple(sources[query] for query in queries)
    return Template(
        id=template_id(text, task, queries),
        text=text,
        task=task,
        domain=domain,
        queries=queries,
        llms=tuple(sorted(llms)),
        score=sum(scores) / len(scores),
        ranking=ranking,
        scores=scores,
    )
