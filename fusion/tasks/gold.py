"""Checks that the gold answer of a user's own task can be reached: the grader must find it in itself."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace

from fusion.tasks.base import Example, Task
from fusion.tasks.find import SHIPPED, find_task
from fusion.tasks.graders import FUSIONBENCH, GRADERS
from fusion.tasks.graders.answers import aliases

NEEDS = {
    "numeric": "one number",
    "yes_no": "yes, no, true or false",
    "em_mc": "the letter of an option",
    "math_equal": "an expression with closed braces",
}
_OURS = "fusion.tasks.graders"


def gold_check(task: Task) -> Callable[[Example], None]:
    """Return a function that raises a ValueError where no response could be right.

    A task that comes with the package is not checked, nor is one with a grader of the user's own: what such a grader takes
    for an answer cannot be known. Tests of code are compiled and not run.
    """
    metric = FUSIONBENCH.get(task.metric, task.metric)
    shipped = task.name in SHIPPED and find_task(task.name) is task
    if shipped or metric not in GRADERS or not getattr(task.grade, "__module__", "").startswith(_OURS):
        return lambda example: None
    return _check_code if metric == "pass@1" else lambda example: _check_text(task, metric, example)


def _check_text(task: Task, metric: str, example: Example) -> None:
    """Grade each gold answer as a response to its own question."""
    for gold in aliases(example):
        response = f"\\boxed{{{gold}}}" if metric == "math_equal" else gold
        if task.grade(response, replace(example, ground_truth=gold)).performance < 1:
            needs = f"{metric} needs {NEEDS[metric]}" if metric in NEEDS else f"{metric} takes it for another"
            raise ValueError(
                f"the gold answer must be one that {metric} finds in itself, but {gold[:200]!r} is not ({needs}); "
                "mend it or choose another metric"
            )


def _check_code(example: Example) -> None:
    """Compile the tests and what runs before them.

    Raises:
        ValueError: If they are no Python or hold nothing that could fail.
    """
    gold = json.loads(example.ground_truth)
    for key in ("setup", "tests"):
        try:
            tree = compile(gold.get(key, ""), key, "exec", dont_inherit=True)
        except (SyntaxError, ValueError) as error:
            raise ValueError(f"for pass@1 {key} must be Python code, but {error}") from None
        if key == "tests" and not (tree.co_names or tree.co_consts[1:]):
            raise ValueError(
                f"for pass@1 tests must test something, but are {gold[key][:200]!r}; every code would pass"
            )
    wrong = [name for name in gold["names"] if not (isinstance(name, str) and name.isidentifier())]
    if wrong:
        raise ValueError(f"for pass@1 names must be names in the response's code, but has {wrong[0]!r}")
