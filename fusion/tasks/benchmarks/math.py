"""MATH: competition mathematics (Hendrycks et al. 2021, arXiv:2103.03874), from a copy with all subjects in one configuration."""

from collections.abc import Mapping
from typing import Any

from fusion.tasks.base import Example, HubData, Task
from fusion.tasks.graders.answers import boxed
from fusion.tasks.graders.symbolic import math_equal


def read(row: Mapping[str, Any]) -> Example:
    """Take what the solution boxes last as the ground truth."""
    gold = boxed(row["solution"])
    if gold is None:
        raise ValueError("the solution must have its answer in \\boxed{}")
    return Example("", row["problem"].strip(), gold, subtask=row["type"])


TASK = Task(
    name="math",
    domain="math",
    metric="math_equal",
    description="Competition mathematics, from algebra to precalculus, whose answer is an expression.",
    hub=HubData("DigitalLearningGmbH/MATH-lighteval", "default", "test"),
    read=read,
    grade=math_equal,
    prompts={
        "direct": "{question}\n\nAnswer with the final answer in \\boxed{} only.",
        "reasoning": "{question}\n\nThink step by step. Then give the final answer in \\boxed{}.",
    },
    max_tokens={"direct": 128, "reasoning": 2048},
)
