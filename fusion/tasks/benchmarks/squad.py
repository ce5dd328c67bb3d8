"""SQuAD 1.1: questions on a passage of Wikipedia (Rajpurkar et al. 2016, arXiv:1606.05250). Its test split is not public."""

from collections.abc import Mapping
from typing import Any

from fusion.tasks.base import Example, HubData, Task
from fusion.tasks.build import STEPS, gold_texts
from fusion.tasks.graders.text import contains_match


def read(row: Mapping[str, Any]) -> Example:
    """The answers of all annotators are right."""
    question = f"Passage: {row['context'].strip()}\n\nQuestion: {row['question'].strip()}"
    return Example(row["id"], question, gold_texts(row["answers"]["text"]))


TASK = Task(
    name="squad",
    domain="reading",
    metric="cem",
    description="Questions on a passage of Wikipedia whose answer stands in the passage.",
    hub=HubData("rajpurkar/squad", "plain_text", "validation"),
    read=read,
    grade=contains_match,
    prompts={
        "direct": "{question}\n\nAnswer with a few words from the passage only.",
        "reasoning": f"{{question}}\n\n{STEPS} 'Answer: ...', with a few words from the passage.",
    },
    max_tokens={"direct": 64, "reasoning": 1024},
)
