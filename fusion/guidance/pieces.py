"""Pieces of a guide: solved examples or thoughts, as many as fit into a prompt."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from fusion.engines.base import Message
from fusion.prompts import few_shot, with_thoughts
from graphrouter.errors import UserError, suggest

KINDS = ("few_shot", "thought")
"""Solved examples as earlier turns, or thoughts above the question."""

Fits = Callable[[Sequence[Message]], bool]
"""Whether a whole conversation is within the token budget."""


@dataclass(frozen=True)
class Piece:
    """A solved example or a thought.

    Attributes:
        source: The query that the example is of, or the id of the template.
        text: The response, or the thought.
        prompt: The prompt of an example; empty for a thought.
    """

    source: str
    text: str
    prompt: str = ""


def check_kind(kind: str) -> None:
    """Refuse what is no kind of guide.

    Raises:
        UserError: If so.
    """
    if kind not in KINDS:
        raise UserError(f"a guide must be {' or '.join(KINDS)}, but is {kind!r}{suggest(kind, KINDS)}")


def compose(kind: str, prompt: str, pieces: Sequence[Piece]) -> tuple[Message, ...]:
    """Return the conversation that asks a prompt with these pieces, in the form that `fusion.prompts` gives them.

    Args:
        kind: One of `KINDS`.
        prompt: The question.
        pieces: The nearest first; without any, the question stands alone.
    """
    if kind == "few_shot":
        before = few_shot([(piece.prompt, piece.text) for piece in pieces])
        return (*before, {"role": "user", "content": prompt})
    return ({"role": "user", "content": with_thoughts(prompt, [piece.text for piece in pieces])},)


def fit(kind: str, prompt: str, pieces: Sequence[Piece], fits: Fits) -> tuple[Piece, ...]:
    """Return the nearest pieces that fit into a prompt together, each whole.

    A piece that does not fit beside those nearer than it is left out, and the next one is tried.

    Args:
        kind: One of `KINDS`.
        prompt: The question.
        pieces: The nearest first.
        fits: Is asked about whole conversations.
    """
    if not pieces or fits(compose(kind, prompt, pieces)):
        return tuple(pieces)
    kept: list[Piece] = []
    for piece in pieces:
        if fits(compose(kind, prompt, [*kept, piece])):
            kept.append(piece)
    return tuple(kept)
