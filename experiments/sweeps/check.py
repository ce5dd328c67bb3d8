"""The best configuration of a sweep against the default under the sweep's fixed values, on the test queries of seeds that it has not used.

Validation chose the configuration; here the test queries are looked at, once. A seed is a split of its own, so a test
query may have been a validation query of the sweep: no router has learnt from it, but the choice of one configuration
among many has. Where that matters, hold a log or a task back.
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
from graphrouter.metrics import LOWER_IS_BETTER
from graphrouter.metrics.weighted import ratio

Array = np.ndarray
FOLDER = "check"
PAIR = ("best", "default")


def check(made: SweepRun, seeds: int, workers: Workers) -> str:
    """Run both configurations on new seeds, write ``check.md`` and ``check.csv``, and return what to print.

    Args:
        made: A sweep that has ended.
        seeds: How many.
        workers: What runs them.

    Raises:
        UserError: If a run does not finish.
    """
    best = best_trial(made)
    numbers = [made.base[-1].seed + 1 + place for place in range(seeds)]
    running = {
        (name, seed): _start(made, replace(config, seed=seed), name, workers)
        for seed in numbers
        for name, config in zip(PAIR, (best.configs[0], made.base[0]), strict=True)
    }
    folders = {key: _finished(key, *pair) for key, pair in running.items()}
    parts = [[pl.read_parquet(folders[name, seed] / "queries.parquet") for name in PAIR] for seed in numbers]
    table = compared(parts)
    about = (
        f"The best configuration (trial {best.asked.number}) against the default of {best.configs[0].router}"
        f"{under_fixed(made)} on the test queries of {best.configs[0].log}, seeds {numbers[0]} to {numbers[-1]}, which the sweep has not used. Validation "
        "chose; test is looked at here alone. Means over seeds; the difference is paired, with a 95% interval from a "
        "bootstrap over wordings.\n\n"
    )
    replace_file(made.out / "check.csv", table.write_csv().encode())
    replace_file(made.out / "check.md", (about + markdown(table) + "\n").encode())
    return about + markdown(table)


def _start(
    made: SweepRun, config: RunConfig, name: str, workers: Workers
) -> tuple[Configuration, Future[list[dict[str, Any]]]]:
    about = {"kind": "run", "group": FOLDER, "name": name, "base": name == "default"}
    logging = replace(made.logging, group=f"{made.sweep.name} {FOLDER}")
    configuration = Configuration((config,), made.out / FOLDER, prefix=f"{name}-", about=about, logging=logging)
    return configuration, workers.submit(configuration)


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
    sign = -1 if metric in LOWER_IS_BETTER else 1
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
