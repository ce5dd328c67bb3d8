"""Settings of a selection."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from graphrouter.errors import UserError
from graphrouter.ranges import COUNT, NOT_NEGATIVE, POSITIVE, POSITIVE_SHARE, SHARE, Allowed, Range, check_fields
from graphrouter.settings import check

RANKED = ("performance", "judge", "hybrid", "graph")
"""Orders that `fusion.ranking` makes."""

RANKINGS = (*RANKED, "random", "baseline")
"""``random`` is the control: right responses in random order. ``baseline`` is the ground truth, without any LLM."""

DIFFICULTIES = ("auto", "graph", "observed")
PAIRS = ("hardest", "widest", "off")

SOLVED_BY_ALL = 0.97
"""Solve rate of the graph for a query that all LLMs solve: it is never sure. On the micropool the median was 0.98."""

ALLOWED: dict[str, Allowed] = {
    "ranking": RANKINGS,
    "top_k": COUNT,
    "seed": NOT_NEGATIVE,
    "right": POSITIVE_SHARE,
    "max_size": POSITIVE,
    "ngram": Range(8),  # shorter runs are idioms, which no two texts owe to each other
    "similarity": POSITIVE_SHARE,
    "easy": POSITIVE_SHARE,
    "hard": SHARE,
    "difficulty": DIFFICULTIES,
    "shortest": SHARE,
    "longest": COUNT,
    "overlap": POSITIVE_SHARE,
    "llm_share": POSITIVE_SHARE,
    "rows": COUNT,
    "tokens": COUNT,
    "clusters": COUNT,
    "pairs": PAIRS,
}
"""Range or names of each setting that has them."""


@dataclass
class SelectionSettings:
    """How rows are selected. A setting of a rule that is skipped does nothing.

    Attributes:
        ranking: One of `RANKINGS`.
        top_k: Most responses per query.
        seed: Seed of the split, and of every choice by chance.
        skip: Names of rules that are left out; ``extras`` for all that go beyond the k best of the right responses.
        encoder: Makes the vectors of queries; None for the log's own. See `graphrouter.encoders.find_encoder`.
        right: Least performance of a right response.
        llms: Names or patterns (``*`` and ``?``) of the LLMs whose responses may be taken; empty for all.
        without_llms: The same for those that may not.
        max_size: Most billions of parameters; an LLM of unknown size is left out then.
        licences: Licences of LLMs that may be taken, by the log's column ``licence``; empty for all.
        styles: Prompting styles that may be taken, by the log's column ``style``; empty for all.
        against: Logs, beside the test part of this one, whose queries the student is to be evaluated on.
        ngram: Words in a row that a training query may not share with an evaluation query.
        similarity: Cosine from which a training query counts as a copy of an evaluation query.
        easy: Solve rate from which a query is too easy; None for 1 as observed, and `SOLVED_BY_ALL` by the graph.
        hard: Solve rate below which a query is too hard: a right answer is then more likely a guess, or the ground truth wrong.
        difficulty: Source of the solve rate: ``observed``, by the ``graph``, or ``auto`` (the graph's where it ranks).
        shortest: Least length of a response, as a share of the lower quartile of the right responses.
        longest: Most length of a response, as a multiple of their upper quartile.
        overlap: Share of common word triples from which two responses to a query count as equal.
        llm_share: Most of a task's rows that may come from one LLM.
        rows: Budget in rows; None for none.
        tokens: Budget in tokens of completions; None for none.
        tokenizer: Folder or hub name of the tokenizer that counts them; None to estimate them from characters.
        clusters: Clusters of queries within a task that a budget is balanced over.
        pairs: Which wrong response a right one is paired with: ``hardest`` (the smallest margin), ``widest`` or ``off``.
    """

    ranking: str = "performance"
    top_k: int = 5
    seed: int = 0
    skip: list[str] = field(default_factory=list)
    encoder: str | None = None
    right: float = 0.5
    llms: list[str] = field(default_factory=list)
    without_llms: list[str] = field(default_factory=list)
    max_size: float | None = None
    licences: list[str] = field(default_factory=list)
    styles: list[str] = field(default_factory=list)
    against: list[str] = field(default_factory=list)
    ngram: int = 13
    similarity: float = 0.95
    easy: float | None = None
    hard: float = 0.1
    difficulty: str = "auto"
    shortest: float = 0.25
    longest: float = 1.5
    overlap: float = 0.8
    llm_share: float = 0.25
    rows: int | None = None
    tokens: int | None = None
    tokenizer: str | None = None
    clusters: int = 10
    pairs: str = "hardest"

    def __post_init__(self) -> None:
        check_fields(self, ALLOWED)
        if self.difficulty == "graph" and self.ranking != "graph":
            raise UserError(
                f"difficulty graph needs the ranking graph, but that is {self.ranking}; use auto or observed"
            )
        if self.rows is not None and self.tokens is not None:
            raise UserError("a budget must be in rows or in tokens, but both are given; leave one out")

    @property
    def by_graph(self) -> bool:
        """Whether the solve rate of a query is what the graph expects, and not what was observed."""
        return self.ranking == "graph" and self.difficulty != "observed"

    @property
    def too_easy(self) -> float:
        """Solve rate from which a query is too easy."""
        return self.easy if self.easy is not None else SOLVED_BY_ALL if self.by_graph else 1.0


def make_settings(values: dict[str, Any], where: str = "the selection") -> SelectionSettings:
    """Make settings from YAML or the command line.

    Raises:
        UserError: If a key is unknown, or a value is of the wrong type or breaks a rule.
    """
    return SelectionSettings(**check(SelectionSettings, values, where))
