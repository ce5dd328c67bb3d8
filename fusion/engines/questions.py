"""End of the answer of a model without a chat template, which goes on with a question of its own."""

from __future__ import annotations

from collections.abc import Sequence


def cut_at_question(text: str, marks: Sequence[str]) -> str:
    """Return a response up to the first question that stands behind an answer.

    Args:
        text: Response. What begins with a mark is not cut there: nothing has been answered by then.
        marks: Beginnings of questions.
    """
    begin = len(text) - len(text.lstrip())
    places = [place for mark in marks if (place := text.find(mark, begin + 1)) > 0]
    return text[: min(places)] if places else text
