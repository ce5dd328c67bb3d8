"""Charts of lines: cost against quality, losses over steps, and metrics over a setting."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from graphrouter.evaluation.report.axes import axis_range, linear_ticks, log_ticks
from graphrouter.evaluation.report.drawing import COLOURS, Chart, quick
from graphrouter.evaluation.report.labels import place_labels
from graphrouter.metrics import upper_hull
from graphrouter.typing import Array

FEW_POINTS = 12
"""Points up to which a line is of separate values, whose bands are shown whole."""
HOVERED = 24
"""Points of a line that say their values where they are pointed at."""


@dataclass(frozen=True)
class Series:
    """Points of one router or of the LLMs, joined or not.

    Attributes:
        name: Name of the series.
        x: [N].
        y: [N].
        colour: Name in `COLOURS`.
        kind: ``line``, ``dash``, ``dot`` or ``diamond``.
        low: [N], lower edge of a band; None for no band.
        high: [N], upper edge.
        labels: [N] texts beside the points; empty for none.
    """

    name: str
    x: Array
    y: Array
    colour: str = "rest"
    kind: str = "line"
    low: Array | None = None
    high: Array | None = None
    labels: Sequence[str] = ()


def plane(series: Sequence[Series], y_title: str, **options: Any) -> Callable[..., Chart]:
    """Draw cost, in US dollars per 1,000 queries and on a logarithmic axis, against a measure of quality.

    Args:
        series: Series to draw.
        y_title: Name of the vertical axis.
        options: Options of `lines`.

    Returns:
        Width, height, and whether only the LLMs on their hull are named, as where the page is narrow -> chart.
    """

    def draw(width: float, height: float, few: bool = False) -> Chart:
        shown = [_named_on_hull(one) if few and one.kind == "dot" else one for one in series]
        return lines(shown, width, height, "US dollars per 1,000 queries", y_title, log_x=True, money=True, **options)

    return draw


def _named_on_hull(llms: Series) -> Series:
    hull = set(upper_hull(llms.x, llms.y).tolist())
    return replace(llms, labels=[name if place in hull else "" for place, name in enumerate(llms.labels)])


def keys(series: Iterable[Series]) -> list[tuple[str, str, str]]:
    """Return the entries of a page's legend: colour, kind and name; grey lines share one entry, made by the caller."""
    return [(one.colour, one.kind, one.name) for one in series if one.colour != "rest"]


@quick
def lines(
    series: Sequence[Series],
    width: float,
    height: float,
    x_title: str,
    y_title: str,
    *,
    log_x: bool = False,
    money: bool = False,
    legend: bool = False,
    ticks: Sequence[float] = (),
) -> Chart:
    """Draw lines with bands, and points with labels, over a common axis.

    Args:
        series: The later ones lie on top.
        width: In pixels, of the plot without its axes.
        height: Likewise.
        x_title: Name of the axis.
        y_title: Name of the axis.
        log_x: Whether the axis is logarithmic; points at 0 are left out.
        money: Whether the axis is of US dollars.
        legend: Whether names and colours stand below; a page has a legend of its own.
        ticks: Ticks of the horizontal axis; none for round numbers.
    """
    import altair as alt

    series = [_positive(one) for one in series] if log_x else list(series)
    x_range, y_range = axis_range([one.x for one in series], log_x), axis_range(_heights(series))
    ticks = list(ticks) or (log_ticks(x_range, width) if log_x else linear_ticks(x_range, int(width / 90) + 2))
    x = alt.X("x:Q", title=x_title, scale=alt.Scale(type="log" if log_x else "linear", domain=x_range, nice=False))
    x = x.axis(values=ticks, grid=True, labelExpr=_notation(ticks, money), labelOverlap=False)
    heights: dict[str, Any] = {
        "title": y_title,
        "scale": alt.Scale(domain=y_range, nice=False, zero=False),
        "axis": alt.Axis(tickCount=6),
    }
    y, edge = (alt.Y(f"{name}:Q", **heights) for name in ("y", "low"))
    paint = _legend(series) if legend else alt.Color("paint:N", scale=None)
    joined = [one for one in series if one.kind in ("line", "dash")]
    labels = _labels(series, width, height, x_range, y_range, log_x)
    data = {
        "bands": [row for one in series for row in _points(one) if "low" in row],
        "lines": [row for one in joined if one.kind == "line" for row in _points(one)],
        "dashes": [row for one in joined if one.kind == "dash" for row in _points(one)],
        "spots": [row for one in joined for row in _points(one, HOVERED)],
        "marks": [row for one in series if one.kind in ("dot", "diamond") for row in _points(one)],
        "labels": labels,
    }
    parts = {name: alt.Chart(alt.NamedData(name=name)).encode(x=x, y=y) for name in data}
    along = {"color": paint, "detail": "name:N", "description": "name:N", "order": "order:Q"}
    thick = alt.StrokeWidth("thick:Q", scale=None)
    halo: dict[str, Any] = {"stroke": COLOURS["bg"][0], "strokeWidth": 3, "strokeJoin": "round"}
    plain: dict[str, Any] = {}
    area = parts["bands"].mark_area(opacity=0.16, line=False, clip=True, aria=False)
    layers = [
        area.encode(y=edge, y2="high:Q", color=paint, detail="name:N"),
        parts["dashes"].mark_line(strokeDash=[5, 4], clip=True).encode(strokeWidth=thick, **along),
        parts["lines"].mark_line(clip=True).encode(strokeWidth=thick, **along),
        # Points that nobody sees say what a line is where it is pointed at.
        parts["spots"].mark_point(filled=True, opacity=0, size=60).encode(color=paint, description="says:N"),
        parts["marks"]
        .mark_point(filled=True, opacity=1)
        .encode(
            color=paint,
            description="says:N",
            shape=alt.Shape("shape:N", scale=None),
            size=alt.Size("size:Q", scale=None),
        ),
        *(parts["labels"].mark_text(align="left", aria=False, **how).encode(text="label:N") for how in (halo, plain)),
    ]
    shown = [layer for layer in layers if data[layer.data.name]]
    return Chart(alt.layer(*shown).properties(width=width, height=height), data)


