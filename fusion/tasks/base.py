"""Task: examples, a prompt for each style, and a grader."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

STYLES = ("direct", "reasoning")
"""Prompting styles. Each makes a candidate of its own; that of reasoning is named ``LLM_think``, as in FusionBench."""


@dataclass(frozen=True)
class Example:
    """One question of a task.

    Attributes:
        id: Names it within the task; the same from run to run, whatever part of the task is taken.
        question: The question alone, with its passage or its options where it has them.
        ground_truth: The gold answer as text; JSON where it has parts (aliases, unit tests).
        choices: The options of a multiple choice question, in the order shown.
        subtask: A finer label, such as the subject within mmlu, or None.
        source_split: The split of the source that it comes from, or None.
    """

    id: str
    question: str
    ground_truth: str
    choices: tuple[str, ...] = ()
    subtask: str | None = None
    source_split: str | None = None


@dataclass(frozen=True)
class Grade:
    """Grade of one response.

    Attributes:
        performance: In [0, 1].
        prediction: The short answer that was read from the response; None where none could be read.
    """

    performance: float
    prediction: str | None = None


Grader = Callable[[str, Example], Grade]
"""Response and example to grade. Never raises for a response, however odd."""


@dataclass(eq=False)
class MetricGrader:
    """Grader of a metric, which says of itself what the metric's ground truths look like.

    Attributes:
        metric: Name of the metric, as it stands in a log.
        grade: Function that grades.
        gold: Form of a ground truth: ``text`` (or the JSON of a list of accepted texts), ``letter`` (of the right option)
            or ``code`` (JSON with tests, which is no answer).
        needs: Contents that a gold answer must have, for the error that refuses one; empty where any text will do.
        response: Response that gives a gold answer; ``{}`` stands for the answer.
    """

    metric: str
    grade: Grader
    gold: Literal["text", "letter", "code"] = "text"
    needs: str = ""
    response: str = "{}"

    def __post_init__(self) -> None:
        functools.update_wrapper(self, self.grade)

    def __call__(self, response: str, example: Example) -> Grade:
        """Grade a response; never raises, however odd it is."""
        return self.grade(response, example)


@dataclass(frozen=True)
class HubData:
    """A data set on the hub that a task's examples come from.

    Attributes:
        path: Data set on the Hugging Face hub, ``owner/name``.
        config: Its configuration, or None.
        split: The split that is asked.
    """

    path: str
    config: str | None = None
    split: str = "test"


@dataclass(frozen=True)
class Task:
    """A benchmark.

    Attributes:
        name: As in logs.
        domain: Group of tasks, as in FusionBench.
        metric: How ``performance`` is measured; written to the log.
        description: A sentence on what it asks, for the task node of the graph.
        read: A row of the source to an example. The id may be empty: then a hash of the question names it. Raises a
            ValueError where the row has no gold answer.
        grade: The grader.
        prompts: Per style, the text around the question: ``{question}`` stands for it.
        hub: The data set on the hub that its examples come from; None where `examples` is given.
        examples: The JSONL file that its examples come from; None where `hub` is given.
        max_tokens: Per style, the most tokens that a response needs.
    """

    name: str
    domain: str
    metric: str
    description: str
    read: Callable[[Mapping[str, Any]], Example]
    grade: Grader
    prompts: Mapping[str, str]
    hub: HubData | None = None
    examples: Path | None = None
    max_tokens: Mapping[str, int] = field(default_factory=lambda: {"direct": 512, "reasoning": 1024})

    def prompt(self, example: Example, style: str = "direct") -> str:
        """Return the prompt in one of `STYLES`. The direct prompt is also the log's ``query``."""
        return self.prompts[style].replace("{question}", example.question)
