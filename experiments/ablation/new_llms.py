"""Gain from adding a new LLM to a router that was not fitted on it, against leaving it out and against fitting anew."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import polars as pl

from experiments.ablation.comparing import Scores
from experiments.ablation.grid import Variant
from experiments.ablation.results import Results, Unit
from graphrouter.evaluation.differences import Pair, differences
from graphrouter.evaluation.finished import FinishedRun
from graphrouter.evaluation.report.numbers import with_interval
from graphrouter.typing import Array

PROTOCOL = "leave_llm_out"
NUMBERS = ("reward", "gap_closed", "new/picked", "new/best", "without/reward", "without/gap_closed")
COMPARED = ("gain", "loss")


def new_llm_table(results: Results, scores: Scores) -> pl.DataFrame | None:
    """Return one row per router, number of logged queries and scenario, means over seeds and LLMs left out.

    ``gain`` is the reward above that of the same router without the LLM, ``loss`` that below the same router fitted on
    all its outcomes (null where the grid has no such run), each with an interval that holds for the whole table.
    ``nll`` and ``auroc`` are of the new LLM's edges, ``picked`` is the share of queries that it gets, and ``best`` the
    share where it is best (a tie counts in parts).

    Returns:
        The table, or None for a grid that leaves no LLM out.
    """
    rows: list[dict[str, Any]] = []
    draws: list[tuple[int, str, Array]] = []
    for variant in results.plan.variants.values():
        runs = results.of(variant)
        if variant.config.protocol != PROTOCOL or not runs:
            continue
        for scenario in _scenarios(runs):
            rows.append(_row(variant, scenario, list(runs.values())))
            for name, values in _compared(results, scores, variant, scenario, runs, rows[-1]).items():
                draws.append((len(rows) - 1, name, values))
    if not rows:
        return None
    pairs = [Pair(values[None], np.zeros_like(values)[None], "reward", np.zeros(1)) for _, _, values in draws]
    for (row, name, _), found in zip(draws, differences(pairs), strict=True):
        rows[row] |= found.cells(name)
    return pl.DataFrame(rows, infer_schema_length=None).unique(maintain_order=True)


def new_llm_cells(table: pl.DataFrame) -> list[list[str]]:
    """Return the table as words and numbers for `experiments.ablation.rendering`."""
    head = ["router", "shots", "scenario", "nll ↓", "auroc ↑", "picked", "best", "reward ↑", "gap closed ↑"]
    rows = [[*head, "gain over leaving it out", "loss to fitting anew"]]
    for row in table.iter_rows(named=True):
        cells = [row["router"], str(row["shots"]), row["scenario"]]
        cells += [_number(row[name]) for name in ("nll", "auroc", "picked", "best", "reward", "gap_closed")]
        rows.append([*cells, *(with_interval(row, name) for name in COMPARED)])
    return rows


def _scenarios(runs: dict[Unit, FinishedRun]) -> list[str]:
    names = next(iter(runs.values())).queries.columns
    return [name.split(":", 1)[1] for name in names if name.startswith("without_reward:")]


def _row(variant: Variant, scenario: str, runs: Sequence[FinishedRun]) -> dict[str, Any]:
    means = {name.rpartition("new/")[2]: _mean(runs, f"test/{scenario}/{name}") for name in NUMBERS}
    edges = {name: _mean(runs, f"test/new/{name}") for name in ("nll", "auroc")}
    known = {"router": variant.config.router, "shots": variant.config.shots, "scenario": scenario, "units": len(runs)}
    return known | edges | means | dict.fromkeys([f"{name}{end}" for name in COMPARED for end in ("", "_low", "_high")])


def _mean(runs: Sequence[FinishedRun], name: str) -> float | None:
    values = [run.record["metrics"][name] for run in runs if name in run.record["metrics"]]
    return float(np.mean(values)) if values else None


def _compared(
    results: Results,
    scores: Scores,
    variant: Variant,
    scenario: str,
    runs: dict[Unit, FinishedRun],
    row: dict[str, Any],
) -> dict[str, Array]:
    """Return [1 + B] each: the gain over leaving the LLM out, and the loss to fitting with all its outcomes."""

    def over(units: Sequence[Any], value: Callable[[Any], Array]) -> Array:
        return np.asarray(np.mean([value(unit) for unit in units], axis=0))

    def without(run: FinishedRun) -> Array:
        return scores.resampled.score(run.record["id"], f"without_reward:{scenario}")

    column = (scenario, "reward")
    found = {"gain": over(list(runs.values()), lambda run: scores.of(run, column) - without(run))}
    ceiling = _ceiling(results, variant)
    pairs = list(results.pairs(variant, ceiling).values()) if ceiling else []
    if pairs:
        found["loss"] = over(pairs, lambda pair: scores.of(pair[1], column) - scores.of(pair[0], column))
        edges = [_edges(second, first.record["config"]["held_out"]) for first, second in pairs]
        row |= {f"anew_{name}": float(np.mean([edge[name] for edge in edges])) for name in ("nll", "auroc")}
    return found


def _ceiling(results: Results, variant: Variant) -> Variant | None:
    """Return the variant of the same router that was fitted on all LLMs."""
    config = variant.config
    for other in results.plan.variants.values():
        same = (other.config.router, other.config.hyperparameters) == (config.router, config.hyperparameters)
        if same and other.config.protocol == "by_query":
            return other
    return None


def _edges(run: FinishedRun, llm: str) -> dict[str, float]:
    found = next(row for row in run.record["llms"] if row["llm"] == llm)
    return {name: np.nan if found[name] is None else found[name] for name in ("nll", "auroc")}


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:.4f}"
