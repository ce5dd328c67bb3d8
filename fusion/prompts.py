"""Guidance around a question: solved examples as earlier turns, or thoughts above it."""

from __future__ import annotations

import re
from collections.abc import Sequence

from fusion.engines.base import Message

THOUGHTS = "Thoughts that helped with similar questions:"
HIDDEN = "..."
"""Stands in a thought where the answer was."""


def few_shot(shots: Sequence[tuple[str, str]]) -> tuple[Message, ...]:
    """Return solved examples as earlier turns of the conversation.

    Args:
        shots: Prompts and their responses.
    """
    turns: list[Message] = []
    for prompt, response in shots:
        turns += [{"role": "user", "content": prompt}, {"role": "assistant", "content": response}]
    return tuple(turns)


def with_thoughts(prompt: str, thoughts: Sequence[str]) -> str:
    """Return a prompt below thoughts, one a line, as FusionFactory places them (arXiv:2507.10540, appendix).

    Args:
        prompt: Without thoughts it comes back as it is.
        thoughts: The most similar first.
    """
    if not thoughts:
        return prompt
    return "\n".join([THOUGHTS, *(f"- {' '.join(thought.split())}" for thought in thoughts), "", prompt])


def hide_answer(text: str, answer: str) -> str:
    """Return a text with every occurrence of an answer, as words of its own and in any case, replaced by `HIDDEN`."""
    if not (answer := answer.strip()):
        return text
    return re.sub(rf"(?<!\w){re.escape(answer)}(?!\w)", HIDDEN, text, flags=re.IGNORECASE)