def _positive(one: Series) -> Series:
    kept = one.x > 0
    low, high = (None if edge is None else edge[kept] for edge in (one.low, one.high))
    labels = [label for label, here in zip(one.labels, kept, strict=True) if here] if one.labels else ()
    return replace(one, x=one.x[kept], y=one.y[kept], labels=labels, low=low, high=high)


def _heights(series: Sequence[Series]) -> list[Array]:
    """Return the values that a vertical axis shows: bands too, but no lower edges of curves, which may fall far."""
    highs = [one.high for one in series if one.high is not None]
    lows = [one.low for one in series if one.low is not None and len(one.x) <= FEW_POINTS]
    return [*(one.y for one in series), *highs, *lows]


def _notation(ticks: Sequence[float], money: bool) -> str:
    """Return the expression of Vega that writes all ticks in one notation: plain, unless that has too many digits."""
    plain = all(tick == 0 or 1e-5 <= abs(tick) < 1e6 for tick in ticks)
    return ("'$' + " if money else "") + f"format(datum.value, '{',.6~f' if plain else '~e'}')"


def _legend(series: Sequence[Series]) -> Any:
    """Return the colours with a legend, in which grey lines and LLMs have no entry."""
    import altair as alt

    paint = {one.name: COLOURS[one.colour][0] for one in series}
    named = [one.name for one in series if one.colour != "rest" and one.kind != "dot"]
    scale = alt.Scale(domain=list(paint), range=list(paint.values()))
    return alt.Color("name:N", scale=scale, legend=alt.Legend(values=list(dict.fromkeys(named))))


def _points(one: Series, most: int = 10**9) -> list[dict[str, Any]]:
    """Return a row for each point, or for so many of them, evenly apart."""
    rows = []
    look = {"name": one.name, "paint": COLOURS[one.colour][0], "thick": 2.5 if one.colour == "mark" else 1.7}
    look |= {"shape": "diamond", "size": 70} if one.kind == "diamond" else {"shape": "circle", "size": 36}
    for place in range(0, len(one.x), max(1, -(-len(one.x) // most))):
        x, y = float(one.x[place]), float(one.y[place])
        name = one.labels[place] if place < len(one.labels) and one.labels[place] else one.name
        row = {**look, "x": x, "y": y, "order": place, "says": f"{name}: {y:.4f} at {x:.4g}"}
        if one.low is not None and one.high is not None and np.isfinite([one.low[place], one.high[place]]).all():
            row |= {"low": float(one.low[place]), "high": float(one.high[place])}
            row["says"] = f"{name}: {y:.4f} [{one.low[place]:.4f}, {one.high[place]:.4f}] at {x:.4g}"
        rows.append(row)
    return rows


def _labels(
    series: Sequence[Series],
    width: float,
    height: float,
    x_range: tuple[float, float],
    y_range: tuple[float, float],
    log_x: bool,
) -> list[dict[str, Any]]:
    """Return where the labels of points begin, in the units of the axes; see `place_labels`."""
    scale = np.log10 if log_x else np.asarray
    low, high = (float(scale(edge)) for edge in x_range)

    def pixels(one: Series) -> Array:
        down = (y_range[1] - one.y) / (y_range[1] - y_range[0]) * height
        return np.column_stack([(scale(one.x) - low) / (high - low) * width, down])

    marked = [one for one in series if one.kind in ("dot", "diamond")]
    paths = [pixels(one) for one in series if one.kind in ("line", "dash")]
    found = []
    for x, y, text in place_labels(
        [pixels(one) for one in marked], [one.labels for one in marked], paths, width, height
    ):
        across, value = low + x / width * (high - low), y_range[1] - y / height * (y_range[1] - y_range[0])
        found.append({"x": 10**across if log_x else across, "y": value, "label": text})
    return found
