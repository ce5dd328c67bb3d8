"""LLMRouterBench: a folder of result files, one per data set, split, LLM and run.

Source: https://github.com/ynulihao/LLMRouterBench (arXiv:2601.07206). ``data_collector/storage.py`` writes
``results/bench/<dataset>/<split>/<model>/<dataset>-<split>-<model>-<YYYYMMDD_HHMMSS>.json`` (its readme:
``<timestamp>.json``; older runs: ``result.json``), ``baselines/data_loader.py`` reads them.

Conventions, as the loader there: queries join on data set and prompt; of several runs the newest by the time in the
file name counts, and demo runs do not. Unlike there, a record without a score (a failed request) is left out instead of
counted as 0, and a cost or token count of 0, which is written where it is not known, is missing. ``source_split`` and
``ground_truth`` are kept where all files agree on them.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterable
from itertools import groupby
from pathlib import Path
from typing import Any

from graphrouter.errors import UserError
from graphrouter.formats.builder import LogBuilder
from graphrouter.formats.cells import charged
from graphrouter.formats.chats import text_of
from graphrouter.formats.rows import BadRow, Row, read_json, shown
from graphrouter.formats.sources import BROKEN, ending, open_text
from graphrouter.log_frames import content_id

NAME = "llmrouterbench"
COST_UNIT = "US dollars"
LAYOUT = "LLMRouterBench's results: results/bench/<dataset>/<split>/<model>/<timestamp>.json with records[]"
BELOW = ("results/bench/*/*/*/*.json", "bench/*/*/*/*.json", "*/*/*/*.json", "*/*/*.json", "*/*.json", "*.json")
"""Result files below the repository, ``results``, ``results/bench``, and the folder of one data set, split or model."""
TIME = re.compile(r"(\d{8})_(\d{6})$")
HEAD = 65_536
"""Characters of a result file in which its first record begins."""


def recognises(path: Path) -> bool:
    """Return whether a file, or the first result file of a folder, begins like a result."""
    try:
        files = _files(path)
        if not files:
            return False
        with open_text(files[0]) as stream:
            head = stream.read(HEAD)
    except (OSError, UnicodeDecodeError, UserError, *BROKEN):
        return False
    return all(f'"{name}"' in head for name in ("records", "origin_query", "raw_output"))


def read(path: Path, builder: LogBuilder) -> None:
    """Add the newest run of each data set, split and LLM.

    Args:
        path: The repository, its ``results`` or ``results/bench``, the folder of a data set, split or model, or one file.
        builder: Takes the records.

    Raises:
        UserError: If there is no result file, or one is broken.
    """
    files = _files(path)
    if not files:
        raise UserError(
            f"{path} must hold <dataset>/<split>/<model>/<timestamp>.json, but has none; name results/bench"
        )
    runs = [list(group) for _, group in groupby(files, key=lambda file: _resolved(file).parent)]
    questions = _Questions(builder)
    for candidates in builder.watched(runs, "results", "runs"):
        run = _newest(candidates)
        if run is not None:
            _add(*run, questions)
    questions.finish()


def _files(path: Path) -> list[Path]:
    if path.is_file():
        return [path] if ending(path) == ".json" else []
    for pattern in BELOW:
        files = sorted(path.glob(pattern))
        if files:
            return files
    return []


def _resolved(file: Path) -> Path:
    """Return the file that a link leads to; a link that leads to itself stays, and fails when it is read."""
    return Path(os.path.realpath(file))


def _newest(files: Iterable[Path]) -> tuple[Path, dict[str, Any]] | None:
    """Return the newest run that is no demo, and its content."""

    def age(file: Path) -> tuple[bool, str]:
        found = TIME.search(file.stem)
        return (True, "".join(found.groups())) if found else (False, file.stem)

    for file in sorted(files, key=age, reverse=True):
        content = read_json(file)
        if not isinstance(content, dict) or not isinstance(content.get("records"), list):
            raise UserError(f"{file} must be a result with a list of records, but is {shown(content)}; remove it")
        if not content.get("demo"):
            return file, content
    return None


def _add(file: Path, content: dict[str, Any], questions: _Questions) -> None:
    """Add the records of a run. Its names stand in it, or else in its path."""
    dataset, split, model = (
        str(content.get(key) or part)
        for key, part in zip(("dataset_name", "split", "model_name"), _resolved(file).parent.parts[-3:], strict=True)
    )
    rows = []
    for number, values in enumerate(content["records"], start=1):
        if isinstance(values, dict):
            rows.append(Row(file, number, values))
        else:
            questions.builder.reject(file, number, f"must be a JSON object, but is {shown(values)}")
    truths: dict[str, set[str]] = {}
    for row in rows:
        truths.setdefault(_prompt(row), set()).add(_text(row.values.get("ground_truth")))
    questions.builder.add_llm(model)
    for row in rows:
        with questions.builder.checking(row):
            # Where one run asks the same prompt for different answers, these are different questions.
            apart = len(truths[_prompt(row)] - {""}) > 1
            questions.add(row, dataset, split, model, apart)


class _Questions:
    """Adds records, and remembers what the files say of each query, until all have been read."""

    def __init__(self, builder: LogBuilder) -> None:
        self.builder = builder
        self.said: dict[str, tuple[str, str, set[str], set[str]]] = {}

    def add(self, row: Row, dataset: str, split: str, model: str, apart: bool) -> None:
        """Add a record, unless it has no score."""
        performance = row.share("score")
        if performance is None:
            performance = self.builder.failure()
        if performance is None:
            return
        prompt, truth = _prompt(row), _text(row.values.get("ground_truth"))
        if not prompt:
            raise BadRow("prompt must be text, but is empty")
        columns: dict[str, Any] = {
            "input_tokens": charged(row, "prompt_tokens"),
            "output_tokens": charged(row, "completion_tokens"),
            "cost": charged(row, "cost"),
            "prediction": _text(row.values.get("prediction")) or None,
        }
        key = content_id(dataset, prompt, truth) if apart else content_id(dataset, prompt)
        _, _, splits, truths = self.said.setdefault(key, (dataset, prompt, set(), set()))
        splits.add(split)
        truths.update({truth} - {""})
        self.builder.add_query(dataset, prompt, query_id=key)
        self.builder.add_record(key, model, performance, response=text_of(row.values.get("raw_output")), **columns)

    def finish(self) -> None:
        """Add what all files agree on."""
        for key, (dataset, prompt, splits, truths) in self.said.items():
            self.builder.add_query(
                dataset, prompt, query_id=key, source_split=_only(splits), ground_truth=_only(truths)
            )


def _only(values: set[str]) -> str | None:
    return next(iter(values)) if len(values) == 1 else None


def _prompt(row: Row) -> str:
    return _text(row.values.get("prompt")) or _text(row.values.get("origin_query"))


def _text(value: Any) -> str:
    """Return a value as the loader there writes it: lists and objects as JSON."""
    if value is None:
        return ""
    return json.dumps(value, ensure_ascii=False) if isinstance(value, dict | list) else str(value)
