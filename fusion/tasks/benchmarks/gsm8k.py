"""GSM8K: word problems whose answer is one number (Cobbe et al. 2021, arXiv:2110.14168)."""

from collections.abc import Mapping
from typing import Any

from fusion.tasks.base import Example, HubData, Task
from fusion.tasks.build import STEPS
from fusion.tasks.graders.numeric import numeric


def read(row: Mapping[str, Any]) -> Example:
    """Take the number after ``####`` as the ground truth."""
    _, mark, number = row["answer"].rpartition("####")
    if not mark:
        raise ValueError("the answer must end with '#### NUMBER'")
    return Example("", row["question"].strip(), number.strip().replace(",", ""))


TASK = Task(
    name="gsm8k",
    domain="math",
    metric="numeric",
    description="Grade-school mathematics word problems that take several steps and have one number as the answer.",
    hub=HubData("openai/gsm8k", "main", "test"),
    read=read,
    grade=numeric,
    prompts={
        "direct": "{question}\n\nAnswer with the final number only.",
        "reasoning": f"{{question}}\n\n{STEPS} '#### NUMBER'.",
    },
    max_tokens={"direct": 64, "reasoning": 1024},
)
