"""The query-level table: which query went where, what was predicted, what came out, what the best would have been."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Mapping
from typing import Any

import polars as pl

from graphrouter.evaluation.report.view import View

MOST_QUERIES = 1000
"""Queries in the table: of more, those with the lowest hash of their id, so that every page on a log shows the same."""
BASELINES = 4
"""Baselines in the table: the best of the first scenario. More would make the page heavy, not clear."""
MOST_LETTERS = 200
"""Of a query's text."""
WITHOUT_SCRIPT = 20
"""Rows that stand in the page itself: those of the largest regret."""


def query_table(view: View, texts: pl.DataFrame | None) -> dict[str, Any] | None:
    """Return the choices of the first seed, by column, as the page's script reads them; None where choices cannot be scored.

    Args:
        view: Evaluation, and choices of what to show.
        texts: Columns ``query_id`` and ``query``; None where the log is not at hand.
    """
    if not view.support.routable:
        return None
    choices = view.evaluation.choices.filter(seed=view.evaluation.config["seeds"][0])
    ranked = [name for name in view.ranked(view.scenarios[0], "reward") if name in view.baselines]
    ranked = [name for name in ranked if name not in view.references]
    shown = [*view.ours, *ranked[:BASELINES]]
    by_key = choices.partition_by("router", "scenario", as_dict=True)
    first = by_key[shown[0], view.scenarios[0]]
    ids = first["query_id"].to_list()
    rows = sorted(sorted(range(len(ids)), key=lambda row: hashlib.sha256(ids[row].encode()).digest())[:MOST_QUERIES])
    llms = view.evaluation.config["log"]["llms"]
    number_of = {llm: number for number, llm in enumerate(llms)}
    known = {} if texts is None else dict(texts.select("query_id", "query").iter_rows())

    def column(frame: pl.DataFrame, name: str, factor: float = 1) -> list[Any]:
        return [_short(value, factor) for value in frame[name].gather(rows)]

    scenarios = {}
    for scenario in view.scenarios:
        frames = {name: by_key[name, scenario] for name in shown}
        routers = {
            name: {
                "chosen": [number_of.get(llm) for llm in frame["llm"].gather(rows)],
                "predicted": column(frame, "predicted_performance"),
                "performance": column(frame, "performance"),
                "cost": column(frame, "cost", 1000),
                "reward": column(frame, "reward"),
            }
            for name, frame in frames.items()
        }
        frame = frames[shown[0]]
        best = [number_of.get(llm) for llm in frame["best_llm"].gather(rows)]
        scenarios[scenario] = {"best": best, "top": column(frame, "best_reward"), "routers": routers}
    return {
        "llms": llms,
        "ids": [ids[row] for row in rows],
        "texts": [known.get(ids[row], "")[:MOST_LETTERS] for row in rows],
        "tasks": [task or "" for task in first["task"].gather(rows)],
        "routers": shown,
        "total": len(ids),
        "scenarios": scenarios,
    }


def _short(value: float | None, factor: float = 1) -> float | None:
    """Return a number with the four significant digits that a page has room for; None where there is none."""
    return None if value is None or not math.isfinite(value) else float(f"{value * factor:.4g}")


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
        places = router["chosen"][row], scenario["best"][row]
        llms = ["–" if place is None else table["llms"][place] for place in places]
        values = [max(regret[row], 0.0)]
        values += [router[key][row] for key in ("performance", "predicted", "reward")]
        values += [scenario["top"][row], router["cost"][row]]
        cells = ["–" if value is None else f"{value:.4g}" for value in values]
        rows.append([f"{table['ids'][row]} {table['texts'][row]}".strip(), *llms, *cells, table["tasks"][row]])
    return rows
