"""The runs of any folder or service that a report can show."""

from __future__ import annotations

from pathlib import Path

from experiments.reporting.offline import find_offline, read_offline
from experiments.reporting.online import PREFIX, read_online
from experiments.reporting.records import Run, read_results
from graphrouter.errors import UserError


def read_runs(sources: list[str | Path]) -> list[Run]:
    """Read every run of several folders.

    Args:
        sources: Results of ablations and sweeps, single runs, comparisons, offline W&B folders, or `wandb:ENTITY/PROJECT`.

    Raises:
        UserError: If a folder holds none of these, or no run at all.
    """
    runs = [
        run for source in dict.fromkeys(str(source).rstrip("/") for source in sources) for run in read_source(source)
    ]
    if not runs:
        raise UserError("a report must have one run or more, but none was named; give a folder of results")
    return runs


def read_source(source: str | Path) -> list[Run]:
    """Read the runs of one folder, whatever made it.

    Raises:
        UserError: If it holds nothing that a report can show.
    """
    if str(source).startswith(PREFIX):
        return read_online(str(source).removeprefix(PREFIX))
    folder = Path(source)
    if not folder.is_dir():
        raise UserError(f"{folder} must be a folder of results, but there is none; name the --out of what was run")
    if any((folder / name).exists() for name in ("run.json", "runs", "config.json")):
        runs = read_results(folder)
    else:
        runs = [run for one in find_offline(folder) for run in read_offline(one, folder)]
    if not runs:
        raise UserError(
            f"{folder} must hold runs: runs/*/run.json or wandb/offline-run-*, but has none; "
            "name the --out of what was run"
        )
    return runs
