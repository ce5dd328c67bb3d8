"""Items of a task generator, and the side of the split that an item falls on."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, field
from random import Random

from fusion.tasks.build import with_options
from graphrouter.splits import normalise_text

LETTERS = "ABCD"

LEVELS = (1, 2, 3, 4)
"""Difficulty: 1 is for every model of the pool, 4 for none but specialists, or for none."""

EVALUATION_SHARE = 0.15
"""Share of all possible keys that is kept for evaluation, and so never trained on."""


@dataclass(frozen=True)
class Item:
    """A question with its answer.

    Attributes:
        question: The question, with its passage, without its options.
        answer: The gold answer.
        steps: Intermediate steps that lead to the answer, without the answer's own line.
        wrong: Three or more plausible wrong answers, for multiple choice.
        choices: The options, where the answer is the letter of one.
        key: Text that training and evaluation must not share; empty for the whole text.
    """

    question: str
    answer: str
    steps: str
    wrong: tuple[str, ...] = ()
    choices: tuple[str, ...] = ()
    key: str = ""

    @property
    def text(self) -> str:
        """The question as it is asked, with its options below where it has them."""
        return with_options(self.question, self.choices) if self.choices else self.question

    @property
    def reasoning(self) -> str:
        """The response with steps: the steps, then a last line with the answer."""
        return f"{self.steps}\nAnswer: {self.answer}"


Make = Callable[[Random, str, int], Item]
"""Random numbers, topic and level to an item."""


@dataclass(frozen=True)
class Generator:
    """A task of the micropool.

    Attributes:
        name: As in the log.
        domain: As in FusionBench.
        metric: Name of the grader in `fusion.tasks`.
        description: A sentence on what the task asks.
        topics: Parts of the task that a model can be good at one by one.
        make: Makes an item.
        max_tokens: Most tokens of a response, per style.
    """

    name: str
    domain: str
    metric: str
    description: str
    topics: tuple[str, ...]
    make: Make
    max_tokens: dict[str, int] = field(default_factory=lambda: {"direct": 96, "reasoning": 96})


def is_evaluation(item: Item) -> bool:
    """Whether an item is kept for evaluation, by a hash of its normalised key; all others are for training."""
    digest = hashlib.blake2b(normalise_text(item.key or item.text).encode(), digest_size=8).digest()
    return int.from_bytes(digest, "big") < EVALUATION_SHARE * 2**64


def draw(generator: Generator, rng: Random, topic: str, level: int, *, evaluation: bool) -> Item:
    """Return a random item of one side of the split."""
    while True:
        item = generator.make(rng, topic, level)
        if is_evaluation(item) == evaluation:
            return item


def near_numbers(rng: Random, answer: int) -> tuple[str, ...]:
    """Return three other numbers close to a number."""
    spread = max(4, abs(answer) // 8)
    others = [
        answer + delta for delta in (*range(-spread, 0), *range(1, spread + 1)) if answer + delta >= min(0, answer)
    ]
    return tuple(str(number) for number in rng.sample(others, 3))
