"""Natural Questions, open domain: questions from web search with short answers (Lee et al. 2019, arXiv:1906.00300)."""

from collections.abc import Mapping
from typing import Any

from fusion.tasks.base import Example, HubData, Task
from fusion.tasks.build import SHORT_PROMPTS, SHORT_TOKENS, gold_texts
from fusion.tasks.graders.text import contains_match


def read(row: Mapping[str, Any]) -> Example:
    """Every listed answer is right."""
    return Example("", row["question"].strip().rstrip("?") + "?", gold_texts(row["answer"]))


TASK = Task(
    name="natural_qa",
    domain="world_knowledge",
    metric="cem",
    description="Questions that people asked a search engine, answered from memory in a few words.",
    hub=HubData("google-research-datasets/nq_open", "nq_open", "validation"),
    read=read,
    grade=contains_match,
    prompts=SHORT_PROMPTS,
    max_tokens=SHORT_TOKENS,
)
