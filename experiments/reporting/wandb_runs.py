"""Runs on W&B -> records. The names are those of `experiments.runs.wandb_log`."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from experiments.reporting.records import FAILED, FINISHED, UNFINISHED, Run
from graphrouter.typing import Record

Table = tuple[list[str], list[list[Any]]]
LOSSES = ("train_loss", "validation_loss")
SEEDS = "seeds"


@dataclass
class Logged:
    """One W&B run, online or offline.

    Attributes:
        id: As W&B made it.
        source: Folder or project.
        name: As it is shown.
        group: Group of runs.
        kind: Its job type.
        started: ISO time.
        seconds: It took.
        exit: Exit status; None where it has not ended.
        config: Flat.
        summary: Last values, tables as mappings with a ``path``.
        history: Rows as they were logged.
        table: Path of a table to its content, as JSON says it; None where it was not kept.
    """

    id: str
    source: str
    name: str = ""
    group: str | None = None
    kind: str = "wandb"
    started: str = ""
    seconds: float | None = None
    exit: int | None = None
    config: Record = field(default_factory=dict)
    summary: Record = field(default_factory=dict)
    history: list[Record] = field(default_factory=list)
    table: Callable[[str], Record | None] = lambda _: None


def runs_of(logged: Logged) -> list[Run]:
    """Return the runs that a W&B run holds: one for each of its seeds."""
    config = {key: value for key, value in logged.config.items() if not key.startswith("_")}
    name, count = str(config.pop("name", "") or ""), int(config.pop(SEEDS, 1) or 1)
    status = logged.summary.get("status") or (
        UNFINISHED if logged.exit is None else FAILED if logged.exit else FINISHED
    )
    whole = Run(
        id=logged.name or logged.id,
        source=logged.source,
        status=str(status),
        error=logged.summary.get("error") or ("the W&B run has not ended" if status == UNFINISHED else None),
        kind=logged.kind or "wandb",
        group=logged.group,
        name=name,
        base=bool(config.pop("base", False)),
        settings=config,
        started=logged.started,
        seconds=logged.seconds,
        metrics={key: float(value) for key, value in logged.summary.items() if _is_metric(key, value)},
        history=list(_history(logged.history, "")),
    )
    if status != FINISHED:
        return [whole]
    return [_seed(whole, logged, place, count) for place in range(count)]


def _is_metric(key: str, value: Any) -> bool:
    return key.startswith(("validation/", "test/")) and isinstance(value, int | float) and not isinstance(value, bool)


def _seed(whole: Run, logged: Logged, place: int, count: int) -> Run:
    """The run of one seed, from its own tables where they were kept: the summary has means over seeds only."""
    prefix = f"seed{place}/" if place else ""
    tables = dict(_tables(logged, f"{prefix}tables/"))
    seconds = whole.seconds / count if whole.seconds is not None else None
    run = replace(whole, settings={**whole.settings, "seed": whole.seed + place}, seconds=seconds)
    run.history = list(_history(logged.history, prefix))
    if count > 1:
        run.id = f"{whole.id}-{place}"
    if metrics := _metrics(tables):
        run.metrics = metrics
    run.references = _references(tables.get("test"))
    run.tasks, run.llms, run.curve = (_rows(tables.get(name)) for name in ("test_tasks", "test_llms", "cost_quality"))
    run.shares = {}
    for row in _rows(tables.get("routing_shares")):
        run.shares.setdefault(row["scenario"], {})[row["llm"]] = row["share"]
    return run


def _tables(logged: Logged, prefix: str) -> Iterable[tuple[str, Table]]:
    for key, value in logged.summary.items():
        if key.startswith(prefix) and isinstance(value, Mapping) and value.get("path"):
            content = logged.table(str(value["path"]))
            if content is not None:
                yield key.removeprefix(prefix), (content["columns"], content["data"])


def _rows(table: Table | None) -> list[Record]:
    return [dict(zip(table[0], row, strict=True)) for row in table[1]] if table else []


def _metrics(tables: Mapping[str, Table]) -> dict[str, float]:
    return {
        f"{part}/{row[0]}": float(row[1])
        for part in ("validation", "test")
        for row in (tables[part][1] if part in tables else [])
        if row[1] is not None
    }


def _references(table: Table | None) -> dict[str, dict[str, float]]:
    """The columns behind the metric and the router itself."""
    if table is None:
        return {}
    return {
        name: {f"test/{row[0]}": float(row[column]) for row in table[1] if row[column] is not None}
        for column, name in enumerate(table[0])
        if column >= 2
    }


def _history(rows: Iterable[Record], prefix: str) -> Iterable[Record]:
    """Evaluations of one seed: ``train_loss``, or with the name of a further network in front."""
    for row in rows:
        found: dict[str, Record] = {}
        for key, value in row.items():
            if not key.startswith(prefix) or (not prefix and key.startswith("seed")):
                continue
            network, _, loss = key.removeprefix(prefix).rpartition("/")
            if loss in LOSSES and isinstance(value, int | float):
                found.setdefault(network, {})[loss] = float(value)
        for network, losses in found.items():
            yield {"label": network or "router", "step": row.get("step", 0), **losses}
