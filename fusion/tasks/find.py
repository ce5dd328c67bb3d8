"""Finds a task by name, or makes one from a user's file."""

from __future__ import annotations

import importlib
import importlib.util
import pkgutil
import re
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

from fusion.tasks import benchmarks
from fusion.tasks.base import STYLES, Task
from fusion.tasks.graders import find_grader
from fusion.tasks.rows import read_row
from graphrouter.errors import UserError, shown, suggest
from graphrouter.settings import read_yaml

PROMPTS = {
    "direct": "{question}\n\nGive the answer only.",
    "reasoning": "{question}\n\nThink step by step. Then end with a line of the form 'Answer: ...'.",
}
MAX_TOKENS = {"direct": 128, "reasoning": 1024}
LEADS_OUT = re.compile(r"^\.|[/\\\x00-\x1f\x7f]")
"""Characters that would make a path to somewhere else of a task's name, which names its file of examples."""
KEYS = ("name", "domain", "metric", "description", "examples", "prompts", "max_tokens")


def task_names() -> tuple[str, ...]:
    """Return the names of the tasks that come with the package: those of the files in `fusion.tasks.benchmarks`."""
    return tuple(sorted(module.name for module in pkgutil.iter_modules(benchmarks.__path__)))


def find_task(spec: str) -> Task:
    """Return a task.

    Args:
        spec: The name of one that comes with the package, a ``.yaml`` file beside a JSONL with examples, or a ``.py`` file
            that defines ``TASK``. Such a file is imported: it is the user's own code and runs without a sandbox.

    Raises:
        UserError: If there is no such task, or the file does not describe one.
    """
    if spec in task_names():
        task: Task = importlib.import_module(f"{benchmarks.__name__}.{spec}").TASK
        return task
    file = Path(spec)
    if file.suffix not in (".py", ".yaml", ".yml"):
        raise UserError(
            f"a task must be a known name, a .yaml or a .py file, but {spec!r} is none{suggest(spec, task_names())}"
        )
    if not file.is_file():
        raise UserError(f"the task's file must exist, but {spec} does not")
    return _from_python(file) if file.suffix == ".py" else _from_yaml(file)


def _from_python(file: Path) -> Task:
    module_spec = importlib.util.spec_from_file_location(f"fusion_user_task_{file.stem}", file)
    if module_spec is None or module_spec.loader is None:
        raise UserError(f"{file} must be a Python file that can be imported")
    module = importlib.util.module_from_spec(module_spec)
    try:
        module_spec.loader.exec_module(module)
    except Exception as error:  # the user's code may raise anything
        raise UserError(f"{file} must import without error, but {type(error).__name__}: {error}") from error
    task = getattr(module, "TASK", None)
    if not isinstance(task, Task):
        raise UserError(f"{file} must define TASK, a fusion.tasks.base.Task, but has {type(task).__name__}")
    if (task.hub is None) == (task.examples is None):
        raise UserError(
            f"{file}: TASK must have either hub or examples, but has {'neither' if task.hub is None else 'both'}"
        )
    return task


def _from_yaml(file: Path) -> Task:
    about = read_yaml(file)
    unknown = [str(key) for key in about if key not in KEYS]
    if unknown:
        raise UserError(f"{file}: there is no key {unknown[0]!r}{suggest(unknown[0], KEYS)}")
    texts = {key: _text(file, about, key) for key in ("name", "metric", "domain", "description", "examples")}
    metric, name = texts["metric"], texts["name"] or file.stem
    if not metric:
        raise UserError(f"{file} must have a metric, such as exact_match, but has none")
    if LEADS_OUT.search(name):
        raise UserError(
            f"{file}: name must be a file's name, without / and control characters and no dot first, but is {shown(name)}"
        )
    grade = find_grader(metric)
    return Task(
        name=name,
        domain=texts["domain"] or name,
        metric=metric,
        description=texts["description"] or name,
        read=partial(read_row, grade),
        grade=grade,
        prompts=_styles(file, about, "prompts", PROMPTS),
        examples=file.parent / (texts["examples"] or f"{name}.jsonl"),
        max_tokens=_styles(file, about, "max_tokens", MAX_TOKENS),
    )


def _text(file: Path, about: Mapping[str, Any], key: str) -> str:
    value = about.get(key, "")
    if not isinstance(value, str):
        raise UserError(f"{file}: {key} must be text, but is {value!r}; put it in quotes")
    return value.strip()


def _styles(file: Path, about: Mapping[str, Any], key: str, defaults: Mapping[str, Any]) -> dict[str, Any]:
    """Return the values per prompting style, over the defaults."""
    given = about.get(key) or {}
    if not isinstance(given, dict):
        raise UserError(f"{file}: {key} must have {' and '.join(STYLES)}, but is {given!r}")
    for style, value in given.items():
        if style not in STYLES:
            raise UserError(f"{file}: {key} has no {style!r}{suggest(str(style), STYLES)}")
        if key == "prompts" and not (isinstance(value, str) and "{question}" in value):
            raise UserError(f"{file}: the {style} prompt must be text that holds {{question}}, but is {value!r}")
        if key == "max_tokens" and not (type(value) is int and value > 0):
            raise UserError(f"{file}: max_tokens.{style} must be a whole number above 0, but is {value!r}")
    return {**defaults, **given}
