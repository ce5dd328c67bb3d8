"""Checks that a draft passes to become a template, with a count of each reason."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from fusion.templates.extractive import MOST_SENTENCES, MOST_WORDS, UNABLE, tells_a_little
from fusion.templates.sentences import split_sentences
from fusion.templates.truths import Truth

OUTSIDE = "not a training query"
NO_STEPS = "no steps in its responses"
NO_ANSWER = "the summariser failed"
EMPTY = "empty"
REFUSED = "refused"
SAYS_LITTLE = "says too little"
LEAKS = "gives the answer away: "

_LABEL = re.compile(r"^\W*(?:(?:thought\s+)?template|thought|summary|answer form)\W*:\W*", re.IGNORECASE)


@dataclass(frozen=True)
class Draft:
    """Thought of one query, made of its responses, before the checks.

    Attributes:
        query_id: ID of the query.
        task: Task of the query.
        domain: Domain of the task.
        llms: Whose responses it was made of.
        score: Score of these by the ranking.
        text: The thought; None where there is none.
        problem: Why there is none; one of the reasons above.
    """

    query_id: str
    task: str | None
    domain: str | None
    llms: tuple[str, ...]
    score: float
    text: str | None
    problem: str | None = None


@dataclass
class DraftTally:
    """How many drafts were kept, shortened and dropped, and why, by task.

    Attributes:
        kept: By task.
        shortened: By task; these are among the kept or fell to a later check.
        dropped: By task and reason.
    """

    kept: Counter[str | None] = field(default_factory=Counter)
    shortened: Counter[str | None] = field(default_factory=Counter)
    dropped: Counter[tuple[str | None, str]] = field(default_factory=Counter)

    def drop(self, task: str | None, reason: str) -> None:
        """Count one that is dropped."""
        self.dropped[task, reason] += 1

    def reasons(self) -> dict[str, int]:
        """Return how many were dropped for each reason, the most frequent first."""
        total: Counter[str] = Counter()
        for (_, reason), count in self.dropped.items():
            total[reason] += count
        return dict(sorted(total.items(), key=lambda item: (-item[1], item[0])))

    def by_task(self) -> dict[str, dict[str, Any]]:
        """Return the counts of each task."""
        tasks = {task for task, _ in self.dropped} | set(self.kept)
        return {
            task or "": {
                "kept": self.kept[task],
                "shortened": self.shortened[task],
                "dropped": {
                    reason: count for (one, reason), count in sorted(self.dropped.items(), key=str) if one == task
                },
            }
            for task in sorted(tasks, key=lambda name: name or "")
        }


def counted(reasons: Mapping[str, int]) -> str:
    """Return counts by reason as words; ``none`` where there are none."""
    return ", ".join(f"{count:,} {reason}" for reason, count in reasons.items()) or "none"


def screen(
    drafts: Iterable[Draft], truths: Mapping[str, Truth], training: Collection[str], tally: DraftTally
) -> list[tuple[Draft, str]]:
    """Return the drafts that pass every check, each with its final text.

    Args:
        drafts: Any.
        truths: The answer of each query that may be a source.
        training: Ids of the queries that templates may come from.
        tally: Counts what happens.
    """
    passed = []
    for draft in drafts:
        text, cut = tidy(draft.text or "")
        reason = _problem(draft, text, truths, training)
        tally.shortened[draft.task] += cut
        if reason:
            tally.drop(draft.task, reason)
        else:
            tally.kept[draft.task] += 1
            passed.append((draft, text))
    return passed


def tidy(text: str) -> tuple[str, bool]:
    """Return a text as a template has it, and whether it had to be cut.

    Labels, fences and empty lines go; beyond `MOST_SENTENCES` sentences and `MOST_WORDS` words it is cut.
    """
    plain = _LABEL.sub("", text.replace("```", " ").strip().strip('"').strip())
    sentences = split_sentences(plain)
    kept: list[str] = []
    room = MOST_WORDS
    for sentence in sentences[:MOST_SENTENCES]:
        if len(sentence.split()) > room:
            break
        kept.append(sentence)
        room -= len(sentence.split())
    if sentences and not kept:
        kept = [" ".join(sentences[0].split()[:MOST_WORDS])]
    return "\n".join(kept), bool(sentences) and kept != sentences


def _problem(draft: Draft, text: str, truths: Mapping[str, Truth], training: Collection[str]) -> str | None:
    if draft.query_id not in training:
        return OUTSIDE
    if draft.problem:
        return draft.problem
    if not text:
        return EMPTY
    if UNABLE.search(text):
        return REFUSED
    if not tells_a_little(text):
        return SAYS_LITTLE
    given = truths[draft.query_id].given_by(text)
    return f"{LEAKS}{given}" if given else None
