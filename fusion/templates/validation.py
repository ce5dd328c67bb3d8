"""Worth of a template: an LLM's performance with it minus without it, on held-back queries near it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from fusion.answers import CellKey, LLMAnswers, ask_one, request_key
from fusion.budget import check_budget
from fusion.engines.base import Request
from fusion.llms import LLM
from fusion.prompts import with_thoughts
from fusion.tasks import load_examples
from fusion.tasks.base import Task
from fusion.tasks.question import Question
from fusion.templates.library import Library
from fusion.templates.template import Template
from graphrouter.errors import UserError
from graphrouter.log import LLMLog
from graphrouter.typing import Array, Record

LEAST_QUERIES = 2
"""Held-back queries on which a template must have been tried before it can be dropped: one may be luck."""

WITHOUT = "without"
"""Stands in a cell's key for no template."""


@dataclass(frozen=True)
class Validation:
    """Who tries the templates, on what, and within which limits.

    Attributes:
        llm: The LLM, in the first of its styles.
        tasks: That grade its answers.
        data: Folder with local copies of the tasks' data sets; None to load from the hub.
        held_back: Share of each task's training queries that no template is mined from.
        near: Held-back queries that each template is tried on: the nearest to its source queries, of its task.
        budget: US dollars that it may cost for this library, earlier runs included; None for no limit.
    """

    llm: LLM
    tasks: Sequence[Task]
    data: Path | None = None
    held_back: float = 0.2
    near: int = 4
    budget: float | None = None

    def __post_init__(self) -> None:
        if not 0 < self.held_back < 1:
            raise UserError(f"the share of queries to hold back must be within (0, 1), but is {self.held_back}")
        if self.near < LEAST_QUERIES:
            raise UserError(f"a template must be tried on {LEAST_QUERIES} queries or more, but is on {self.near}")
        check_budget(self.budget, [self.llm])

    def hold_back(self, tasks: Sequence[str | None], seed: int) -> Array:
        """Return the rows of the queries that are held back: of each task the same share, rounded down."""
        chance = np.random.default_rng(seed).permutation(len(tasks))
        held: list[int] = []
        for task in dict.fromkeys(tasks):
            rows = [row for row in chance.tolist() if tasks[row] == task]
            held += rows[: int(len(rows) * self.held_back)]
        return np.array(sorted(held), dtype=np.int64)


@dataclass(frozen=True)
class Measured:
    """A library with the worth of its templates.

    Attributes:
        library: With the worth of each template that was tried.
        kept: Ids of the templates that do not hurt, those that were not tried often enough included.
        tried: Templates that were tried often enough.
        worth: Mean of their worths; None where none was tried.
        answered: Answers, their cost, and why asking ended early.
    """

    library: Library
    kept: set[str]
    tried: int
    worth: float | None
    answered: LLMAnswers

    def about(self) -> dict[str, Any]:
        """Return the counts, for the library."""
        return {"tried": self.tried, "dropped": len(self.library) - len(self.kept), "mean_worth": self.worth}


def measure(
    validation: Validation, library: Library, held: LLMLog, vectors: Array, out: Path, progress: bool = True
) -> Measured:
    """Ask the held-back queries without and with each template, and grade the answers.

    Args:
        validation: How.
        library: Its templates are tried.
        held: The held-back queries.
        vectors: [H, D] of these queries, by the library's encoder.
        out: Folder of the library; its ``validation/answers.jsonl`` gets every answer at once.
        progress: Whether to show a bar.

    Raises:
        UserError: If a task of the held-back queries is not among those that grade, or no answer came.
        KeyboardInterrupt: After Ctrl-C; what is answered is in the journal.
    """
    questions = _questions(validation, held)
    pairs = list(_pairs(library, held, vectors, validation.near, set(questions)))
    requests = list(_requests(validation, questions, pairs))
    file, wanted = out / "validation" / "answers.jsonl", "try at least one template"
    answered = ask_one(validation.llm, requests, file, budget=validation.budget, wanted=wanted, progress=progress)
    gains = _gains(answered.answers, questions, pairs)
    worth = {name: sum(some) / len(some) for name, some in gains.items() if len(some) >= LEAST_QUERIES}
    library.templates = tuple(replace(one, worth=worth.get(one.id)) for one in library.templates)
    return Measured(
        library=library,
        kept={one.id for one in library.templates if worth.get(one.id, 0.0) >= 0},
        tried=len(worth),
        worth=sum(worth.values()) / len(worth) if worth else None,
        answered=answered,
    )


