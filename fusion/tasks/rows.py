"""Rows of a user's JSONL: ``question`` and ``ground_truth``, and optionally ``id, choices, subtask, source_split``."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from fusion.tasks.base import Example, MetricGrader
from fusion.tasks.build import multiple_choice
from fusion.tasks.graders.choice import LETTERS


def read_row(grader: MetricGrader, row: Mapping[str, Any]) -> Example:
    """Return the example of a row.

    Args:
        grader: Grader of the task. The ground truth must be of its form: text or a list of texts, the letter or the text of
            an option, or, for code, an object with ``tests`` and ``names``.
        row: Row of the JSONL.

    Raises:
        ValueError: If a value has the wrong form.
        KeyError: If ``question`` or ``ground_truth`` is missing.
    """
    gold, choices = row["ground_truth"], row.get("choices") or []
    if not isinstance(choices, list) or not all(isinstance(choice, str) for choice in choices):
        raise ValueError(f"choices must be a list of texts, but is {choices!r}")
    example = Example("", _question(row), _code(grader.metric, gold) if grader.gold == "code" else _text(gold))
    by_letter = grader.gold == "letter"
    if choices or by_letter:
        shown = multiple_choice(example.question, choices, _letter(gold, choices) if by_letter else 0)
        example = shown if by_letter else replace(shown, ground_truth=example.ground_truth)
    identity, subtask, split = (
        str(row[key]) if row.get(key) is not None else None for key in ("id", "subtask", "source_split")
    )
    return replace(example, id=identity or "", subtask=subtask, source_split=split)


def _question(row: Mapping[str, Any]) -> str:
    question = row["question"]
    if not isinstance(question, str) or not question.strip():
        raise ValueError(f"question must be text, but is {question!r}")
    return question


def _text(gold: Any) -> str:
    """Return a ground truth as an example holds it: text, or the JSON of a list of texts."""
    if isinstance(gold, bool):
        return "yes" if gold else "no"
    if isinstance(gold, (int, float)):
        return str(gold)
    if isinstance(gold, str) and gold.strip():
        return gold
    if isinstance(gold, list) and gold and all(isinstance(text, str) and text.strip() for text in gold):
        return json.dumps(gold, ensure_ascii=False)
    raise ValueError(f"ground_truth must be text or a list of texts, but is {gold!r}")


def _letter(gold: Any, choices: list[str]) -> int:
    """Return the place of the option that a ground truth names by its text or its letter, such as B, (b) or B."""
    if gold in choices:
        return choices.index(gold)
    letter = re.fullmatch(r"\s*\(?([A-Za-z])[.):]?\s*", gold) if isinstance(gold, str) else None
    if letter and letter[1].upper() in LETTERS[: len(choices)]:
        return LETTERS.index(letter[1].upper())
    raise ValueError(f"ground_truth must be the letter or the text of one of {len(choices)} choices, but is {gold!r}")


def _code(metric: str, gold: Any) -> str:
    """Return the ground truth of code as JSON; its tests may be given as lines."""
    if not isinstance(gold, dict) or not {"tests", "names"} <= set(gold) <= {"tests", "names", "setup", "prompt"}:
        raise ValueError(
            f"for {metric} ground_truth must be an object with tests and names, and optionally setup and prompt"
        )
    tests = "\n".join(gold["tests"]) if isinstance(gold["tests"], list) else gold["tests"]
    names = [gold["names"]] if isinstance(gold["names"], str) else gold["names"]
    if not isinstance(tests, str) or not isinstance(names, list) or not names:
        raise ValueError(f"for {metric} tests must be Python code and names what it uses of the response's code")
    return json.dumps({**gold, "tests": tests, "names": names})
