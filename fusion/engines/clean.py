"""Mending of what servers and models send, so that tables and files can hold it."""

from __future__ import annotations

import json
from typing import Any

from fusion.text import encodable

LONGEST_INTEGER = 40
"""Digits of an integer that is read as one; Python refuses those of more than 4,300 with the whole text."""
MOST_TOKENS = 10**9
"""A larger count of tokens is none: the longest context that any model has claimed is a tenth of it."""


def token_count(value: object) -> int | None:
    """Return a number of tokens; None where it is absent or cannot be one."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= MOST_TOKENS:
        return None
    return int(value) if value == int(value) else None


def token_counts(prompt: object, response: object, text: str) -> tuple[int | None, int | None]:
    """Return the tokens of a prompt and of its response, each None where it is no count.

    A zero is none for a prompt, which has a token at the least, nor for a response that has text.

    Args:
        prompt: Stated tokens of the prompt.
        response: Stated tokens of the response.
        text: Response, thinking included.
    """
    output = token_count(response)
    return token_count(prompt) or None, None if output == 0 and text else output


def parse_json(text: str | bytes) -> Any:
    """Parse JSON; a huge integer becomes a float.

    Raises:
        ValueError: If it is no JSON.
        RecursionError: If it is nested too deeply.
    """
    return json.loads(text, parse_int=_integer)


def _integer(digits: str) -> float:
    return int(digits) if len(digits) <= LONGEST_INTEGER else float(digits)


def mend_answer(entry: dict[str, Any]) -> None:
    """Mend an answer that an earlier version wrote down as the server sent it, so that no table can hold it."""
    if "response" in entry:
        text = entry["response"] + (entry.get("reasoning") or "")
        counts = token_counts(entry["input_tokens"], entry["output_tokens"], text)
        entry["input_tokens"], entry["output_tokens"] = counts
        for name in ("response", "reasoning", "finish_reason"):
            if entry.get(name):
                entry[name] = encodable(entry[name])
