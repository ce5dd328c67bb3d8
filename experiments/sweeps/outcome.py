"""Result of a sweep: the table of its trials, and the best configuration as a router's config."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import polars as pl

from experiments.sweeps.file import Sweep
from experiments.sweeps.runner import SweepRun, SweepTrial
from graphrouter.config import hyperparameters, make_router
from graphrouter.errors import UserError
from graphrouter.files import replace_file
from graphrouter.markdown import as_markdown
from graphrouter.settings import to_plain, to_yaml

SHOWN = 10
"""Trials in the table that is printed."""


def best_trial(made: SweepRun) -> SweepTrial:
    """Return the finished trial that is best on validation; of equal ones the first.

    Raises:
        UserError: If none has finished.
    """
    metric, best = made.sweep.metric, None
    for trial in made.trials:
        value = trial.value(metric.name)
        if value is not None and (best is None or metric.better(value, best[0])):
            best = value, trial
    if best is None:
        errors = [trial.records[-1]["error"] for trial in made.trials if trial.records]
        raise UserError(
            f"a trial or more must finish, but none did; the first says: {errors[0] if errors else 'nothing'}"
        )
    return best[1]


def trial_table(made: SweepRun) -> pl.DataFrame:
    """Return one row per trial, best first, then those that did not finish: ``trial, status``, metric and values."""
    metric = made.sweep.metric
    rows = [_row(made.sweep, trial) for trial in [*made.trials, made.default]]
    schema = {"trial": pl.String, "status": pl.String, metric.name: pl.Float64, "seconds": pl.Float64}
    frame = pl.DataFrame(rows, schema=schema | {parameter.name: pl.String for parameter in made.sweep.searched})
    return frame.sort(metric.name, descending=not metric.minimise, nulls_last=True, maintain_order=True)


def _row(sweep: Sweep, trial: SweepTrial) -> dict[str, Any]:
    values = trial.records[0]["settings"]
    return {
        "trial": trial.name,
        "status": trial.status,
        sweep.metric.name: trial.value(sweep.metric.name),
        "seconds": sum(record["seconds"] for record in trial.records),
    } | {parameter.name: _short(values.get(parameter.name)) for parameter in sweep.searched}


def _short(value: Any) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def markdown(frame: pl.DataFrame) -> str:
    """Return a table as Markdown."""
    rows = [
        ["" if item is None else f"{item:.5g}" if isinstance(item, float) else str(item) for item in row]
        for row in frame.iter_rows()
    ]
    return as_markdown([frame.columns, *rows], frame.width)


def write_outcome(made: SweepRun) -> str:
    """Write ``trials.csv``, ``best.md`` and ``best.yaml``, and return what to print."""
    table, best = trial_table(made), best_trial(made)
    replace_file(made.out / "trials.csv", table.write_csv().encode())
    write_best(made.out / "best.yaml", made, best)
    counts = table.filter(pl.col("trial") != "default")["status"].value_counts(sort=True)
    by_status = ", ".join(f"{count} {status}" for status, count in counts.iter_rows())
    shown = table.head(SHOWN)
    if "default" not in shown["trial"]:
        shown = pl.concat([shown, table.filter(pl.col("trial") == "default")])
    seeds = f"seed {made.base[0].seed}" + (f" to {made.base[-1].seed}" if len(made.base) > 1 else "")
    text = (
        f"{made.sweep.name}: {len(made.trials)} trials ({by_status}), best by {made.sweep.metric.name} on validation, {seeds}. "
        f"{_ended(made)}The default is the router as it comes{under_fixed(made)}. {_against_default(made, best)}"
        f"\n\n{markdown(shown)}\n"
    )
    replace_file(made.out / "best.md", text.encode())
    return text


def _ended(made: SweepRun) -> str:
    """Say why there are fewer trials than were asked for."""
    if not made.exhausted:
        return ""
    return f"It ended there, because every configuration has been run; {made.sweep.run_cap} were asked for. "


def under_fixed(made: SweepRun) -> str:
    """Say which hyperparameters the sweep fixes; the default has them too, so that like is compared with like."""
    fixed = [f"{made.base[0].router}.{name}={value}" for name, value in made.base[0].hyperparameters.items()]
    return f" but for what the sweep fixes ({', '.join(fixed)})" if fixed else ""


def _against_default(made: SweepRun, best: SweepTrial) -> str:
    """Say whether the best trial is better than the default, by the sweep's metric."""
    reached, default = (trial.value(made.sweep.metric.name) for trial in (best, made.default))
    if reached is None or default is None:
        return "The default has no value of the metric, so that no trial can be compared with it."
    beats = made.sweep.metric.better(reached, default)
    said = f"{'The best trial' if beats else 'No trial beats the default: the best'} has {reached:.5f}, the default {default:.5f}."
    if made.base[0].hyperparameters:
        said += " best.yaml fixes the same values; --check compares it with the router as it comes, too."
    return said


def write_best(file: Path, made: SweepRun, best: SweepTrial) -> None:
    """Write the best configuration as ``graphrouter train --config`` reads it."""
    config = best.configs[0]
    router = make_router(config.router, config.hyperparameters)
    values = {"router": config.router, **to_plain(hyperparameters(router))}
    value = best.value(made.sweep.metric.name)
    about = (
        f"# The best of {len(made.trials)} trials of the sweep {made.sweep.name!r} on {config.log}: "
        f"{best.name}, {made.sweep.metric.name} {value:.5f}.\n# {_against_default(made, best)}\n"
    )
    replace_file(file, (about + to_yaml(values)).encode())
