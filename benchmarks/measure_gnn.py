"""Measures the GNN router in a process of its own, for `speed.py`; prints JSON."""

from __future__ import annotations

import json
import resource
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from statistics import median
from typing import Any, Self

import numpy as np
import torch
from common import run, seconds
from data import about, load_parts, make_encoder

from graphrouter.dataset import RoutingData
from graphrouter.encoders import Encoder, LogVectors
from graphrouter.log import LLMLog, load_log
from graphrouter.pipeline import RoutingPipeline, train
from graphrouter.routers.gnn import GNN
from graphrouter.run import RunOptions
from graphrouter.scenario import find_scenario
from graphrouter.splits import by_query

QUERIES = 10_000
REPEATS = 3
"""Times that the 10,000 queries are routed; the median counts."""
SINGLES, WARM_UP = 500, 20


@dataclass(eq=False)
class TimedGNN(GNN):
    """The GNN router, with a note of how long its training took and of the memory until then."""

    name = "gnn"
    note: dict[str, float] = field(default_factory=dict)

    def fit(self, train: RoutingData, validation: RoutingData) -> Self:
        """Train, and take note."""
        wall, busy = time.perf_counter(), time.process_time()
        super().fit(train, validation)
        wall, busy = time.perf_counter() - wall, time.process_time() - busy
        self.note.update(fit_seconds=wall, fit_cpu_seconds=busy, fit_peak_bytes=peak_bytes())
        return self


def peak_bytes() -> int:
    """Return the peak resident memory of this process: Python, torch and all."""
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit


def measure(log: LLMLog, encoder: Encoder, seed: int) -> dict[str, Any]:
    """Train on a log, whose vectors are cached, and route its test queries."""
    figures: dict[str, Any] = {"import_peak_bytes": peak_bytes()}
    started = time.perf_counter()
    pipeline = train(log, TimedGNN(), encoder, seed, run=RunOptions(device="cpu"))
    whole = time.perf_counter() - started
    figures |= pipeline.router.note
    figures["prepare_seconds"] = whole - figures["fit_seconds"]
    figures |= routing_seconds(pipeline, log, by_query(log, seed).test, seed)
    return figures | {"peak_bytes": peak_bytes()}


def routing_seconds(pipeline: RoutingPipeline, log: LLMLog, test: np.ndarray, seed: int) -> dict[str, Any]:
    """Time 10,000 queries, drawn from the test split with repetition, and single ones, each in both ways.

    The pipeline gets texts and looks their vectors up in the cache (TF-IDF has none, and makes them); the router alone
    gets vectors.
    """
    random = np.random.default_rng(seed)
    rows = random.choice(test, QUERIES)
    texts, tasks = (log.queries[name].gather(rows).to_list() for name in ("query", "task"))
    vectors = pipeline.encoder.encode_log(log, [])[0][rows]
    queries = pipeline.queries(texts, tasks, vectors)
    given = vectors if isinstance(pipeline.encoder, LogVectors) else None
    scenario = find_scenario("performance_first")

    def route(part: slice) -> object:
        return pipeline.route(texts[part], tasks[part], vectors=None if given is None else given[part])

    def choose(part: slice) -> object:
        taken = queries.take(np.arange(QUERIES)[part])
        return pipeline.router.utility(taken, scenario, pipeline.cost_scale).argmax(axis=1)

    return {"pipeline": both(route), "router": both(choose)}


def both(way: Callable[[slice], object]) -> dict[str, float]:
    """Return the seconds of all queries at once, and the median and 95th percentile of single ones."""
    singles = [seconds(partial(way, slice(row, row + 1))) for row in range(WARM_UP + SINGLES)][WARM_UP:]
    at_once = median(seconds(partial(way, slice(None))) for _ in range(REPEATS))
    low, high = np.percentile(singles, [50, 95])
    return {"all_seconds": at_once, "single_median_seconds": float(low), "single_p95_seconds": float(high)}


def main() -> None:
    """Take LOG, ENCODER (or nothing for the default), SEED and THREADS; 0 threads only fill the cache of vectors."""
    source, name, seed, threads = sys.argv[1], sys.argv[2] or None, int(sys.argv[3]), int(sys.argv[4])
    log = load_log(source)
    encoder = make_encoder(log, name)
    if not threads:
        load_parts(log, encoder, seed)
        return
    torch.set_num_threads(threads)
    figures = measure(log, encoder, seed)
    print(json.dumps({"data": about(log, by_query(log, seed), encoder, seed), "figures": figures}))


if __name__ == "__main__":
    run(main)
