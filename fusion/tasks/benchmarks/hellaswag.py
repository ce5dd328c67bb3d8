"""HellaSwag: how does a scene go on? (Zellers et al. 2019, arXiv:1905.07830). Its test split has no answers."""

from collections.abc import Mapping
from typing import Any

from fusion.tasks.base import Example, HubData, Task
from fusion.tasks.build import CHOICE_PROMPTS, SHORT_TOKENS, multiple_choice
from fusion.tasks.graders.choice import option_letter


def read(row: Mapping[str, Any]) -> Example:
    """Ask for the ending; the label is the place of the right one, as text."""
    if row["label"] == "":
        raise ValueError("the gold answer must be a number, but is empty")
    question = f"How does this text go on?\n\n{row['ctx'].strip()}"
    return multiple_choice(question, row["endings"], int(row["label"]), subtask=row["activity_label"])


TASK = Task(
    name="hellaswag",
    domain="commonsense",
    metric="em_mc",
    description="Everyday scenes whose most plausible continuation is chosen among four.",
    hub=HubData("Rowan/hellaswag", "default", "validation"),
    read=read,
    grade=option_letter,
    prompts=CHOICE_PROMPTS,
    max_tokens=SHORT_TOKENS,
)
