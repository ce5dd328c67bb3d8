"""Offline W&B folders: the ``.wandb`` file, which W&B's own ``wandb leet inspect`` reads, and the tables beside it."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from experiments.reporting.records import UNREADABLE, Run
from experiments.reporting.wandb_runs import Logged, runs_of
from graphrouter.typing import Record


def find_offline(folder: Path) -> list[Path]:
    """Return the offline runs of a folder: itself, those in it, or those in its folder ``wandb``."""
    if list(folder.glob("run-*.wandb")):
        return [folder]
    return sorted(one for place in (folder, folder / "wandb") for one in place.glob("offline-run-*") if one.is_dir())


def read_offline(folder: Path, source: Path) -> list[Run]:
    """Read an offline run; one that cannot be read becomes a run of its own status, so that the report can name it."""
    try:
        return runs_of(read_logged(folder, str(source)))
    except (OSError, ValueError, KeyError) as error:
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
    for record in records(file):
        kind = record["type"]
        content = record.get(kind, {})
        if kind == "run":
            known = True
            logged.id, logged.name = content["run_id"], content.get("display_name", "")
            logged.group, logged.kind = content.get("run_group"), content.get("job_type", "wandb")
            logged.started = content["start_time"]
            logged.config |= content.get("config", {}).get("update", {})
        elif kind == "config":
            logged.config |= content.get("update", {})
        elif kind == "summary":
            for key, value in content.get("update", {}).items():
                table, _, last = key.rpartition(".")
                logged.summary |= {table: {"path": value}} if last == "path" else {key: value}
        elif kind == "history":
            logged.history.append(content["item"])
        elif kind == "exit":
            logged.exit, logged.seconds = content.get("exit_code", 0), float(content.get("runtime", 0))
    if not known:
        raise ValueError(f"{file.name} holds no run")
    return logged


def records(file: Path) -> Iterator[Record]:
    """Yield the records of a ``.wandb`` file; what a killed run left half written at the end is not one.

    Raises:
        ValueError: If it is no such file, or a record is damaged.
    """
    command = [sys.executable, "-m", "wandb", "leet", "inspect", "--json", str(file)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise ValueError(f"it is no .wandb file that W&B can read ({' '.join(done.stderr.split())})")
    yield from map(json.loads, done.stdout.splitlines())


def _table(file: Path) -> Record | None:
    if not file.is_file():
        return None
    content: Record = json.loads(file.read_text(encoding="utf-8"))
    return content
