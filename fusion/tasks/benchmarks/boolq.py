"""BoolQ: yes or no questions on a passage of Wikipedia (Clark et al. 2019, arXiv:1905.10044)."""

from collections.abc import Mapping
from typing import Any

from fusion.tasks.base import Example, HubData, Task
from fusion.tasks.build import STEPS
from fusion.tasks.graders.text import yes_no


def read(row: Mapping[str, Any]) -> Example:
    """The answer is a boolean."""
    question = row["question"].strip().rstrip("?")
    text = f"Passage: {row['passage'].strip()}\n\nQuestion: {question}?"
    return Example("", text, "yes" if row["answer"] else "no")


TASK = Task(
    name="boolq",
    domain="reading",
    metric="yes_no",
    description="Yes or no questions that people asked, on a passage that answers them.",
    hub=HubData("google/boolq", "default", "validation"),
    read=read,
    grade=yes_no,
    prompts={
        "direct": "{question}\n\nAnswer with yes or no only.",
        "reasoning": f"{{question}}\n\n{STEPS} 'Answer: yes' or 'Answer: no'.",
    },
    max_tokens={"direct": 16, "reasoning": 1024},
)
