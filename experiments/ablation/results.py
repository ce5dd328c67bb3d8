"""The runs of a grid as they lie in its folder."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import polars as pl

from experiments.ablation.grid import Key, Plan, Variant, read_plan
from experiments.runs.config import run_id
from graphrouter import metrics
from graphrouter.errors import UserError
from graphrouter.evaluation.finished import FinishedRun
from graphrouter.evaluation.store import read_record
from graphrouter.files import check_writable, replace_file
from graphrouter.settings import to_plain, to_yaml

Unit = tuple[tuple[str, Any], ...]
Column = tuple[str, str]
"""Scenario (empty for a metric of edges) and metric."""

GRID = "grid.yaml"


def begin(out: Path, plan: Plan) -> None:
    """Write the resolved grid into its folder.

    Differences, seeds and factors may be added to a grid that has runs. A run that the new grid does not ask for must
    not lie there: nobody could tell what it belongs to.

    Raises:
        UserError: If the folder holds such a run or other files, or cannot be written.
    """
    check_writable(out, "the ablation")
    if out.is_dir() and any(out.iterdir()) and not (out / GRID).is_file():
        raise UserError(f"{out} holds other files; name a new folder for the ablation")
    wanted = {job.id for job in plan.jobs()}
    kept = {folder.name for folder in (out / "runs").glob("*") if (folder / "run.json").is_file()}
    if others := sorted(kept - wanted):
        raise UserError(
            f"{out} holds {len(others)} runs that this grid does not ask for, such as {others[0]}; name another folder"
        )
    replace_file(out / GRID, to_yaml(to_plain(plan.grid)).encode())


@dataclass(eq=False)
class Results:
    """Results of a grid so far.

    Attributes:
        out: Its folder.
        plan: Plan of the grid.
        runs: Finished ones by id.
        failed: Failed ones by id, their records.
    """

    out: Path
    plan: Plan
    runs: dict[str, FinishedRun] = field(default_factory=dict)
    failed: dict[str, dict[str, Any]] = field(default_factory=dict)
    _of: dict[Key, dict[Unit, FinishedRun]] = field(default_factory=dict, repr=False)

    @classmethod
    def read(cls, out: Path) -> Results:
        """Read the folder of a grid.

        Raises:
            UserError: If it holds none, or no finished run.
        """
        if not (out / GRID).is_file():
            raise UserError(f"{out} must be the folder of an ablation, but has no {GRID}; run the ablation first")
        results = cls(out, read_plan(str(out / GRID)))
        for job in results.plan.jobs():
            record = read_record(out / "runs" / job.id)
            if record is not None and record["status"] == "finished":
                results.runs[job.id] = FinishedRun(out / "runs" / job.id, record)
            elif record is not None:
                results.failed[job.id] = record
        if not results.runs:
            raise UserError(f"{out} must hold finished runs, but has none; run the ablation first")
        return results

    def of(self, variant: Variant) -> dict[Unit, FinishedRun]:
        """Return the finished runs of a variant by what they are of: the seed, and what the variant is run over."""
        if variant.key not in self._of:
            ids = {tuple(unit.items()): run_id(config) for unit, config in variant.runs(self.plan.grid.seeds)}
            self._of[variant.key] = {unit: self.runs[id_] for unit, id_ in ids.items() if id_ in self.runs}
        return self._of[variant.key]

    def pairs(self, variant: Variant, other: Variant) -> dict[Unit, tuple[FinishedRun, FinishedRun]]:
        """Return the runs of two variants that belong together; one that is run over less serves several."""
        mine, theirs = self.of(variant), self.of(other)
        wider = mine if len(variant.over) >= len(other.over) else theirs
        pairs = {}
        for unit in wider:
            first, second = (_restricted(runs, unit) for runs in (mine, theirs))
            if first is not None and second is not None:
                pairs[unit] = first, second
        return pairs

    def columns(self) -> list[Column]:
        """Return the metrics that tables are of: of edges, and the reward of each scenario of the log."""
        names = next(iter(self.runs.values())).queries.columns
        scenarios = [name.partition(":")[2] for name in names if name.startswith("reward:")]
        headlines = metrics.metrics_of("scenario", headline=True)
        edges = [("", name) for name in metrics.metrics_of("edge", headline=True)]
        return [*edges, *((scenario, name) for scenario in scenarios for name in headlines)]


def _restricted(runs: dict[Unit, FinishedRun], unit: Unit) -> FinishedRun | None:
    """Return the run of a unit, or of the part of it that these runs tell apart."""
    known = {key for one in runs for key, _ in one}
    return runs.get(tuple((key, value) for key, value in unit if key in known))


def runs_table(results: Results) -> pl.DataFrame:
    """Return one tidy row per run: what it is, the settings that vary, and all its metrics."""
    records = [run.record for run in results.runs.values()] + list(results.failed.values())
    order = {job.id: place for place, job in enumerate(results.plan.jobs())}
    records.sort(key=lambda record: order[record["id"]])
    varying = _varying([record["settings"] for record in records])
    names = sorted({name for record in records for name in record.get("metrics", {})})
    rows = [
        {
            "id": record["id"],
            "factor": record["group"],
            "name": record["name"],
            "seed": record["config"]["seed"],
            "status": record["status"],
            "error": record["error"],
            "seconds": record["seconds"],
            **{key: _text(record["settings"].get(key)) for key in varying},
            **{name: record.get("metrics", {}).get(name) for name in names},
        }
        for record in records
    ]
    return pl.DataFrame(rows, infer_schema_length=None)


def _varying(settings: Sequence[dict[str, Any]]) -> list[str]:
    keys = dict.fromkeys(key for one in settings for key in one)
    return [key for key in keys if key != "seed" and len({_text(one.get(key)) for one in settings}) > 1]


def _text(value: Any) -> Any:
    return value if value is None or isinstance(value, bool | int | float | str) else str(value)
