"""Which questions are asked and what is shown with them, where another log guides a collection."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from fusion.guidance import SHOWN, TOKENS, Guidance, Room, Spec, find_guidance, find_room, make_guide
from fusion.guidance.questions import GuidedQuestion
from fusion.llms import LLM
from fusion.tasks.base import STYLES
from fusion.tasks.question import Question
from graphrouter.errors import UserError, suggest
from graphrouter.prepared import PreparedLog
from graphrouter.splits import PARTS


@dataclass(frozen=True)
class Guiding:
    """Settings of a collection that a log guides.

    Attributes:
        source: The log whose training queries guide.
        specs: The guides; none, where the log only says which questions are asked.
        part: Only questions of this part of the log's split are asked; None for all.
        styles: Prompting styles in which guides are shown; None for all that are asked.
        shown: Examples or thoughts that a guide looks for, at most.
        tokens: Most tokens of a guided prompt.
        encoder: Place of the encoder of libraries, if it was a folder that has moved.
        kept: Folder in which an earlier run may have kept what the guides found.
    """

    source: PreparedLog
    specs: Sequence[Spec] = ()
    part: str | None = None
    styles: Sequence[str] | None = None
    shown: int = SHOWN
    tokens: int = TOKENS
    encoder: str | None = None
    kept: Path | None = None

    def __post_init__(self) -> None:
        if self.part is not None and self.part not in PARTS:
            raise UserError(f"a part must be {', '.join(PARTS)}, but is {self.part!r}{suggest(self.part, PARTS)}")
        for style in self.styles or ():
            if style not in STYLES:
                raise UserError(f"a guide's style must be among {', '.join(STYLES)}, but is {style!r}")

    def choose(self, questions: Sequence[Question]) -> list[Question]:
        """Return the questions of the part, each with the part that it is of."""
        parts = self.source.parts_of([question.query for question in questions])
        known = [replace(question, part=part) for question, part in zip(questions, parts, strict=True)]
        return [question for question in known if self.part is None or question.part == self.part]

    def find(self, asked: Sequence[Question], known: Sequence[Question], llms: Sequence[LLM]) -> list[Guidance]:
        """Return the guidance of each guide.

        Args:
            asked: The questions of the plan.
            known: All questions of its tasks: they tell how a training query is asked in another style.
            llms: Who is asked, each in its styles.

        Raises:
            UserError: If a guide cannot be made, or would be shown to nobody.
        """
        used = [style for style in STYLES if any(style in llm.styles for llm in llms)]
        styles = [style for style in used if self.styles is None or style in self.styles]
        if self.specs and not styles:
            raise UserError(
                f"the guides are for the styles {', '.join(self.styles or ())}, but the LLMs are asked in "
                f"{', '.join(used)}; name one of these"
            )
        prompts = {style: self._prompts(known, style) for style in styles if style != STYLES[0]}
        found = []
        for spec in self.specs:
            guide = make_guide(spec, self.source, shown=self.shown, prompts=prompts, encoder=self.encoder)
            found.append(
                find_guidance(
                    spec.name,
                    guide,
                    [GuidedQuestion(one.query_id, one.query, one.task.name) for one in asked],
                    styles,
                    self.kept,
                )
            )
        return found

    def _prompts(self, known: Sequence[Question], style: str) -> dict[str, str]:
        """Return how the source's queries are asked in a style, by id; only those that are worded as in the tasks."""
        texts = dict(self.source.log.queries.select("query_id", "query").iter_rows())
        return {
            question.query_id: question.task.prompt(question.example, style)
            for question in known
            if texts.get(question.query_id) == question.query
        }

    def rooms(self, llms: Sequence[LLM]) -> dict[str, Room]:
        """Return how long the guided prompts of each LLM may be."""
        return {llm.name: find_room(llm, self.tokens) for llm in llms} if self.specs else {}
