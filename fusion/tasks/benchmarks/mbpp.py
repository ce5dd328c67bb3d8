"""MBPP: short Python functions (Austin et al. 2021, arXiv:2108.07732).

The three tests of a problem are shown in its prompt, as in the paper: without them neither the name of the function nor its
arguments are known. So a response can pass by answering just these three calls; the benchmark has this weakness by design.
"""

import ast
import json
from collections.abc import Mapping
from typing import Any

from fusion.tasks.base import Example, HubData, Task
from fusion.tasks.build import CODE_TOKENS
from fusion.tasks.graders.code import pass_at_1


def read(row: Mapping[str, Any]) -> Example:
    """Grade on the tests that are shown; of the reference solution, keep only its imports, for the tests, and its names."""
    shown = "\n".join(row["test_list"])
    tests = f"{row['test_setup_code']}\n{shown}"
    used = {node.id for node in ast.walk(ast.parse(tests)) if isinstance(node, ast.Name)}
    imports, defined = _outline(row["code"])
    gold = {"tests": tests, "names": sorted(used & defined), "setup": imports}
    if not gold["names"]:
        raise ValueError("the tests must use something that the reference solution defines")
    question = f"{row['text'].strip()}\n\nThe code must pass these tests:\n{shown}"
    return Example(str(row["task_id"]), question, json.dumps(gold))


def _outline(code: str) -> tuple[str, set[str]]:
    """Return the import statements of a program, and the other names that it defines."""
    body = ast.parse(code).body
    imports = [node for node in body if isinstance(node, (ast.Import, ast.ImportFrom))]
    others = [node for node in body if node not in imports]
    named = {node.name for node in others if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef))}
    assigned = {
        name.id
        for node in others
        if isinstance(node, ast.Assign)
        for name in node.targets
        if isinstance(name, ast.Name)
    }
    return "\n".join(map(ast.unparse, imports)), named | assigned


TASK = Task(
    name="mbpp",
    domain="code",
    metric="pass@1",
    description="Short Python functions, described in a sentence and checked by tests that are shown.",
    hub=HubData("google-research-datasets/mbpp", "full", "test"),
    read=read,
    grade=pass_at_1,
    prompts={
        "direct": "Write a Python function. {question}\n\nAnswer with the code only, in one ```python block.",
        "reasoning": "Write a Python function. {question}\n\nThink step by step. Then give the whole code in one ```python block.",
    },
    max_tokens=CODE_TOKENS,
)
