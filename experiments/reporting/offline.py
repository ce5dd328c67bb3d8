"""Offline W&B folders: the ``.wandb`` file, and the tables beside it.

The file is a log in the format of LevelDB (blocks of 32 KiB, each record in one piece or several) of the records of
`wandb.proto`; since 0.30 the package itself reads it in Go only.
"""

from __future__ import annotations

import json
import struct
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from experiments.reporting.records import UNREADABLE, Run, Values
from experiments.reporting.wandb_runs import Logged, runs_of

BLOCK, HEAD = 32 * 1024, 7
MAGIC = b":W&B"
WHOLE, FIRST = 1, 2
LAST = 4


def find_offline(folder: Path) -> list[Path]:
    """Return the offline runs of a folder: itself, those in it, or those in its folder ``wandb``."""
    if list(folder.glob("run-*.wandb")):
        return [folder]
    return sorted(one for place in (folder, folder / "wandb") for one in place.glob("offline-run-*") if one.is_dir())


def read_offline(folder: Path, source: Path) -> list[Run]:
    """Read an offline run; one that cannot be read becomes a run of its own status, so that the report can name it."""
    try:
        return runs_of(read_logged(folder, str(source)))
    except (OSError, ValueError, KeyError, IndexError, struct.error) as error:
        return [Run(folder.name, str(source), UNREADABLE, f"cannot be read: {error}")]


def read_logged(folder: Path, source: str) -> Logged:
    """Read what a run logged.

    Raises:
        ValueError: If the file is none of W&B's.
    """
    file = next(iter(sorted(folder.glob("run-*.wandb"))), None)
    if file is None:
        raise ValueError("it has no run-*.wandb")
    logged, known = Logged(folder.name, source), False
    logged.table = lambda path: _table(folder / "files" / path)
    for record in records(file.read_bytes()):
        kind = record.WhichOneof("record_type")
        if kind == "run":
            known = True
            _begin(logged, record.run)
        elif kind == "config":
            _update(logged.config, record.config.update)
        elif kind == "summary":
            _update(logged.summary, record.summary.update)
        elif kind == "history":
            row: Values = {}
            _update(row, record.history.item)
            logged.history.append(row)
        elif kind == "exit":
            logged.exit, logged.seconds = record.exit.exit_code, float(record.exit.runtime)
    if not known:
        raise ValueError(f"{file.name} holds no run")
    return logged


def records(content: bytes) -> Iterator[Any]:
    """Yield the records of a ``.wandb`` file; what a killed run left half written at the end is not one.

    Raises:
        ValueError: If it is no such file, or a record is damaged.
    """
    from google.protobuf.message import DecodeError
    from wandb.proto import wandb_internal_pb2

    if not content.startswith(MAGIC):
        raise ValueError("it is no .wandb file")
    for whole in _pieces(content):
        record = wandb_internal_pb2.Record()  # type: ignore[attr-defined]
        try:
            record.ParseFromString(whole)
        except DecodeError as error:
            raise ValueError(f"a record is damaged: {error}") from None
        yield record


def _pieces(content: bytes) -> Iterator[bytes]:
    at, parts = HEAD, b""
    while at + HEAD <= len(content):
        if BLOCK - at % BLOCK < HEAD:
            at += BLOCK - at % BLOCK
            continue
        _, size, kind = struct.unpack("<IHB", content[at : at + HEAD])
        at += HEAD
        if at + size > len(content):
            return
        parts = content[at : at + size] if kind in (WHOLE, FIRST) else parts + content[at : at + size]
        at += size
        if kind in (WHOLE, LAST):
            yield parts


def _begin(logged: Logged, run: Any) -> None:
    logged.id, logged.name = run.run_id, run.display_name
    logged.group, logged.kind = run.run_group or None, run.job_type or "wandb"
    logged.started = datetime.fromtimestamp(run.start_time.seconds, UTC).isoformat()
    _update(logged.config, run.config.update)


def _update(values: Values, items: Iterable[Any]) -> None:
    """Set what items say; W&B writes a path of keys for what is nested or has a slash."""
    for item in items:
        *way, last = list(item.nested_key) or [item.key]
        inner = values
        for key in way:
            inner = inner.setdefault(key, {})
            if not isinstance(inner, dict):
                break
        else:
            inner[last] = json.loads(item.value_json)


def _table(file: Path) -> Values | None:
    if not file.is_file():
        return None
    content: Values = json.loads(file.read_text(encoding="utf-8"))
    return content
