"""The best configuration of a sweep against the default under the sweep's fixed values, on the test queries of seeds that it has not used.

Validation chose the configuration; here the test queries are looked at, once. A seed is a split of its own, so a test
query may have been a validation query of the sweep: no router has learnt from it, but the choice of one configuration
among many has. Where that matters, hold a log or a task back. Where the sweep fixes hyperparameters, ``best.yaml`` holds
them too, so the router as it comes, without them, is compared as well.
"""

from __future__ import annotations

from concurrent.futures import Future
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from experiments.runs.config import RunConfig
from experiments.runs.configuration import Configuration
from experiments.runs.record import summed
from experiments.sweeps.outcome import best_trial, markdown, under_fixed
from experiments.sweeps.runner import SweepRun, Workers
from graphrouter.errors import UserError
from graphrouter.evaluation.bootstrap import draw_weights, interval, mean_over_seeds
from graphrouter.files import replace_file
from graphrouter.metrics import lower_is_better
from graphrouter.metrics.weighted import ratio

Array = np.ndarray
FOLDER = "check"
BEST, AS_IT_COMES = "best", "as it comes"


def check(made: SweepRun, seeds: int, workers: Workers) -> str:
    """Run the configurations on new seeds, write ``check.md`` and ``check.csv``, and return what to print.

    Args:
        made: A sweep that has ended.
        seeds: How many.
        workers: What runs them.

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
    tables = {key: pl.read_parquet(_finished(key, *pair) / "queries.parquet") for key, pair in running.items()}
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
) -> tuple[Configuration, Future[list[dict[str, Any]]]]:
    about = {"kind": "run", "group": FOLDER, "name": name, "base": name == "default"}
    logging = replace(made.logging, group=f"{made.sweep.name} {FOLDER}")
    configuration = Configuration(
        (config,), made.out / FOLDER, prefix=f"{name.replace(' ', '-')}-", about=about, logging=logging
    )
    return configuration, workers.submit(Configuration.run, configuration)


def _finished(key: tuple[str, int], made: Configuration, running: Future[list[dict[str, Any]]]) -> Path:
    record = running.result()[0]
    if record["status"] != "finished":
        raise UserError(f"the {key[0]} configuration must finish with seed {key[1]}, but {record['error']}; run again")
    return made.folder(made.configs[0])


def compared(parts: list[list[pl.DataFrame]]) -> pl.DataFrame:
    """Compare two configurations metric by metric.

    Args:
        parts: By seed, the rows of ``queries.parquet`` of the best and of the default, on the same queries.

    Returns:
        ``metric, best, default, difference, low, high, verdict``; the verdict is ``better`` or ``worse`` where the
        interval leaves out 0.
    """
    parts = [[frame.filter(pl.col("cells") > 0).sort("query_id") for frame in pair] for pair in parts]
    if any(pair[0]["query_id"].to_list() != pair[1]["query_id"].to_list() for pair in parts):
        raise UserError("both configurations must have the same test queries, but have others; remove the check folder")
    weights = draw_weights([pair[0]["group"].to_numpy() for pair in parts])
    names = [name for name in parts[0][0].columns if name.partition(":")[0] in ("nll", "performance", "reward", "cost")]
    rows = []
    for name in names:
        if any(frame[name].null_count() for pair in parts for frame in pair):
            continue  # a log without cost
        best, default = (
            mean_over_seeds(
                [ratio(*summed(pair[side], name), draws) for pair, draws in zip(parts, weights, strict=True)]
            )
            for side in (0, 1)
        )
        rows.append(_row(name, best, default))
    return pl.DataFrame(rows)


def _row(name: str, best: Array, default: Array) -> dict[str, Any]:
    metric, _, scenario = name.partition(":")
    difference = best - default
    low, high = interval(difference[1:])
    sign = -1 if lower_is_better(metric) else 1
    verdict = "better" if sign * low > 0 and sign * high > 0 else "worse" if low * high > 0 else "not told apart"
    return {
        "metric": f"test/{scenario}/{metric}" if scenario else f"test/{metric}",
        "best": best[0],
        "default": default[0],
        "difference": difference[0],
        "low": low,
        "high": high,
        "verdict": verdict,
    }
