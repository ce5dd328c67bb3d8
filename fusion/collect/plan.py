"""Which cells a collection has, and what is asked for each."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

from fusion.answers import CellKey, request_key
from fusion.asking import Job
from fusion.engines.base import Request
from fusion.llms import LLM
from fusion.tasks.base import Example, Task
from graphrouter.errors import UserError


@dataclass(frozen=True)
class Question:
    """An example of a task, with its id in the log."""

    task: Task
    example: Example

    @property
    def query_id(self) -> str:
        """Id in the log."""
        return f"{self.task.name}-{self.example.id}"


@dataclass(frozen=True)
class Cell:
    """One (query, candidate, draw) and what is asked for it.

    Attributes:
        question: The query.
        llm: Who is asked.
        style: In which style.
        draw: The how-manieth time.
        request: What the engine gets.
    """

    question: Question
    llm: LLM
    style: str
    draw: int
    request: Request

    @property
    def key(self) -> CellKey:
        """The record's key in the log."""
        return self.question.query_id, self.llm.candidate(self.style), self.draw


@dataclass(frozen=True)
class Plan:
    """Questions x LLMs x styles x draws.

    Attributes:
        questions: In the order in which they are asked.
        llms: Each with its styles.
        draws: Answers per query and candidate.
        seed: Of the first draw; draw d is sampled with ``seed + d``.
    """

    questions: Sequence[Question]
    llms: Sequence[LLM]
    draws: int = 1
    seed: int = 0

    def __post_init__(self) -> None:
        names = [llm.candidate(style) for llm in self.llms for style in llm.styles]
        twice = next((name for name in names if names.count(name) > 1), None)
        if twice:
            raise UserError(f"each candidate must have a name of its own, but {twice!r} occurs twice; rename an LLM")
        cold = [llm.name for llm in self.llms if self.draws > 1 and llm.temperature == 0]
        if cold:
            raise UserError(
                f"several draws need a temperature above 0, but {', '.join(cold)} decodes greedily; "
                "set temperature in the LLMs' file, or ask for one draw"
            )

    @cached_property
    def cells(self) -> list[Cell]:
        """All cells; a run that ends early has asked every LLM about the same first questions."""
        return [
            self._cell(question, llm, style, draw)
            for draw in range(self.draws)
            for question in self.questions
            for llm in self.llms
            for style in llm.styles
        ]

    def _cell(self, question: Question, llm: LLM, style: str, draw: int) -> Cell:
        task = question.task
        request = Request(
            key=request_key((question.query_id, llm.candidate(style), draw)),
            messages=llm.messages(task.prompt(question.example, style)),
            sampling=llm.sampling(task.max_tokens[style], self.seed + draw),
        )
        return Cell(question, llm, style, draw, request)

    def jobs(self) -> list[Job]:
        """Return what is asked of each LLM."""
        asked: dict[str, list[Request]] = {llm.name: [] for llm in self.llms}
        for cell in self.cells:
            asked[cell.llm.name].append(cell.request)
        return [Job(llm, asked[llm.name]) for llm in self.llms]


def interleave(questions: Sequence[Sequence[Question]]) -> Iterator[Question]:
    """Take a question of each task in turn, so that a run that ends early is balanced over tasks."""
    longest = max((len(of_task) for of_task in questions), default=0)
    for index in range(longest):
        for of_task in questions:
            if index < len(of_task):
                yield of_task[index]
