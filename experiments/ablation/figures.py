"""Figures of an ablation as PDF, SVG and PNG: differences with intervals, and curves."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from itertools import cycle
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from experiments.ablation.comparing import Scores
from experiments.ablation.grid import Factor, Variant
from experiments.ablation.rendering import title
from experiments.ablation.results import Column, Results
from graphrouter.evaluation.report import charts, drawing, line_charts

WIDE_AXIS = 5
"""The axis of a curve is logarithmic where its values span more than so many times the least."""
Line = list[tuple[float, float, float]]
"""(x, mean, standard error) of each point."""


def write_figures(results: Results, table: pl.DataFrame, scores: Scores) -> list[Path]:
    """Write all figures into the folder ``figures``.

    Args:
        results: The runs.
        table: From `experiments.ablation.comparing.compare`.
        scores: Scores that it was computed from.

    Returns:
        The files.
    """
    files = []
    for column in results.columns():
        if (part := _rows(table, column)).height:
            files += _save(_bars(part, column), results.out, f"differences-{'-'.join(filter(None, column))}")
        for factor, lines in curves(results, scores, column):
            axis = list(results.plan.grid.factors[factor]["product"])[-1]
            files += _save(_curve(lines, axis, column), results.out, f"{factor}-{'-'.join(filter(None, column))}")
    return files


def curves(results: Results, scores: Scores, column: Column) -> Iterator[tuple[str, dict[str, Line]]]:
    """Yield every factor whose differences lie on an axis of numbers, with a line for each value of the other keys."""
    for name, given in results.plan.grid.factors.items():
        product = Factor(**given).product
        axis = list(product)[-1] if product else ""
        if len(product.get(axis, [])) < 2 or not all(type(x) in (int, float) for x in product[axis]):
            continue
        lines: dict[str, Line] = {}
        for variant in results.plan.variants.values():
            if variant.key[0] == name and axis in variant.values:
                point = _point(results, scores, variant, column)
                label = ", ".join(str(value) for key, value in variant.values.items() if key != axis)
                lines.setdefault(label, []).extend([(float(variant.values[axis]), *point)] if point else [])
        if any(lines.values()):
            yield name, lines


def _point(results: Results, scores: Scores, variant: Variant, column: Column) -> tuple[float, float] | None:
    runs = list(results.of(variant).values())
    if not runs:
        return None
    mean = np.mean([scores.of(run, column) for run in runs], axis=0)
    return (float(mean[0]), float(mean[1:].std(ddof=1))) if np.isfinite(mean[0]) else None


def _rows(table: pl.DataFrame, column: Column) -> pl.DataFrame:
    return table.filter((pl.col("scenario") == column[0]) & (pl.col("metric") == column[1]))


def _bars(rows: pl.DataFrame, column: Column) -> drawing.Chart:
    bars = [
        {"name": _label(row), "value": row["difference"], **{key: row[key] for key in ("low", "high", "verdict")}}
        for row in rows.iter_rows(named=True)
    ]
    return charts.forest(bars, f"difference in {title(column)}, with simultaneous 95% intervals")


def _label(row: dict[str, Any]) -> str:
    against = "" if row["against"] == "base" and not row["against_factor"] else f" (to {row['against']})"
    return f"{row['factor']}: {row['name']}{against}"


def _curve(lines: dict[str, Line], axis: str, column: Column) -> drawing.Chart:
    """Draw means with the 95% intervals of each point; a dot is a variant."""
    drawn = []
    for (label, points), colour in zip(lines.items(), cycle(drawing.SERIES)):
        x, mean, error = np.array(sorted(points)).T.reshape(3, -1)
        drawn.append(
            line_charts.Series(label or axis, x, mean, colour, "line", mean - 1.96 * error, mean + 1.96 * error)
        )
    dots = [replace(one, kind="dot", low=None, high=None) for one in drawn]
    known = np.concatenate([one.x for one in drawn])
    wide = known.min() > 0 and known.max() / known.min() > WIDE_AXIS
    options: dict[str, Any] = {"log_x": bool(wide), "legend": len(drawn) > 1, "ticks": sorted(set(known.tolist()))}
    return line_charts.lines([*drawn, *dots], 440, 270, axis, title(column), **options)


def _save(chart: drawing.Chart, out: Path, name: str) -> list[Path]:
    return drawing.save(chart, out / "figures", re.sub(r"[^A-Za-z0-9.]+", "-", name).strip("-").lower())
