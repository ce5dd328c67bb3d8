"""Checks that the gold answer of a user's own task can be reached: the grader must find it in itself."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from functools import partial

from fusion.tasks.base import Example, MetricGrader, Task
from fusion.tasks.find import find_task, task_names
from fusion.tasks.graders.answers import aliases


def gold_check(task: Task) -> Callable[[Example], None]:
    """Return a function that raises a ValueError where no response could be right.

    A task that comes with the package is not checked, nor is one with a grader of the user's own: what such a grader takes
    for an answer cannot be known. Tests of code are compiled and not run.
    """
    grade = task.grade
    shipped = task.name in task_names() and find_task(task.name) is task
    if shipped or not isinstance(grade, MetricGrader):
        return lambda example: None
    return partial(_check_code if grade.gold == "code" else _check_text, grade)


def _check_text(grade: MetricGrader, example: Example) -> None:
    """Grade each gold answer as a response to its own question."""
    metric = grade.metric
    for gold in aliases(example):
        if grade(grade.response.format(gold), replace(example, ground_truth=gold)).performance < 1:
            needs = f"{metric} needs {grade.needs}" if grade.needs else f"{metric} takes it for another"
            raise ValueError(
                f"the gold answer must be one that {metric} finds in itself, but {gold[:200]!r} is not ({needs}); "
                "mend it or choose another metric"
            )


def _check_code(grade: MetricGrader, example: Example) -> None:
    """Compile the tests and what runs before them.

    Raises:
        ValueError: If they are no Python or hold nothing that could fail.
    """
    gold = json.loads(example.ground_truth)
    for key in ("setup", "tests"):
        try:
            tree = compile(gold.get(key, ""), key, "exec", dont_inherit=True)
        except (SyntaxError, ValueError) as error:
            raise ValueError(f"for {grade.metric} {key} must be Python code, but {error}") from None
        if key == "tests" and not (tree.co_names or tree.co_consts[1:]):
            raise ValueError(
                f"for {grade.metric} tests must test something, but are {gold[key][:200]!r}; every code would pass"
            )
    wrong = [name for name in gold["names"] if not (isinstance(name, str) and name.isidentifier())]
    if wrong:
        raise ValueError(f"for {grade.metric} names must be names in the response's code, but has {wrong[0]!r}")
