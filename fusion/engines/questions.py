"""Ends the answer of a model without a chat template, which goes on with a question of its own."""

from __future__ import annotations

from collections.abc import Sequence


def cut_at_question(text: str, marks: Sequence[str]) -> str:
    """Return a response up to the first question that stands behind an answer.

    Args:
        text: The response. What begins with a mark is not cut there: nothing has been answered by then.
        marks: What questions begin with.
    """
    begin = len(text) - len(text.lstrip())
    places = [place for mark in marks if (place := text.find(mark, begin + 1)) > 0]
    return text[: min(places)] if places else text
