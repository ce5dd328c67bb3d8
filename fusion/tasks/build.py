"""Common parts of tasks: prompts, and how options are shown."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from fusion.tasks.base import Example
from fusion.tasks.graders.choice import LETTERS

STEPS = "Think step by step. Then end with a line of the form"

CHOICE_PROMPTS = {
    "direct": "{question}\n\nAnswer with the letter of the right option only.",
    "reasoning": f"{{question}}\n\n{STEPS} 'Answer: LETTER'.",
}
SHORT_PROMPTS = {
    "direct": "{question}\n\nAnswer with a name, a number or a few words only.",
    "reasoning": f"{{question}}\n\n{STEPS} 'Answer: ...', with a name, a number or a few words.",
}
SHORT_TOKENS = {"direct": 64, "reasoning": 1024}
CODE_TOKENS = {"direct": 1024, "reasoning": 2048}


def multiple_choice(
    question: str, options: Sequence[str], gold: int, identity: str = "", subtask: str | None = None
) -> Example:
    """Return an example with lettered options below the question.

    Args:
        question: Without the options.
        options: Their texts, in the order in which they are shown.
        gold: The place of the right one.
        identity: The example's id, or empty.
        subtask: A finer label.

    Raises:
        ValueError: If there is no such option, or there are fewer than two or more than ten.
    """
    if not 2 <= len(options) <= len(LETTERS):
        raise ValueError(f"there must be 2 to {len(LETTERS)} options, but there are {len(options)}")
    if not 0 <= gold < len(options):
        raise ValueError(f"the gold answer must be one of {len(options)} options, but is number {gold}")
    shown = tuple(option.strip() for option in options)
    return Example(identity, with_options(question.strip(), shown), LETTERS[gold], shown, subtask)


def with_options(question: str, options: Sequence[str]) -> str:
    """Return a question with lettered options below it."""
    return "\n".join([question, "", *(f"{letter}. {option}" for letter, option in zip(LETTERS, options, strict=False))])


def labelled_choice(row: Mapping[str, Any], question: str = "question") -> Example:
    """Return the example of a row that names the right option by its label, such as ``B`` or ``2``.

    Args:
        row: Has ``choices`` with lists of ``label`` and ``text``, the right label in ``answerKey``, and ``id``.
        question: Column of the question.

    Raises:
        ValueError: If the label is none of the options'; in a split without answers it is empty.
    """
    labels, label = row["choices"]["label"], row["answerKey"]
    if label not in labels:
        raise ValueError(f"the gold answer must be one of {', '.join(labels)}, but is {label!r}")
    return multiple_choice(row[question], row["choices"]["text"], list(labels).index(label), row["id"])


def gold_texts(answers: Iterable[str]) -> str:
    """Return gold answers as the JSON list that an example holds, each once.

    Raises:
        ValueError: If there is none.
    """
    texts = list(dict.fromkeys(answer for answer in answers if answer.strip()))
    if not texts:
        raise ValueError("there must be a gold answer, but there is none")
    return json.dumps(texts, ensure_ascii=False)
