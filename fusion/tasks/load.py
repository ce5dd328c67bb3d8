"""Loads the examples of a task: from the hub, from a local copy of its data set, or from a user's JSONL."""

from __future__ import annotations

import hashlib
import warnings
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, NoReturn

from fusion.tasks.base import Example, HubData, Task
from fusion.tasks.gold import gold_check
from graphrouter.errors import UserError
from graphrouter.formats.rows import TABLES, read_rows

Row = Mapping[str, Any]


def load_examples(task: Task, limit: int | None = None, seed: int = 0, data: str | Path | None = None) -> list[Example]:
    """Return examples of a task, each question once.

    Args:
        task: From `find_task`.
        limit: How many; None for all. A smaller sample of the same seed is the beginning of a larger one.
        seed: Seed of the sample. Neither the order of the source nor a question added to it changes which of two is first.
        data: Folder with a folder per task that holds its data set as on the hub: ``DATA/gsm8k/`` with Parquet, JSON or CSV
            files, or a whole copy of the repository. None to load from the hub.

    Raises:
        UserError: If there are none, a column is missing, a row has no gold answer, or the hub cannot be reached.
    """
    if limit is not None and limit < 1:
        raise UserError(f"the number of examples of a task must be 1 or more, but is {limit}")
    rows, where = _rows(task, Path(data) if data else None)
    examples = _distinct(_read(task, rows, where), task)
    if not examples:
        raise UserError(f"{where} must have rows for {task.name}, but is empty")
    examples.sort(key=lambda example: _hash(f"{seed}\n{task.name}\n{example.id}"))
    return examples[:limit]


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def _rows(task: Task, data: Path | None) -> tuple[Iterable[Row], str]:
    """Return the rows of a task's source, and how to call it in an error."""
    if task.examples:
        return _read_file(task.examples), str(task.examples)
    assert task.hub  # a task has one of the two
    if data is None:
        return _from_hub(task.hub), f"{task.hub.path} ({task.hub.config or 'default'}, {task.hub.split})"
    if not data.is_dir():
        raise UserError(f"the folder with local data sets must exist, but {data} does not")
    folder = data / task.name
    files = _local_files(folder, task.hub)
    return (row for file in files for row in _read_file(file)), str(folder)


def _read(task: Task, rows: Iterable[Row], where: str) -> Iterator[Example]:
    """Read the rows, and name the examples that the source does not."""
    split, check = task.hub.split if task.hub else None, gold_check(task)
    for number, row in enumerate(rows):
        try:
            example = task.read(row)
            check(example)
        except KeyError as error:
            columns = ", ".join(map(str, row)) or "none"
            raise UserError(
                f"{where} must have the column {error} for {task.name}, but row {number} has {columns}"
            ) from None
        except (ValueError, TypeError, AttributeError, IndexError, SyntaxError) as error:
            raise UserError(f"{where}, row {number}: {error}") from error
        identity = example.id or _hash(example.question)[:16]
        yield replace(example, id=identity, source_split=example.source_split or split)


def _distinct(examples: Iterable[Example], task: Task) -> list[Example]:
    """Drop repeated questions with a warning; refuse an id that two questions have."""
    questions: set[str] = set()
    known: dict[str, Example] = {}
    dropped = 0
    for example in examples:
        text = " ".join(example.question.split())
        if text in questions:
            dropped += 1
            continue
        questions.add(text)
        if example.id in known:
            raise UserError(
                f"{task.name}: an id must name one question, but {example.id!r} names two; mend or drop the ids"
            )
        known[example.id] = example
    if dropped:
        warnings.warn(
            f"{task.name}: dropped {dropped} of {dropped + len(known)} questions that repeat another", stacklevel=3
        )
    return list(known.values())


def _from_hub(hub: HubData) -> Iterable[Row]:
    import datasets

    try:
        rows: Iterable[Row] = datasets.load_dataset(hub.path, hub.config, split=hub.split)
    except Exception as error:  # the hub's client raises errors of many kinds
        raise UserError(_hub_error(hub, error)) from error
    return rows


def _hub_error(hub: HubData, error: Exception) -> str:
    """Return the remedy for an error of the hub's client."""
    from huggingface_hub.errors import GatedRepoError

    text = " ".join(str(error).split())
    if isinstance(error.__cause__ or error, GatedRepoError) or "gated" in text.lower():
        return (
            f"{hub.path} is gated: accept its terms at https://huggingface.co/datasets/{hub.path} and log in with "
            "'hf auth login', or give a local copy"
        )
    if isinstance(error, (OSError, ConnectionError)) and not isinstance(error, FileNotFoundError):
        return f"the hub must be reachable to load {hub.path}, but {text[:200]}; try later, or give a local copy"
    return f"{hub.path} must load from the hub, but {type(error).__name__}: {text[:200]}; give a local copy instead"


def _local_files(folder: Path, hub: HubData) -> list[Path]:
    """Return the files of a data set's split: those of its configuration whose name has the split, or the only file."""
    if not folder.is_dir():
        raise UserError(
            f"the local data must have a folder {folder.name} with {hub.path}, but {folder.parent} has none"
        )
    files = sorted(file for file in folder.rglob("*") if file.suffix in TABLES and not file.name.startswith("."))
    config = [file for file in files if hub.config in (*file.relative_to(folder).parts, file.stem)]
    files = config or files
    split = [file for file in files if hub.split in (*file.stem.replace("_", "-").split("-"), file.parent.name)]
    if not split and len(files) != 1:
        found = ", ".join(file.name for file in files[:5]) or "none"
        raise UserError(f"{folder} must have a file for the split {hub.split!r} ({', '.join(TABLES)}), but has {found}")
    return split or files


def _read_file(file: Path) -> Iterator[Row]:
    for row in read_rows(file, _refuse):
        yield row.values


def _refuse(file: Path, number: int, reason: str) -> NoReturn:
    raise UserError(f"{file}, row {number}: {reason}; mend it")
