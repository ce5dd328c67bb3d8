"""Candidates that got no answer at all, and candidates with empty answers."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

from fusion.answers import Answers
from fusion.collect.plan import CollectionPlan
from graphrouter.errors import UserError


@dataclass(frozen=True)
class Unanswered:
    """A candidate that was asked and has no answer.

    Attributes:
        candidate: Its name in the log.
        cells: How many of its cells failed.
        reason: The most frequent one.
        often: How many failed for it.
    """

    candidate: str
    cells: int
    reason: str
    often: int


@dataclass(frozen=True)
class Empty:
    """A candidate with answers that have no text.

    Attributes:
        candidate: Its name in the log.
        empty: How many there are.
        cut: How many of them were cut at ``max_tokens``, in the middle of thinking.
        answers: How many answers it has, empty ones included.
    """

    candidate: str
    empty: int
    cut: int
    answers: int


def find_unanswered(plan: CollectionPlan, answers: Answers) -> list[Unanswered]:
    """Return the candidates that have failures and not one answer."""
    answered = {llm for _, llm, _ in answers.answers}
    found = []
    for candidate in plan.candidates:
        reasons = [reason for (_, llm, _), reason in answers.failures.items() if llm == candidate.name]
        if reasons and candidate.name not in answered:
            found.append(Unanswered(candidate.name, len(reasons), *most_frequent(reasons)))
    return found


def most_frequent(reasons: Iterable[str]) -> tuple[str, int]:
    """Return the most frequent reason, and how frequent it is. Reasons that differ in numbers alone are one."""
    kinds: dict[str, str] = {}
    counts: Counter[str] = Counter()
    for reason in reasons:
        kind = re.sub(r"\S*\d\S*", "#", reason)
        kinds.setdefault(kind, reason)
        counts[kind] += 1
    kind, often = counts.most_common(1)[0]
    return kinds[kind], often


def find_empty(plan: CollectionPlan, answers: Answers) -> list[Empty]:
    """Return the candidates with empty answers."""
    counts = Counter(llm for _, llm, _ in answers.answers)
    empty = Counter(llm for _, llm, _ in answers.empty)
    cut = Counter(cell[1] for cell in answers.empty if answers.answers[cell]["finish_reason"] == "length")
    names = [candidate.name for candidate in plan.candidates]
    return [Empty(name, empty[name], cut[name], counts[name]) for name in names if empty[name]]


def find_overlong(plan: CollectionPlan) -> dict[str, tuple[int, int, int, int]]:
    """Return, by candidate whose context is known here, the cells whose prompt and ``max_tokens`` it cannot hold.

    The context is known where the model is on this machine; its tokenizer counts the prompt.

    Returns:
        How many do not fit, of how many, the context, and the largest ``max_tokens`` that was asked for.
    """
    from fusion.guidance.tokens import LOCAL, find_room

    rooms = {}
    for llm in plan.llms:
        try:
            rooms[llm.name] = find_room(llm, on_disk=True) if llm.engine in LOCAL else None
        except UserError:
            continue  # a model that is not here yet; what is wrong with it is said when it is loaded
    found: dict[str, tuple[int, int, int, int]] = {}
    for cell in plan.cells:
        room = rooms.get(cell.llm.name)
        if room and room.context is not None:
            long, cells, _, most = found.get(cell.candidate.name, (0, 0, 0, 0))
            wanted = cell.request.sampling.max_tokens
            long += room.count(cell.request.messages) + wanted > room.context
            found[cell.candidate.name] = long, cells + 1, room.context, max(most, wanted)
    return {name: counts for name, counts in found.items() if counts[0]}
