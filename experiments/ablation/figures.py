"""Figures of an ablation as PNG and SVG: bars with intervals, and curves."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from experiments.ablation.comparing import Scores
from experiments.ablation.grid import Factor, Variant
from experiments.ablation.rendering import title
from experiments.ablation.results import Column, Results
from graphrouter.files import atomic_write

Array = np.ndarray
COLOURS = {"better": "#1b7837", "worse": "#b2182b", "unclear": "#777777"}
Line = list[tuple[float, float, float]]
"""(x, mean, standard error) of each point."""


def write_figures(results: Results, table: pl.DataFrame, scores: Scores) -> list[Path]:
    """Write all figures into the folder ``figures``.

    Args:
        results: The runs.
        table: From `experiments.ablation.comparing.compare`.
        scores: What it was computed from.

    Returns:
        The files.
    """
    import matplotlib

    matplotlib.use("Agg")
    matplotlib.rcParams["svg.hashsalt"] = "graphrouter"  # the same figure, the same file
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


def _bars(rows: pl.DataFrame, column: Column) -> Any:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(8, 1.2 + 0.26 * rows.height), layout="constrained")
    axes = figure.subplots()
    places = np.arange(rows.height)[::-1]
    colours = [COLOURS[verdict] for verdict in rows["verdict"]]
    reach = np.stack([rows["difference"] - rows["low"], rows["high"] - rows["difference"]])
    axes.barh(places, rows["difference"], color=colours, alpha=0.45, height=0.7)
    axes.errorbar(rows["difference"], places, xerr=reach, fmt="none", ecolor="#222222", elinewidth=1, capsize=2)
    axes.axvline(0, color="#222222", linewidth=0.8)
    axes.set_yticks(places, [_label(row) for row in rows.iter_rows(named=True)], fontsize=8)
    axes.set_ylim(-0.7, rows.height - 0.3)
    axes.set_xlabel(f"difference in {title(column)}; simultaneous 95% intervals")
    axes.grid(axis="x", alpha=0.25)
    return figure


def _label(row: dict[str, Any]) -> str:
    against = "" if row["against"] == "base" and not row["against_factor"] else f" (to {row['against']})"
    return f"{row['factor']}: {row['name']}{against}"


def _curve(lines: dict[str, Line], axis: str, column: Column) -> Any:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(6.4, 4), layout="constrained")
    axes = figure.subplots()
    for label, points in lines.items():
        x, mean, error = np.array(sorted(points)).T.reshape(3, -1)
        (drawn,) = axes.plot(x, mean, marker="o", markersize=3.5, label=label or None)
        axes.fill_between(x, mean - 1.96 * error, mean + 1.96 * error, color=drawn.get_color(), alpha=0.15, linewidth=0)
    axes.set_xlabel(f"{axis}; bands are 95% intervals of each point")
    axes.set_ylabel(title(column))
    axes.grid(alpha=0.25)
    if len(lines) > 1:
        axes.legend(fontsize=8)
    return figure


def _save(figure: Any, out: Path, name: str) -> list[Path]:
    files = []
    for kind in ("png", "svg"):
        file = out / "figures" / f"{re.sub(r'[^A-Za-z0-9.]+', '-', name).strip('-').lower()}.{kind}"
        with atomic_write(file) as draft:
            figure.savefig(draft, format=kind, dpi=150, metadata={"Date": None} if kind == "svg" else None)
        files.append(file)
    return files
