"""Records of a report: one per run, from whichever folder or service it was kept in.

`Run` stands beside `graphrouter.evaluation.finished.FinishedRun` because a run on W&B has no folder, and one that failed
no predictions.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import polars as pl

from graphrouter.errors import UserError
from graphrouter.evaluation.finished import FinishedRun
from graphrouter.evaluation.folder import Store
from graphrouter.evaluation.store import predictions_file, read_record, record_file, refuse_old_form
from graphrouter.typing import Record

FINISHED, FAILED, STOPPED = "finished", "failed", "stopped"
UNREADABLE, UNFINISHED = "unreadable", "unfinished"


@dataclass(eq=False)
class Run:
    """One run, as its record says.

    Attributes:
        id: Unique in its source.
        source: Folder or W&B project that it was read from.
        status: ``finished``, ``failed``, ``stopped``; ``unreadable`` or ``unfinished`` where there is no whole record.
        error: One line, or None.
        kind: ``ablation``, ``sweep``, ``run``, ``compare`` or ``wandb``.
        group: The factor of an ablation.
        name: Difference of the run from the base, or empty.
        base: Whether others are compared against it.
        settings: Flat and resolved.
        provenance: Commit and versions.
        started: ISO time, or empty.
        seconds: Seconds of the whole run.
        metrics: Such as ``validation/nll`` and ``test/balance/reward``.
        references: By reference, such as ``best_single``, its test metrics.
        history: One row per evaluation on validation in training.
        tasks: One row per task.
        shares: By scenario, the share of test queries of each LLM.
        curve: Points of the cost-quality curve.
        llms: Mean cost and performance of each LLM on the test queries.
        kept: Its folder with the predictions; None where they were not kept.
    """

    id: str
    source: str
    status: str
    error: str | None = None
    kind: str = "run"
    group: str | None = None
    name: str = ""
    base: bool = False
    settings: Record = field(default_factory=dict)
    provenance: Record = field(default_factory=dict)
    started: str = ""
    seconds: float | None = None
    metrics: dict[str, float] = field(default_factory=dict)
    references: dict[str, dict[str, float]] = field(default_factory=dict)
    history: list[Record] = field(default_factory=list)
    tasks: list[Record] = field(default_factory=list)
    shares: dict[str, dict[str, float]] = field(default_factory=dict)
    curve: list[Record] = field(default_factory=list)
    llms: list[Record] = field(default_factory=list)
    kept: FinishedRun | None = None

    @property
    def seed(self) -> int:
        """Of split and router; 0 where the record has none."""
        return int(self.settings.get("seed") or 0)

    @property
    def estimated(self) -> bool:
        """Whether the costs are estimates."""
        return bool(self.settings.get("estimate_cost"))

    def frame(self) -> pl.DataFrame | None:
        """Return the rows of the test queries; None where they were not kept."""
        return None if self.kept is None else self.kept.queries


def run_from(values: Any, source: str, where: str, kept: FinishedRun | None = None) -> Run:
    """Make a run from a record.

    Args:
        values: Content of ``run.json``.
        source: Folder or project.
        where: Named in the error.
        kept: Its folder with the predictions.

    Raises:
        ValueError: If the record is none; the message says what it lacks.
    """
    if not isinstance(values, Mapping):
        raise ValueError(f"{where} must be a record of a run, but is {type(values).__name__}")
    for key, kind in (("id", str), ("status", str), ("settings", Mapping)):
        if not isinstance(values.get(key), kind):
            raise ValueError(f"{where} must have {key!r}, but has {values.get(key)!r}")
    known = {key: values[key] for key in Run.__dataclass_fields__ if values.get(key) is not None}
    known["metrics"] = {key: float(value) for key, value in known.get("metrics", {}).items() if _is_number(value)}
    return Run(**{**known, "source": source, "kept": kept, "settings": dict(values["settings"])})


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and value == value


def read_results(folder: Path) -> list[Run]:
    """Read the runs of a comparison, an evaluation, an ablation, a sweep, or a single run.

    A record that cannot be read, and a run without one, become runs of their own status, so that the report can
    name them.

    Args:
        folder: With ``runs/ID/run.json``, or with a ``run.json`` of its own.

    Raises:
        UserError: If it is of an earlier version.
    """
    refuse_old_form(folder)
    if (folder / "run.json").is_file():
        return [_read_run(folder, str(folder))]
    names = sorted(one.name for one in (folder / "runs").glob("*") if one.is_dir())
    if not (folder / "config.json").is_file():
        return [_read_run(folder / "runs" / name, str(folder)) for name in names]
    store = Store(folder)
    config = store.config()
    base = next((name for name in config["ours"] if name in config["routers"]), None)
    wanted = [store.folder(label, seed) for seed in config["seeds"] for label in config["routers"]]
    runs = [_read_run(one, str(folder)) for one in wanted]
    return [replace(run, base=run.name == base) for run in runs]  # routers may have been added since a run was kept


def _read_run(folder: Path, source: str) -> Run:
    try:
        record = read_record(folder)
        if record is None:
            return Run(folder.name, source, UNFINISHED, "no run.json: the run was killed, or is still running")
        kept = FinishedRun(folder, record) if predictions_file(folder).is_file() else None
        return run_from(record if kept is None else kept.whole_record(), source, str(record_file(folder)), kept)
    except (UserError, ValueError, TypeError) as error:
        return Run(folder.name, source, UNREADABLE, f"cannot be read: {error}")
