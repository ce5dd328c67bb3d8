"""The section on training: loss over steps, with bands over seeds."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np

from experiments.reporting.figure import Figure, colours
from experiments.reporting.panels import Configuration, Panel
from graphrouter.evaluation.report import drawing, line_charts
from graphrouter.evaluation.report.line_charts import Series
from graphrouter.evaluation.report.page import macro
from graphrouter.typing import Array, Record

MOST_LINES = 6
LATE = 0.05
"""Share of the fall of a loss in the last tenth of the steps, above which a training looks cut short."""
LOSSES = (("validation_loss", "validation loss"), ("train_loss", "training loss"))


def training_section(panel: Panel) -> Figure:
    """Return the curves of the base and the best configurations that were trained in steps."""
    title = "Training"
    able = [one for one in panel.configurations if any(run.history for run in one.runs)]
    if not able:
        return Figure(
            title, "No finished run has a history: comparisons keep none, and not every router is trained in steps."
        )
    shown = panel.shown(MOST_LINES, lambda one: one in able)
    styles = colours([one.label for one in shown], next((one.label for one in shown if one.base), None))
    parts, data = [], []
    for network in dict.fromkeys(entry["label"] for one in shown for run in one.runs for entry in run.history):
        for key, name in LOSSES:
            if drawn := list(_lines(shown, styles, network, key)):
                label = f"{name} of {network} over steps, for {', '.join(styles)}"
                picture = drawing.wide_and_narrow(_draw(drawn, name), label, (500, 230), (290, 230))
                parts.append((f"{network}: {name}", picture))
                data += [[line.name, network, key, *row] for line in drawn for row in _rows(line)]
    keys = [(colour, "line", label) for label, colour in styles.items()]
    body = macro("legend", keys) + macro("multiples", parts)
    head = ["configuration", "network", "loss", "step", "mean", "low", "high"]
    return Figure(title, _says(able, shown), body, head, data)


def _draw(series: list[Series], name: str) -> Callable[[float, float, bool], drawing.Chart]:
    return lambda width, height, _: line_charts.lines(series, width, height, "step", name)


def _lines(shown: list[Configuration], styles: dict[str, str], network: str, key: str) -> Iterator[Series]:
    for one in shown:
        curves = [_curve(run.history, network, key) for run in one.runs]
        curves = [curve for curve in curves if len(curve)]
        if not curves:
            continue
        # Beyond the step where the first seed stopped, a mean would be over ever fewer seeds.
        length = min(len(curve) for curve in curves)
        values = np.stack([curve[:length, 1] for curve in curves])
        mean, spread = values.mean(axis=0), values.std(axis=0, ddof=1) if len(curves) > 1 else None
        band = (None, None) if spread is None else (mean - spread, mean + spread)
        yield Series(one.label, curves[0][:length, 0], mean, styles[one.label], "line", *band)


def _curve(history: list[Record], network: str, key: str) -> Array:
    """[N, 2], step and loss."""
    rows = [
        (entry["step"], entry[key]) for entry in history if entry["label"] == network and entry.get(key) is not None
    ]
    return np.array([row for row in rows if np.isfinite(row[1])], dtype=np.float64).reshape(-1, 2)


def _rows(line: Series) -> Iterator[tuple[float, ...]]:
    nothing = np.full(len(line.x), np.nan)
    low, high = (nothing if edge is None else edge for edge in (line.low, line.high))
    yield from zip(line.x.tolist(), line.y.tolist(), low.tolist(), high.tolist(), strict=True)


def _says(able: list[Configuration], shown: list[Configuration]) -> str:
    """Say how long training went on, and whether it was still getting better when it ended."""
    curves = list(_validation(shown))
    if not curves:
        return "The histories have no validation loss."
    lengths = [len(curve) for curve in curves]
    still = float(np.median([_late_share(curve) for curve in curves]))
    says = (
        f"Of the {len(able):,} configurations that were trained in steps, {len(shown)} are drawn. A training lasts "
        f"{np.median(lengths):.0f} steps in the median, and its last tenth brings {still:.1%} of the whole fall of the "
        "validation loss: "
    )
    says += "more steps may help." if still > LATE else "more steps would bring little."
    return (
        says
        + " A band is one standard deviation over seeds; a line ends where the first of its seeds stopped. Losses of "
        "configurations that train another objective cannot be compared."
    )


def _validation(shown: list[Configuration]) -> Iterator[Array]:
    for one in shown:
        for run in one.runs:
            for network in dict.fromkeys(entry["label"] for entry in run.history):
                curve = _curve(run.history, network, "validation_loss")[:, 1]
                if len(curve):
                    yield curve


def _late_share(curve: Array) -> float:
    """Return which share of the fall from the first to the best loss came in the last tenth of the steps."""
    before = curve[: max(1, int(len(curve) * 0.9))].min()
    fall = curve[0] - curve.min()
    return float((before - curve.min()) / fall) if fall > 0 else 0.0
