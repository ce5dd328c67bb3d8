"""ARC-Challenge: grade-school science (Clark et al. 2018, arXiv:1803.05457)."""

from collections.abc import Mapping
from typing import Any

from fusion.tasks.base import Example, HubData, Task
from fusion.tasks.build import CHOICE_PROMPTS, SHORT_TOKENS, labelled, multiple_choice
from fusion.tasks.graders.choice import option_letter


def read(row: Mapping[str, Any]) -> Example:
    """Find the gold option by its label: some rows have 1 to 4 for A to D, and some have three or five options."""
    choices = row["choices"]
    return multiple_choice(row["question"], choices["text"], labelled(choices["label"], row["answerKey"]), row["id"])


TASK = Task(
    name="arc_challenge",
    domain="commonsense",
    metric="em_mc",
    description="Grade-school science questions that simple retrieval gets wrong, with three to five options.",
    hub=HubData("allenai/ai2_arc", "ARC-Challenge", "test"),
    read=read,
    grade=option_letter,
    prompts=CHOICE_PROMPTS,
    max_tokens=SHORT_TOKENS,
)
