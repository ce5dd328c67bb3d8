"""The folder of a selection, in the forms that trainers read."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import polars as pl

from graphrouter.errors import UserError
from graphrouter.files import atomic_folder, check_writable
from graphrouter.typing import Record

FORMAT = 1
"""Version of the folder's files."""
ABOUT = "selection.json"
VALIDATION = "validation"


def check_folder(folder: Path) -> None:
    """Check the folder that a selection is to be written to, before any work is done.

    Raises:
        UserError: If it holds other things than a selection, or cannot be written.
    """
    check_writable(folder, "a selection")
    if folder.is_dir() and any(folder.iterdir()) and not (folder / ABOUT).exists():
        raise UserError(f"{folder} must be new, empty or hold a selection, but holds other files; name another folder")


def write_folder(
    folder: Path,
    parts: Mapping[str, tuple[pl.DataFrame, pl.DataFrame]],
    report: pl.DataFrame,
    about: Mapping[str, Any],
    card: str,
) -> None:
    """Write a selection whole or not at all; one that is there is replaced.

    Args:
        folder: See `check_folder`.
        parts: Rows and pairs of ``train`` and ``validation``.
        report: Counts of rows that each rule kept and dropped.
        about: Content of ``selection.json``.
        card: Content of ``README.md``.
    """
    check_folder(folder)
    with atomic_folder(folder, "a selection") as draft:
        (draft / VALIDATION).mkdir()
        rows, pairs = parts["train"]
        _write_jsonl(draft / "messages.jsonl", rows, _messages)
        _write_trl(draft, rows, pairs)
        _write_trl(draft / VALIDATION, *parts["validation"])
        _write_llama_factory(draft, rows, pairs, str(about["log"]["name"]))
        report.write_csv(draft / "report.csv")
        _write_json(draft / ABOUT, {"format": FORMAT, **about})
        (draft / "README.md").write_text(card, encoding="utf-8")


def _write_trl(folder: Path, rows: pl.DataFrame, pairs: pl.DataFrame) -> None:
    """Write TRL's conversational forms; a file without rows is not written, as no trainer can read it."""
    if rows.height:
        _write_jsonl(folder / "sft.jsonl", rows, _prompt_completion)
    if pairs.height:
        _write_jsonl(folder / "preferences.jsonl", pairs, _preference)


def _prompt_completion(row: Record) -> Record:
    about = {name: row[name] for name in ("query_id", "llm", "draw", "task", "style")}
    return {"prompt": [_said("user", row["query"])], "completion": [_said("assistant", row["response"])], **about}


def _messages(row: Record) -> Record:
    return {"messages": [_said("user", row["query"]), _said("assistant", row["response"])]}


def _preference(row: Record) -> Record:
    about = {name: row[name] for name in ("margin", "query_id", "task", "chosen_llm", "rejected_llm")}
    sides = {name: [_said("assistant", row[name])] for name in ("chosen", "rejected")}
    return {"prompt": [_said("user", row["query"])], **sides, **about}


def _said(role: str, content: str) -> Record:
    return {"role": role, "content": content}


def _write_llama_factory(folder: Path, rows: pl.DataFrame, pairs: pl.DataFrame, name: str) -> None:
    """Write alpaca rows, and the file by which LLaMA-Factory finds them."""
    columns = {"prompt": "instruction", "query": "input"}
    known: Record = {f"{name}_sft": {"file_name": "alpaca.json", "columns": {**columns, "response": "output"}}}
    sft = ({"instruction": row["query"], "input": "", "output": row["response"]} for row in rows.iter_rows(named=True))
    _write_list(folder / "alpaca.json", sft)
    if pairs.height:
        sides = {"chosen": "chosen", "rejected": "rejected"}
        file = "alpaca_preferences.json"
        known[f"{name}_preferences"] = {"file_name": file, "ranking": True, "columns": columns | sides}
        given = ("chosen", "rejected")
        dpo = (
            {"instruction": row["query"], "input": "", **{side: row[side] for side in given}}
            for row in pairs.iter_rows(named=True)
        )
        _write_list(folder / file, dpo)
    _write_json(folder / "dataset_info.json", known)


def _write_jsonl(file: Path, rows: pl.DataFrame, form: Callable[[Record], Record]) -> None:
    with file.open("w", encoding="utf-8", newline="\n") as stream:
        stream.writelines(_line(form(row)) + "\n" for row in rows.iter_rows(named=True))


def _write_list(file: Path, rows: Iterable[Record]) -> None:
    """Write a JSON list with a row on each line."""
    with file.open("w", encoding="utf-8", newline="\n") as stream:
        stream.writelines(_list_lines(rows))


def _list_lines(rows: Iterable[Record]) -> Iterator[str]:
    before = "[\n"
    for row in rows:
        yield before + _line(row)
        before = ",\n"
    yield "\n]\n" if before == ",\n" else "[]\n"


def _line(row: Record) -> str:
    return json.dumps(row, ensure_ascii=False)


def _write_json(file: Path, values: Mapping[str, Any]) -> None:
    file.write_text(json.dumps(values, indent=2, ensure_ascii=False, allow_nan=False) + "\n", encoding="utf-8")
