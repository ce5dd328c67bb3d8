"""OpenBookQA: elementary science, four options, the book closed (Mihaylov et al. 2018, arXiv:1809.02789)."""

from collections.abc import Mapping
from typing import Any

from fusion.tasks.base import Example, HubData, Task
from fusion.tasks.build import CHOICE_PROMPTS, SHORT_TOKENS, labelled_choice
from fusion.tasks.graders.choice import option_letter


def read(row: Mapping[str, Any]) -> Example:
    """The column of the question has another name here."""
    return labelled_choice(row, "question_stem")


TASK = Task(
    name="openbook_qa",
    domain="commonsense",
    metric="em_mc",
    description="Elementary science questions that combine a known fact with common sense, with four options.",
    hub=HubData("allenai/openbookqa", "main", "test"),
    read=read,
    grade=option_letter,
    prompts=CHOICE_PROMPTS,
    max_tokens=SHORT_TOKENS,
)