def _questions(validation: Validation, held: LLMLog) -> dict[str, Question]:
    """Return the held-back queries as questions of the tasks, by query id."""
    wanted = set(held.queries["query_id"])
    found: dict[str, Question] = {}
    for task in validation.tasks:
        for example in load_examples(task, data=validation.data):
            question = Question(task, example)
            if question.query_id in wanted:
                found[question.query_id] = question
    if not found:
        raise UserError(
            f"{held.name}: its queries must be questions of the tasks that grade, but none is; name the tasks that it was "
            "collected from"
        )
    return found


def _pairs(
    library: Library, held: LLMLog, vectors: Array, near: int, known: set[str]
) -> Iterator[tuple[Template, str]]:
    """Pair each template with its nearest held-back queries; all nearest first, so that an early end is balanced."""
    tasks, ids = held.queries["task"].to_list(), held.queries["query_id"].to_list()
    rows_of = {task: np.array([row for row, name in enumerate(tasks) if name == task]) for task in set(tasks)}
    rows_of = {task: rows[[ids[row] in known for row in rows]] for task, rows in rows_of.items()}
    own = {key: row for row, key in enumerate(library.queries.select("task", "query_id").iter_rows())}
    turns: list[tuple[int, int, Template, str]] = []
    for number, one in enumerate(library.templates):
        rows = rows_of.get(one.task, np.empty(0, dtype=np.int64))
        sources = library.vectors[[own[one.task, query] for query in one.queries]]
        similarity = (vectors[rows] @ sources.T).max(axis=1) if len(rows) else np.empty(0)
        for turn, place in enumerate(np.argsort(-similarity, kind="stable")[:near]):
            turns.append((turn, number, one, ids[rows[place]]))
    for _, _, one, query in sorted(turns, key=lambda entry: entry[:2]):
        yield one, query


def _requests(
    validation: Validation, questions: Mapping[str, Question], pairs: Sequence[tuple[Template, str]]
) -> Iterator[Request]:
    llm, style = validation.llm, validation.llm.styles[0]
    asked: set[str] = set()
    for template, query in pairs:
        task, example = questions[query].task, questions[query].example
        prompt = task.prompt(example, style)
        sampling = llm.sampling(task.max_tokens[style], 0)
        if query not in asked:
            asked.add(query)
            yield Request(request_key((query, WITHOUT, 0)), llm.messages(prompt), sampling)
        guided = llm.messages(with_thoughts(prompt, [template.text]))
        yield Request(request_key((query, template.id, 0)), guided, sampling)


def _gains(
    answers: Mapping[CellKey, Record], questions: Mapping[str, Question], pairs: Sequence[tuple[Template, str]]
) -> dict[str, list[float]]:
    """Return, per template, the performance with it minus without it on each query where both are known."""
    grades: dict[CellKey, float] = {}
    for cell, entry in answers.items():
        question = questions[cell[0]]
        grades[cell] = question.task.grade(entry["response"], question.example).performance
    gains: dict[str, list[float]] = {}
    for template, query in pairs:
        with_it, without = (query, template.id, 0), (query, WITHOUT, 0)
        if with_it in grades and without in grades:
            gains.setdefault(template.id, []).append(grades[with_it] - grades[without])
    return gains
