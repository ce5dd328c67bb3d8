"""CommonsenseQA: five options, everyday knowledge (Talmor et al. 2019, arXiv:1811.00937). Its test split has no answers."""

from collections.abc import Mapping
from typing import Any

from fusion.tasks.base import Example, HubData, Task
from fusion.tasks.build import CHOICE_PROMPTS, SHORT_TOKENS, labelled, multiple_choice
from fusion.tasks.graders.choice import option_letter


def read(row: Mapping[str, Any]) -> Example:
    """Find the gold option by its label."""
    choices = row["choices"]
    return multiple_choice(row["question"], choices["text"], labelled(choices["label"], row["answerKey"]), row["id"])


TASK = Task(
    name="commonsense_qa",
    domain="commonsense",
    metric="em_mc",
    description="Questions on everyday concepts and how they relate, with five options.",
    hub=HubData("tau/commonsense_qa", "default", "validation"),
    read=read,
    grade=option_letter,
    prompts=CHOICE_PROMPTS,
    max_tokens=SHORT_TOKENS,
)
