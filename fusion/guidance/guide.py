"""Base class of guides, which find the examples or thoughts for a question."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from fusion.guidance.pieces import Piece
from fusion.guidance.questions import GuidedQuestion
from graphrouter.errors import UserError

SHOWN = 3
"""Pieces that a guide looks for, where no other number is given."""


@dataclass(eq=False)
class Guide(ABC):
    """Finds solved examples or thoughts, never those of the question itself or of a query of equal wording.

    Attributes:
        shown: How many are looked for, at most.
    """

    kind: ClassVar[str]
    shown: int = SHOWN

    def __post_init__(self) -> None:
        if self.shown < 1:
            raise UserError(f"a guide must show 1 piece or more, but is to show {self.shown}")

    @property
    @abstractmethod
    def ranking(self) -> str:
        """Ranking that chose the responses that it shows or was mined from."""

    @abstractmethod
    def about(self) -> dict[str, Any]:
        """Return all that what it finds depends on, as JSON holds it."""

    @abstractmethod
    def find(self, asked: Sequence[GuidedQuestion], style: str | None = None) -> list[tuple[Piece, ...]]:
        """Return, for each question, what is shown with it, the nearest first.

        Args:
            asked: Questions.
            style: Prompting style that they are asked in; None where prompts have no styles.
        """
