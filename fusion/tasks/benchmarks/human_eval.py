"""HumanEval: Python functions to be completed from signature and docstring (Chen et al. 2021, arXiv:2107.03374)."""

import json
from collections.abc import Mapping
from typing import Any

from fusion.tasks.base import Example, HubData, Task
from fusion.tasks.build import CODE_TOKENS
from fusion.tasks.graders.code import pass_at_1


def read(row: Mapping[str, Any]) -> Example:
    """Grade on the hidden tests. The prompt stays without the space at its end, which some models stumble over."""
    name = row["entry_point"]
    gold = {"tests": f"{row['test']}\ncheck({name})", "names": [name], "prompt": row["prompt"]}
    return Example(row["task_id"], row["prompt"].rstrip(), json.dumps(gold))


TASK = Task(
    name="human_eval",
    domain="code",
    metric="pass@1",
    description="Python functions that are completed from their signature and docstring and checked by hidden tests.",
    hub=HubData("openai/openai_humaneval", "openai_humaneval", "test"),
    read=read,
    grade=pass_at_1,
    prompts={
        "direct": "Complete this Python function.\n\n```python\n{question}\n```\n\n"
        "Answer with the whole function only, in one ```python block.",
        "reasoning": "Complete this Python function.\n\n```python\n{question}\n```\n\n"
        "Think step by step. Then give the whole function in one ```python block.",
    },
    max_tokens=CODE_TOKENS,
)
