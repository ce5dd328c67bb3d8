"""Fit and score one run, and write what it came to."""

from __future__ import annotations

import time
import traceback
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from experiments.runs.config import RunConfig, run_id, settings
from experiments.runs.data import load_run, new_llm
from graphrouter.config import make_router
from graphrouter.errors import UserError, first_line
from graphrouter.evaluation.record import REFERENCES, new_llm_metrics, record_of, scores_of
from graphrouter.evaluation.rows import outcomes_of, routable, without_rewards
from graphrouter.evaluation.run import FittedRouter, fit_router
from graphrouter.evaluation.store import read_record, share_outcomes, write_predictions, write_record
from graphrouter.files import replace_file
from graphrouter.pipeline import RoutingPipeline
from graphrouter.pipeline.training import as_pipeline
from graphrouter.prepared import PreparedLog
from graphrouter.run import RunOptions, provenance
from graphrouter.settings import to_plain
from graphrouter.splits import PARTS
from graphrouter.typing import Record

History = list[dict[str, Any]]
OnEvaluation = Callable[[str, dict[str, float]], None]


class Stopped(Exception):
    """Raised in ``on_evaluation`` to end a run early; it is recorded as stopped, not as failed."""


def execute(
    config: RunConfig,
    folder: Path,
    *,
    about: Record | None = None,
    run: RunOptions | None = None,
    on_evaluation: OnEvaluation | None = None,
    on_result: Callable[[RoutingPipeline, Record], None] | None = None,
) -> Record:
    """Fit and score one run, and keep it in FOLDER, in the form of `graphrouter.evaluation.store`.

    A run that is finished is not run again. An error of the run itself is recorded, with its traceback in error.txt, and
    not raised; Ctrl-C is raised.

    Args:
        config: Config of the run.
        folder: Folder of this run alone.
        about: ``id, kind, group, name, base`` where they differ from those of a single run.
        run: Options of the run; one thread and no progress bar where None.
        on_evaluation: Called after every evaluation on validation of a torch router; it may raise `Stopped`.
        on_result: Called with the fitted pipeline and the record of a finished run, before that is written.

    Returns:
        The record, as in run.json: its ``status`` is ``finished``, ``failed`` or ``stopped``.
    """
    kept = read_record(folder)
    if kept is not None and kept["status"] == "finished":
        return kept
    run = run or RunOptions(device="cpu")
    history: History = []
    record = new_record(config, about)
    started = time.perf_counter()

    def listen(label: str, evaluation: dict[str, float]) -> None:
        # JSON has no infinity, which a loss that is no number counts as.
        history.append(
            {"label": label} | {key: value if np.isfinite(value) else None for key, value in evaluation.items()}
        )
        if on_evaluation is not None:
            on_evaluation(label, evaluation)

    try:
        record |= _run(config, folder, replace(run, on_evaluation=listen), record, history, on_result)
    except Stopped as error:
        record |= {"status": "stopped", "error": first_line(error), "metrics": _so_far(history)}
    except Exception as error:
        kind = "" if isinstance(error, UserError) else f"{type(error).__name__}: "
        record |= {"status": "failed", "error": f"{kind}{first_line(error)}"}
        replace_file(folder / "error.txt", traceback.format_exc().encode())
    record |= {"seconds": time.perf_counter() - started, "history": history}
    write_record(folder, record)
    return record


def new_record(config: RunConfig, about: Record | None = None) -> Record:
    """Return the record of a run before it starts."""
    record: Record = {"id": run_id(config), "status": "finished", "error": None, "kind": "run", "group": None}
    record |= {"name": "base", "base": False} | (about or {})
    record |= {"config": to_plain(config), "settings": settings(config), "provenance": _provenance()}
    return record | {"started": datetime.now(UTC).isoformat(timespec="seconds")}


def _run(
    config: RunConfig,
    folder: Path,
    run: RunOptions,
    record: Record,
    history: History,
    on_result: Callable[[RoutingPipeline, Record], None] | None,
) -> Record:
    data = load_run(config, run.device, run.progress)
    record["settings"]["encoder"] = data.encoder_name
    fitted, before = _fit(config, data, run, history)
    done, scenarios, llms = fitted.predict(), data.scenarios, data.test.llms.names
    outcomes = outcomes_of(data.test, data.cost_scale)
    known = {name: fit_router(make_router(name), data, seed=0).predict() for name in REFERENCES}
    checked = outcomes_of(data.validation, data.cost_scale)
    found: Record = {
        "fit_seconds": fitted.about["fit_seconds"],
        "predict_seconds": done.about["predict_seconds"],
        "best_is_last": fitted.about["best_is_last"],
        "sizes": {name: len(getattr(data, name).queries) for name in PARTS}
        | {"llms": len(llms), "tasks": len({task for task in data.test.queries.tasks if task})},
        "scenarios": to_plain(scenarios),
        "outcomes": share_outcomes(folder, outcomes),
        **record_of(outcomes, done, known, scenarios),
    }
    validated = scores_of("validation", checked, [fitted.predict("validation")], scenarios)[0]
    found["metrics"] = validated | found["metrics"]
    if before is not None:
        without, column = before.predict(), llms.index(str(config.held_out))
        found["metrics"] |= new_llm_metrics(outcomes, done, without, column, scenarios)
        if routable(outcomes):
            rewards = {one.name: without_rewards(outcomes, without, column, one) for one in scenarios}
            done = replace(done, without=rewards)
    write_predictions(folder, done, scenarios, outcomes.cost_scale)
    if on_result is not None:
        on_result(as_pipeline(fitted.router, data), record | found)
    return found


_last: list[tuple[str, FittedRouter, History]] = []
"""Last fit without a new LLM, with the id of its run: runs that differ only in the shots share it."""


def _fit(
    config: RunConfig, data: PreparedLog, run: RunOptions, history: History
) -> tuple[FittedRouter, FittedRouter | None]:
    """Fit a run's router, with the new LLM taken in where one is left out; then return it as it was before, too."""
    router, new = make_router(config.router, config.hyperparameters), new_llm(config)
    if new is None:
        return fit_router(router, data, run=run), None
    key = run_id(replace(config, shots=0))
    if _last and _last[0][0] == key:
        history.extend(_last[0][2])
    else:
        known = data.vary(llms=tuple(name for name in data.llms or data.log.llm_names if name != new))
        fitted = fit_router(router, known, run=run)
        _last[:] = [(key, fitted, list(history))]
    before = _last[0][1]
    started = time.perf_counter()
    extended = before.router.extend(data.train)
    seconds = before.about["fit_seconds"] + time.perf_counter() - started
    return replace(before, router=extended, prepared=data, about=before.about | {"fit_seconds": seconds}), before


def _so_far(history: list[dict[str, Any]]) -> dict[str, float]:
    """Return the metrics of a run that was stopped: the lowest validation loss that it reached."""
    losses = [float(row["validation_loss"]) for row in history if row["validation_loss"] is not None]
    return {"validation/loss": min(losses)} if losses else {}


@lru_cache(maxsize=1)
def _provenance() -> dict[str, object]:
    return provenance()
