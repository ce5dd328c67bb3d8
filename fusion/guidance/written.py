"""Prompts for questions of a log or a file, written as JSON lines."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NoReturn

from fusion.guidance.guide import Guide
from fusion.guidance.pieces import Piece, compose, fit
from fusion.guidance.questions import GuidedQuestion
from fusion.guidance.tokens import Room
from graphrouter.errors import UserError
from graphrouter.files import replace_file
from graphrouter.formats.rows import TABLES, BadRow, read_rows
from graphrouter.log import load_log


def read_questions(source: str) -> list[GuidedQuestion]:
    """Read the questions of a log or a file.

    Args:
        source: A log's folder or name; a JSONL, JSON, CSV or Parquet file with ``query`` and perhaps ``query_id`` and
            ``task``; or any other file, with a question a line.

    Raises:
        UserError: If it can be read as neither, or holds no question.
    """
    file = Path(source)
    if not file.is_file():
        rows = load_log(source).queries.select("query_id", "query", "task").iter_rows()
        return [GuidedQuestion(*row) for row in rows]
    asked = list(_rows(file) if file.suffix.lower() in TABLES else _lines(file))
    if not asked:
        raise UserError(f"{file} must hold questions, but is empty")
    return asked


def _rows(file: Path) -> Iterator[GuidedQuestion]:
    for row in read_rows(file, _refuse):
        try:
            yield GuidedQuestion(row.optional_text("query_id"), row.text("query"), row.optional_text("task"))
        except BadRow as error:
            _refuse(file, row.number, str(error))


def _refuse(file: Path, number: int, reason: str) -> NoReturn:
    raise UserError(f"{file}, row {number}: {reason}; mend it")


def _lines(file: Path) -> Iterator[GuidedQuestion]:
    try:
        lines = file.read_text(encoding="utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"{file} must be a UTF-8 text file, but cannot be read: {error}") from None
    return (GuidedQuestion(None, line.strip()) for line in lines if line.strip())


def write_prompts(asked: Sequence[GuidedQuestion], guide: Guide | None, room: Room, out: Path) -> list[int]:
    """Write a JSON line for each question: ``query_id``, ``task``, ``messages``, and what is ``shown`` (its sources).

    Args:
        asked: Questions.
        guide: None for the questions alone.
        room: Room in a prompt.
        out: File; one that is there is replaced.

    Returns:
        How many examples or thoughts each question is shown.

    Raises:
        UserError: If nothing can be found for the questions, or the file cannot be written.
    """
    found = guide.find(asked) if guide else [()] * len(asked)
    kind = guide.kind if guide else "thought"
    lines, shown = [], []
    for one, pieces in zip(asked, found, strict=True):
        kept: tuple[Piece, ...] = fit(kind, one.text, pieces, lambda turns: room.fits(turns, 0))
        row = {"query_id": one.query_id, "task": one.task, "messages": compose(kind, one.text, kept)}
        lines.append(json.dumps(row | {"shown": [piece.source for piece in kept]}, ensure_ascii=False))
        shown.append(len(kept))
    replace_file(out, "".join(f"{line}\n" for line in lines).encode("utf-8", errors="surrogatepass"))
    return shown
