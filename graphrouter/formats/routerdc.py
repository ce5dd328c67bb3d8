"""RouterDC: JSON files of questions with one score per LLM, one file per task and split.

Source: https://github.com/shuhao02/RouterDC (arXiv:2409.19886), ``datasets/split2_model7/*.json``: a list of
``{"question": text, "scores": {llm: number}}``, in ``split2_model7_cluster`` with a ``cluster_id``; read as
``train_router_mdeberta.py`` and ``train_scripts/`` there do.

Conventions, as the evaluation there: on the tasks of type ``multi_attempt`` a score is the share of ten samples that
were right, and is the performance; on those of type ``probability`` it is 0 where the answer is wrong, and otherwise
the LLM's probability of the right option, so the performance is 1 where it is above 0. ``raw_score`` keeps the score.
Tasks that are not among theirs are taken as they are. The split stands in the file's name.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from graphrouter.errors import UserError
from graphrouter.formats.builder import LogBuilder
from graphrouter.formats.rows import BadRow, Row, columns_of, shown
from graphrouter.formats.sources import ending, stem
from graphrouter.log_frames import content_id

NAME = "routerdc"
LAYOUT = 'RouterDC\'s tasks: <task>_<split>.json with [{"question": text, "scores": {<llm>: number}}]'
COST_UNIT = "US dollars"
INSIDE = Path("datasets/split2_model7")
PROBABILITIES = ("mmlu", "cmmlu", "ceval", "arc_challenge", "arc_easy", "math_prealgebra")
SHARES = ("gsm8k", "humaneval", "humaneval_javascript", "mbpp")
RENAMED = {"javascript": "humaneval_javascript"}
OUT_OF_DISTRIBUTION = ("math_prealgebra", "mbpp", "ceval")
EXTRA = ("arc_easy", "humaneval_javascript")
"""Tasks of files that the scripts there do not use."""


def recognises(path: Path) -> bool:
    """Return whether a file, or the first JSON file of a folder, has questions with scores."""
    return any({"question", "scores"} <= set(columns_of(file)) for file in _files(path)[:1])


def read(path: Path, builder: LogBuilder) -> None:
    """Add a file, all files of a folder, or those of the repository.

    Raises:
        UserError: If there is no JSON file.
    """
    files = _files(path)
    if not files:
        raise UserError(f"{path} must hold JSON files as RouterDC's {INSIDE} does, but holds none")
    builder.add_rows(files, _add)


def _files(path: Path) -> list[Path]:
    if path.is_file():
        return [path] if ending(path) == ".json" else []
    folder = path / INSIDE if (path / INSIDE).is_dir() else path
    return sorted(folder.glob("*.json"))


def _task(stem: str) -> tuple[str, str]:
    """Return a file's task and split."""
    name = stem.lower().replace("-", "_")
    split = next((end for end in ("train", "test") if name.endswith(f"_{end}")), "test")
    task = name.removesuffix(f"_{split}")
    task = RENAMED.get(task, task)
    if task in EXTRA:
        return task, f"extra {split}"
    return task, f"{split}, out of distribution" if task in OUT_OF_DISTRIBUTION else split


def _add(row: Row, builder: LogBuilder) -> None:
    task, split = _task(stem(row.file))
    query, scores = row.text("question"), row.values.get("scores")
    if not isinstance(scores, dict) or not scores:
        raise BadRow(f"scores must be an object with a number per LLM, but is {shown(scores)}")
    marks = {llm: _mark(row, llm, value) for llm, value in scores.items()}
    # The file's name is part of the id: some questions stand in train and in test.
    key = content_id(task, stem(row.file), query)
    metric = "share of ten samples right" if task in SHARES else "accuracy" if task in PROBABILITIES else None
    builder.add_query(task, query, query_id=key, source_split=split, metric=metric)
    for llm, mark in marks.items():
        builder.add_llm(llm)
        if mark is None:
            builder.leave_missing()
        else:
            performance = float(mark > 0) if task in PROBABILITIES else mark
            builder.add_record(key, llm, performance, raw_score=mark)


def _mark(row: Row, llm: str, value: Any) -> float | None:
    return Row(row.file, row.number, {f"the score of {llm}": value}).share(f"the score of {llm}")
