"""The best configuration of a sweep against the default under the sweep's fixed values, on the test queries of seeds that it has not used.

Validation chose the configuration; here the test queries are looked at, once. A seed is a split of its own, so a test
query may have been a validation query of the sweep: no router has learnt from it, but the choice of one configuration
among many has. Where that matters, hold a log or a task back. Where the sweep fixes hyperparameters, ``best.yaml`` holds
them too, so the router as it comes, without them, is compared as well.
"""

from __future__ import annotations

from concurrent.futures import Future
from dataclasses import replace
from typing import Any

import polars as pl

from experiments.runs.config import RunConfig
from experiments.runs.configuration import SeedRuns
from experiments.sweeps.outcome import best_trial, markdown, under_fixed
from experiments.sweeps.runner import SweepRun, Workers
from graphrouter.errors import UserError
from graphrouter.evaluation.bootstrap import mean_over_seeds
from graphrouter.evaluation.differences import difference
from graphrouter.evaluation.finished import FinishedRun
from graphrouter.evaluation.rows import ResampledTables
from graphrouter.files import replace_file

FOLDER = "check"
COMPARED = ("nll", "performance", "reward", "cost")
"""Metrics that are means over the test queries."""
BEST, AS_IT_COMES = "best", "as it comes"


def check(made: SweepRun, seeds: int, workers: Workers) -> str:
    """Run the configurations on new seeds, write ``check.md`` and ``check.csv``, and return what to print.

    Args:
        made: A sweep that has ended.
        seeds: How many.
        workers: Workers that run them.

    Raises:
        UserError: If a run does not finish.
    """
    best, base = best_trial(made), made.base[0]
    configs = {BEST: best.configs[0], "default": base}
    if base.hyperparameters:
        configs[AS_IT_COMES] = replace(base, hyperparameters={})
    numbers = [made.base[-1].seed + 1 + place for place in range(seeds)]
    running = {
        (name, seed): _start(made, replace(config, seed=seed), name, workers)
        for seed in numbers
        for name, config in configs.items()
    }
    tables = {key: _finished(key, *pair).queries for key, pair in running.items()}
    text = (
        f"The best configuration ({best.name}) against the default of {base.router}{under_fixed(made)} on the "
        f"test queries of {base.log}, seeds {numbers[0]} to {numbers[-1]}, which the sweep has not used. Validation chose; "
        "test is looked at here alone. Means over seeds; the difference is paired, with a 95% interval from a bootstrap over "
        "wordings.\n\n"
    )
    found = []
    for name in [name for name in configs if name != BEST]:
        table = compared([[tables[side, seed] for side in (BEST, name)] for seed in numbers])
        found.append(table.with_columns(pl.lit(name).alias("against")))
        heading = f"\n\nAgainst {base.router} {name}, without the values that the sweep fixes:\n\n"
        text += (heading if name == AS_IT_COMES else "") + markdown(table)
    replace_file(made.out / "check.csv", pl.concat(found).write_csv().encode())
    replace_file(made.out / "check.md", (text + "\n").encode())
    return text


def _start(
    made: SweepRun, config: RunConfig, name: str, workers: Workers
) -> tuple[SeedRuns, Future[list[dict[str, Any]]]]:
    about = {"kind": "run", "group": FOLDER, "name": name, "base": name == "default"}
    logging = replace(made.logging, group=f"{made.sweep.name} {FOLDER}")
    configuration = SeedRuns(
        (config,), made.out / FOLDER, prefix=f"{name.replace(' ', '-')}-", about=about, logging=logging
    )
    return configuration, workers.submit(SeedRuns.run, configuration)


def _finished(key: tuple[str, int], made: SeedRuns, running: Future[list[dict[str, Any]]]) -> FinishedRun:
    record = running.result()[0]
    if record["status"] != "finished":
        raise UserError(f"the {key[0]} configuration must finish with seed {key[1]}, but {record['error']}; run again")
    return FinishedRun(made.folder(made.configs[0]), record)


def compared(parts: list[list[pl.DataFrame]]) -> pl.DataFrame:
    """Compare two configurations metric by metric.

    Args:
        parts: By seed, the tables of the best and of the default, see `FinishedRun.queries`, on the same queries.

    Returns:
        ``metric, best, default, difference, low, high, verdict``; the verdict is ``better`` or ``worse`` where the
        interval leaves out 0, else ``unclear``.
    """
    parts = [[frame.filter(pl.col("cells") > 0).sort("query_id") for frame in pair] for pair in parts]
    sides = {(seed, side): frame for seed, pair in enumerate(parts) for side, frame in enumerate(pair)}
    resampled = ResampledTables(sides)
    if any(resampled.queries[seed, 0] != resampled.queries[seed, 1] for seed in range(len(parts))):
        raise UserError("both configurations must have the same test queries, but have others; remove the check folder")
    rows = []
    for name in parts[0][0].columns:
        metric, _, scenario = name.partition(":")
        if metric not in COMPARED or any(frame[name].null_count() for frame in sides.values()):
            continue  # a log without cost
        best, default = (
            mean_over_seeds([resampled.score((seed, side), name) for seed in range(len(parts))]) for side in (0, 1)
        )
        found = difference(best, default, metric)
        row = {"metric": f"test/{scenario}/{metric}" if scenario else f"test/{metric}", "best": found.mean}
        row |= {"default": found.other_mean, "difference": found.value, "low": found.low, "high": found.high}
        rows.append(row | {"verdict": found.verdict})
    return pl.DataFrame(rows)
