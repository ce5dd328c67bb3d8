"""MMLU: exam questions from 57 subjects (Hendrycks et al. 2021, arXiv:2009.03300)."""

from collections.abc import Mapping
from typing import Any

from fusion.tasks.base import Example, HubData, Task
from fusion.tasks.build import CHOICE_PROMPTS, SHORT_TOKENS, multiple_choice
from fusion.tasks.graders.choice import option_letter


def read(row: Mapping[str, Any]) -> Example:
    """The answer is the place of the right option; the subject is the subtask."""
    return multiple_choice(row["question"], row["choices"], int(row["answer"]), subtask=row["subject"])


TASK = Task(
    name="mmlu",
    domain="popular",
    metric="em_mc",
    description="Exam questions from 57 subjects, from law to physics, with four options.",
    hub=HubData("cais/mmlu", "all", "test"),
    read=read,
    grade=option_letter,
    prompts=CHOICE_PROMPTS,
    max_tokens=SHORT_TOKENS,
)
