"""The query-level table: which query went where, what was predicted, what came out, what the best would have been."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any

import numpy as np
import polars as pl

from graphrouter import metrics
from graphrouter.evaluation.report.view import View
from graphrouter.evaluation.store import Outcomes, Predictions
from graphrouter.scenario import Scenario

Array = np.ndarray

MOST_QUERIES = 1000
"""Queries in the table: of more, those with the lowest hash of their id, so that every page on a log shows the same."""
BASELINES = 4
"""Baselines in the table: the best of the first scenario. More would make the page heavy, not clear."""
MOST_LETTERS = 200
"""Of a query's text."""
WITHOUT_SCRIPT = 20
"""Rows that stand in the page itself: those of the largest regret."""


def query_table(
    view: View, outcomes: Outcomes, predictions: Mapping[str, Predictions], texts: pl.DataFrame | None
) -> dict[str, Any] | None:
    """Return the choices of one seed, by column, as the page's script reads them; None where choices cannot be scored.

    Args:
        view: What was measured.
        outcomes: Of the seed, Q queries and M LLMs.
        predictions: Of every router.
        texts: Columns ``query_id`` and ``query``, a row per query; None where the log is not at hand.
    """
    if not view.support.routable:
        return None
    ids = [str(row) for row in range(len(outcomes.tasks))] if texts is None else texts["query_id"].to_list()
    rows = np.array(sorted(range(len(ids)), key=lambda row: hashlib.sha256(ids[row].encode()).digest())[:MOST_QUERIES])
    rows.sort()
    performance = outcomes.performance.astype(np.float64)
    scenarios = [Scenario(**one) for one in view.evaluation.config["scenarios"]]
    ranked = [name for name in view.ranked(view.scenarios[0], "reward") if name in view.baselines]
    shown = [name for name in [*view.ours, *ranked[:BASELINES]] if name in predictions]
    words = ["" for _ in rows] if texts is None else [text[:MOST_LETTERS] for text in texts["query"].gather(rows)]
    found: dict[str, Any] = {
        "llms": view.evaluation.config["log"]["llms"],
        "ids": [ids[row] for row in rows],
        "texts": words,
        "tasks": [str(task) for task in outcomes.tasks[rows]],
        "routers": shown,
        "total": len(ids),
        "scenarios": {},
    }
    for scenario in scenarios:
        rewards = outcomes.rewards(scenario)
        best = np.where(np.isnan(rewards), -np.inf, rewards).argmax(axis=1)
        by_router = {}
        for name in shown:
            given = predictions[name]
            choice = metrics.choose(given.utility[scenario.name], performance)
            pick = np.arange(len(choice)), choice
            columns = {"chosen": choice, "predicted": None if given.quality is None else given.quality[pick]}
            columns |= {"performance": performance[pick], "cost": outcomes.cost[pick] * 1000, "reward": rewards[pick]}
            by_router[name] = {key: _short(values, rows) for key, values in columns.items()}
        top = rewards[np.arange(len(best)), best]
        found["scenarios"][scenario.name] = {
            "best": best[rows].tolist(), "top": _short(top, rows), "routers": by_router,
        }  # fmt: skip
    return found


def _short(values: Array | None, rows: Array) -> list[Any] | None:
    """Return what a page needs of numbers: four significant digits, None where there is none."""
    if values is None:
        return None
    if values.dtype.kind == "i":
        return [int(value) for value in values[rows]]
    return [float(f"{value:.4g}") if np.isfinite(value) else None for value in values[rows].tolist()]


def first_rows(table: Mapping[str, Any]) -> list[list[str]]:
    """Return the rows of the largest regret, of the first router in the first scenario, as the page's script shows them."""
    scenario = next(iter(table["scenarios"].values()))
    router = scenario["routers"][table["routers"][0]]
    regret = [
        -1.0 if top is None or got is None else top - got
        for top, got in zip(scenario["top"], router["reward"], strict=True)
    ]
    rows = []
    for row in sorted(range(len(regret)), key=lambda row: -regret[row])[:WITHOUT_SCRIPT]:
        llms = [table["llms"][router["chosen"][row]], table["llms"][scenario["best"][row]]]
        values = [max(regret[row], 0.0)]
        values += [None if router[key] is None else router[key][row] for key in ("performance", "predicted", "reward")]
        values += [scenario["top"][row], router["cost"][row]]
        cells = ["–" if value is None else f"{value:.4g}" for value in values]
        rows.append([f"{table['ids'][row]} {table['texts'][row]}".strip(), *llms, *cells, table["tasks"][row]])
    return rows
