"""One router that is fitted already, on a log that it has never seen."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from graphrouter.dataset import Queries
from graphrouter.errors import UserError
from graphrouter.evaluation.collected import Evaluation
from graphrouter.evaluation.comparison import router_config
from graphrouter.evaluation.folder import Store
from graphrouter.evaluation.report.write import summarise
from graphrouter.evaluation.run import predict_queries
from graphrouter.evaluation.store import Outcomes
from graphrouter.evaluation.summary import REFERENCE
from graphrouter.identity import digest_of, log_config
from graphrouter.log import LLMLog
from graphrouter.noise import noise_budget
from graphrouter.routers.base import Router
from graphrouter.run import provenance
from graphrouter.scenario import Scenario, choose_scenarios
from graphrouter.typing import Array, Record


def evaluate_router(
    router: Router,
    queries: Queries,
    log: LLMLog,
    *,
    cost_scale: float,
    out: str | Path,
    encoder: str,
    vectors: str | None = None,
    columns: Array | None = None,
    scenarios: Sequence[Scenario] | None = None,
    trained_on: str = "",
) -> Evaluation:
    """Score a fitted router on all scored queries of a log, and write the files that a comparison writes.

    Nothing is fitted on the log. What the router is compared against are the log's LLMs, each asked for every query:
    references that are read off the evaluated outcomes, not baselines that could have been had before.

    Args:
        router: Fitted elsewhere.
        queries: Those of the log, in its row order, encoded as the router was trained.
        log: Without queries that the router has learnt from. Its performance is what the router was trained for.
        cost_scale: Dollars of a normalised cost of 1, fitted where the router was; NaN for a router without cost.
        out: Folder for the results: new, or that of the same evaluation.
        encoder: Encoder of the vectors, for the record.
        vectors: Identifies them, see `graphrouter.encoders.Encoder.given`; None for a digest of the vectors themselves.
        columns: [M], where the log's LLMs stand in the router's predictions; None for the same LLMs.
        scenarios: None for those that the log and the router have values for.
        trained_on: Name of the router's log, for the record.

    Returns:
        The results; rows have the split ``all`` and the router's seed.

    Raises:
        UserError: If a scenario has no values, a prediction is no number, or ``out`` holds something else.
    """
    chosen = _scenarios(log, scenarios, cost_scale)
    scored = np.flatnonzero(log.cells("draws").sum(axis=1) > 0)
    asked = queries.take(scored)
    performance, cost = log.cells("performance")[scored], log.cells("cost")[scored]
    done = predict_queries(router, router.name, asked, performance, chosen, cost_scale, columns)
    about = {
        "cost_scale": cost_scale if np.isfinite(cost_scale) else None,
        "sizes": {"all": len(scored)},
        "llms": list(log.llm_names),
    }
    tasks = np.array([task or "" for task in asked.tasks])
    outcomes = Outcomes(tasks, asked.groups, performance, cost, about, np.array(asked.ids, dtype=object))
    config: Record = {
        "kind": "evaluate",
        "log": log_config(log),
        "noise": noise_budget(log).about(),
        "encoder": encoder,
        "trained_on": trained_on,
        "scenarios": [asdict(scenario) for scenario in chosen],
        "vectors": vectors or f"array:{digest_of(queries.vectors)}",
        "router": _digest(router.get_state(), cost_scale, columns),
        "split": "all",
        "seeds": [router.seed],
        "ours": [router.name],
        "routers": {router.name: router_config(router)},
        "references": [REFERENCE + llm for llm in log.llm_names],
        "provenance": provenance(),
    }
    store = Store(out)
    store.begin(config)
    store.keep_outcomes(router.seed, outcomes)
    store.save_predictions(router.name, router.seed, done)
    return summarise(store.out, log.queries.select("query_id", "query")[scored])


def _scenarios(log: LLMLog, scenarios: Sequence[Scenario] | None, cost_scale: float) -> list[Scenario]:
    """Choose scenarios; those that weigh cost only where the router has learnt cost too."""
    chosen = choose_scenarios(log, scenarios)
    if np.isfinite(cost_scale):
        return chosen
    if scenarios is None:
        return [scenario for scenario in chosen if scenario.beta == 0]
    for scenario in chosen:
        if scenario.beta != 0:
            raise UserError(
                f"the scenario {scenario.name} weighs cost, but the router learnt from a log without; train it with "
                "--estimate-cost, or choose performance_first"
            )
    return chosen


def _digest(*values: Any) -> str:
    """Return a hash of what a router has learnt: arrays, numbers, text, None, and lists, tuples and dicts of these."""
    digest = hashlib.sha256()

    def add(value: Any) -> None:
        if isinstance(value, Mapping):
            add([part for key in sorted(value, key=str) for part in (str(key), value[key])])
        elif isinstance(value, list | tuple):
            digest.update(f"{len(value)}[".encode())
            for item in value:
                add(item)
        elif isinstance(value, np.ndarray) and value.dtype.kind != "O":
            digest.update(f"{value.dtype.str}{value.shape}".encode() + np.ascontiguousarray(value).tobytes())
        else:
            plain = value.tolist() if isinstance(value, np.ndarray | np.generic) else value
            digest.update(f"{plain!r};".encode())

    add(values)
    return digest.hexdigest()
