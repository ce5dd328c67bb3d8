"""Training rows from disk: a folder that ``fusion select`` wrote, or a JSONL file of one of its forms."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from fusion.training.config import AUTO, TrainConfig
from fusion.training.forms import LABELLED, WEIGHED, TrainingRow, dpo_rows, is_labelled_bad, sft_rows
from graphrouter.errors import UserError

FILES: dict[str, tuple[str, ...]] = {"sft": ("sft.jsonl", "messages.jsonl"), "dpo": ("preferences.jsonl",)}
"""Names of the files that are looked for in a folder, for each stage."""

__all__ = ["RowTally", "TrainingRow", "data_file", "file_digest", "read_rows", "validation_file"]


@dataclass
class RowTally:
    """Counts of the rows of a file that are not learnt, whole or in part.

    Attributes:
        left_out: Rows that are left out, by reason.
        dropped: Rows of which a key of a message is not read, by key.
    """

    left_out: Counter[str] = field(default_factory=Counter)
    dropped: Counter[str] = field(default_factory=Counter)


def data_file(source: str, stage: str) -> Path:
    """Return the file with a stage's rows.

    Args:
        source: A folder, or a JSONL file.
        stage: ``sft`` or ``dpo``.

    Raises:
        UserError: If there is none.
    """
    path = Path(source)
    if path.is_file():
        return path
    if not path.is_dir():
        raise UserError(
            f"data must be a folder of fusion select or a JSONL file, but {source} is neither; make it first"
        )
    found = [path / name for name in FILES[stage] if (path / name).is_file()]
    if not found:
        raise UserError(
            f"the method {stage} needs {' or '.join(FILES[stage])} in {source}, but it has none; "
            "select it, or choose another method"
        )
    return found[0]


def validation_file(config: TrainConfig, stage: str) -> Path | None:
    """Return the file with the rows that a stage is validated on, or None for none.

    Raises:
        UserError: If the named rows are not there, or early stopping has none.
    """
    if config.validation is not None and config.validation != AUTO:
        return data_file(config.validation, stage)
    if config.validation == AUTO:
        for name in FILES[stage]:
            if (found := Path(config.data) / "validation" / name).is_file():
                return found
    if config.patience is not None:
        raise UserError(
            f"patience needs validation rows for {stage}, but there are none; name some with validation=PATH"
        )
    return None


def read_rows(file: Path, stage: str, tally: RowTally | None = None) -> list[TrainingRow]:
    """Read all rows of a JSONL file in one of TRL's conversational forms; `fusion.training.forms` has them.

    Args:
        file: With a JSON object a line.
        stage: ``sft`` or ``dpo``.
        tally: Gets what is left out, or not read.

    Raises:
        UserError: If a line is of another form (names file and line), or there is nothing to learn.
    """
    tally, rows, lines = tally or RowTally(), [], 0
    for number, values in _lines(file):
        lines += 1
        try:
            rows += _rows_of(values, stage, tally)
        except ValueError as error:
            raise UserError(f"{file}, line {number}: {error}") from None
    if not rows:
        found = ", ".join(f"{count:,} {reason}" for reason, count in tally.left_out.items())
        raise UserError(
            f"{file} must hold rows to train on, but all {lines:,} are left out: {found}"
            if lines
            else f"{file} must hold rows to train on, but is empty; select more, or loosen the rules"
        )
    return rows


def _rows_of(values: dict[str, Any], stage: str, tally: RowTally) -> list[TrainingRow]:
    if is_labelled_bad(values):
        tally.left_out[LABELLED] += 1
        return []
    dropped: set[str] = set()
    rows = (sft_rows if stage == "sft" else dpo_rows)(values, dropped)
    tally.dropped.update(dropped)
    if not rows:
        tally.left_out[WEIGHED] += 1
    return rows


def file_digest(file: Path) -> str:
    """Return the SHA-256 of a file's content.

    Raises:
        UserError: If it cannot be read.
    """
    try:
        with file.open("rb") as stream:
            return hashlib.file_digest(stream, "sha256").hexdigest()
    except OSError as error:
        raise UserError(f"{file} must be a file that can be read, but: {error.strerror}") from None


def _lines(file: Path) -> Iterator[tuple[int, dict[str, Any]]]:
    try:
        with file.open(encoding="utf-8-sig") as stream:
            for number, line in enumerate(stream, start=1):
                if not line.strip():
                    continue
                try:
                    values = json.loads(line)
                except (ValueError, RecursionError) as error:
                    raise UserError(
                        f"{file}, line {number}: must be JSON, but {error}; write one object a line"
                    ) from None
                if not isinstance(values, dict):
                    raise UserError(
                        f"{file}, line {number}: must be a JSON object, but is {type(values).__name__}; "
                        "write one object a line"
                    )
                yield number, values
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"{file} must be a text file that can be read, but {error}") from None
