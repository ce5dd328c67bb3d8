"""Which cells a collection has, and what is asked for each."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

from fusion.answers import CellKey, request_key
from fusion.asking import LLMJob
from fusion.engines.base import Message, Request
from fusion.guidance.cache import Guidance
from fusion.guidance.pieces import compose, fit
from fusion.guidance.tokens import Room
from fusion.llms import LLM
from fusion.tasks.question import Question
from graphrouter.errors import UserError


@dataclass(frozen=True)
class CollectionCandidate:
    """An LLM in a style, shown a guide or not: what stands as an LLM in the log.

    Attributes:
        llm: Who is asked.
        style: In which style.
        guide: Examples or thoughts that are shown with each question, or None.
    """

    llm: LLM
    style: str
    guide: Guidance | None = None

    @property
    def guide_name(self) -> str | None:
        """Name of the guide, or None."""
        return self.guide.name if self.guide else None

    @property
    def name(self) -> str:
        """Name in the log."""
        return self.llm.candidate(self.style, self.guide_name)


@dataclass(frozen=True)
class Cell:
    """One (query, candidate, draw) and what is asked for it.

    Attributes:
        question: The query.
        candidate: Who is asked, and how.
        draw: The how-manieth time.
        request: Request to the engine.
        shown: How many examples or thoughts of the guide are in the prompt.
    """

    question: Question
    candidate: CollectionCandidate
    draw: int
    request: Request
    shown: int = 0

    @property
    def llm(self) -> LLM:
        """Who is asked."""
        return self.candidate.llm

    @property
    def key(self) -> CellKey:
        """The record's key in the log."""
        return self.question.query_id, self.candidate.name, self.draw


@dataclass(frozen=True)
class CollectionPlan:
    """Questions x LLMs x styles x guides x draws.

    Attributes:
        questions: In the order in which they are asked.
        llms: Each with its styles.
        draws: Answers per query and candidate.
        seed: Seed of the first draw; draw d is sampled with ``seed + d``.
        guides: Each makes a further candidate of an LLM, in each of the guide's styles.
        rooms: By LLM's name, how long its guided prompts may be.
        encoder: Spec of the encoder that suits the questions, for the log; None where none is known.
    """

    questions: Sequence[Question]
    llms: Sequence[LLM]
    draws: int = 1
    seed: int = 0
    guides: Sequence[Guidance] = ()
    rooms: Mapping[str, Room] = field(default_factory=dict)
    encoder: str | None = None

    def __post_init__(self) -> None:
        names = [candidate.name for candidate in self.candidates]
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
    def candidates(self) -> list[CollectionCandidate]:
        """All candidates; the one without a guide stands before those with."""
        return [
            CollectionCandidate(llm, style, guide)
            for llm in self.llms
            for style in llm.styles
            for guide in (None, *(guide for guide in self.guides if style in guide.styles))
        ]

    @cached_property
    def cells(self) -> list[Cell]:
        """All cells; a run that ends early has asked every LLM about the same first questions."""
        return [
            self._cell(question, candidate, draw)
            for draw in range(self.draws)
            for question in self.questions
            for candidate in self.candidates
        ]

    def _cell(self, question: Question, candidate: CollectionCandidate, draw: int) -> Cell:
        max_tokens = question.task.max_tokens[candidate.style]
        sampling = candidate.llm.sampling(max_tokens, self.seed + draw)
        messages, shown = self._conversation(question, candidate, sampling.max_tokens)
        key = request_key((question.query_id, candidate.name, draw))
        return Cell(question, candidate, draw, Request(key, messages, sampling), shown)

    def _conversation(
        self, question: Question, candidate: CollectionCandidate, max_tokens: int
    ) -> tuple[tuple[Message, ...], int]:
        """Return the messages, and how many pieces of the guide are in them."""
        llm, style, guide = candidate.llm, candidate.style, candidate.guide
        prompt = question.task.prompt(question.example, style)
        if guide is None:
            return llm.messages(prompt), 0
        room = self.rooms[llm.name]
        pieces = guide.found[question.query_id, style]
        kept = fit(guide.kind, prompt, pieces, lambda turns: room.fits(llm.with_system(turns), max_tokens))
        return llm.with_system(compose(guide.kind, prompt, kept)), len(kept)

    def unguided(self) -> dict[str, tuple[int, int]]:
        """Return, by candidate with a guide, in how many cells the guide has nothing to show, and of how many."""
        found: dict[str, tuple[int, int]] = {}
        for cell in self.cells:
            if cell.candidate.guide:
                bare, count = found.get(cell.candidate.name, (0, 0))
                found[cell.candidate.name] = bare + (not cell.shown), count + 1
        return found

    def jobs(self) -> list[LLMJob]:
        """Return the requests to each LLM."""
        asked: dict[str, list[Request]] = {llm.name: [] for llm in self.llms}
        for cell in self.cells:
            asked[cell.llm.name].append(cell.request)
        return [LLMJob(llm, asked[llm.name]) for llm in self.llms]


def interleave(questions: Sequence[Sequence[Question]]) -> Iterator[Question]:
    """Take a question of each task in turn, so that a run that ends early is balanced over tasks."""
    longest = max((len(of_task) for of_task in questions), default=0)
    for index in range(longest):
        for of_task in questions:
            if index < len(of_task):
                yield of_task[index]
