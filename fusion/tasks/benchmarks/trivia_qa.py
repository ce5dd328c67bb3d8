"""TriviaQA without its documents: quiz questions (Joshi et al. 2017, arXiv:1705.03551). Its test split has no answers."""

from collections.abc import Mapping
from typing import Any

from fusion.tasks.base import Example, HubData, Task
from fusion.tasks.build import SHORT_PROMPTS, SHORT_TOKENS, gold_texts
from fusion.tasks.graders.text import contains_match


def read(row: Mapping[str, Any]) -> Example:
    """The value and its aliases are right."""
    answer = row["answer"]
    return Example(row["question_id"], row["question"].strip(), gold_texts([answer["value"], *answer["aliases"]]))


TASK = Task(
    name="trivia_qa",
    domain="world_knowledge",
    metric="cem",
    description="Quiz questions on general knowledge, answered from memory in a few words.",
    hub=HubData("mandarjoshi/trivia_qa", "rc.nocontext", "validation"),
    read=read,
    grade=contains_match,
    prompts=SHORT_PROMPTS,
    max_tokens=SHORT_TOKENS,
)
