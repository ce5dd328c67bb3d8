"""All charts, made with Altair. One chart is drawn in a page, as SVG, and in a paper, as PDF, SVG or PNG.

A page holds the drawn SVG, not the script that draws it: that would be 0.9 MB and a second for each page, and show
nothing where scripts are off. Each mark says in ``aria-label`` what it stands for; the page's own script shows that text
where a mark is pointed at or touched. Colours are those of `COLOURS`; the style of a page gives each its dark twin.
"""

from __future__ import annotations

import json
import re
import zlib
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import wraps
from pathlib import Path
from typing import Any

import numpy as np
from markupsafe import Markup

from graphrouter.evaluation.report.axes import Axis, linear_ticks, log_ticks
from graphrouter.evaluation.report.labels import LETTER, place_labels
from graphrouter.files import replace_file
from graphrouter.metrics import upper_hull
from graphrouter.typing import Array

COLOURS = {
    "mark": ("#0b57d0", "#8ab4f8"),
    "s0": ("#d55e00", "#f0803c"),
    "s1": ("#e69f00", "#f2b134"),
    "s2": ("#009e73", "#3cc49a"),
    "s3": ("#cc79a7", "#e39bc4"),
    "s4": ("#8a6fd1", "#b39ff0"),
    "s5": ("#4aa3d9", "#8fd0f5"),
    "s6": ("#a3982a", "#d3c652"),
    "s7": ("#8c5a2b", "#c49a6c"),
    "rest": ("#9aa2ac", "#6d7681"),
    "dim": ("#5d646d", "#a2aab4"),
    "ink": ("#1c1e21", "#e6e8eb"),
    "line": ("#d8dce1", "#363c44"),
    "grid": ("#eceef1", "#262b31"),
    "bg": ("#ffffff", "#15181c"),
    "good": ("#137333", "#81c995"),
    "bad": ("#b3261e", "#f28b82"),
    "q0": ("#c9ced6", "#3b424b"),
    "q1": ("#b3bccb", "#46515f"),
    "q2": ("#97a9c8", "#516580"),
    "q3": ("#7693c6", "#5d7ba5"),
    "q4": ("#4f7bc6", "#6d96cc"),
    "q5": ("#2a5fc0", "#86b4ef"),
    "q6": ("#0b3fa0", "#c4dcff"),
}
"""Name to the colour in light and in dark. The hues are those of Okabe and Ito (2008), told apart by most who see few
colours; `q0` to `q6` are a ramp from the worst to the best."""
SERIES = ("mark", "s0", "s2", "s3", "s1", "s4", "s5", "s6", "s7")
"""Colours of lines, the first for what a chart is about: no two lines of a chart share one."""
FEW_POINTS = 12
"""Points up to which a line is of separate values, whose bands are shown whole."""
HOVERED = 24
"""Points of a line that say their values where they are pointed at."""
VERDICTS = {"better": "good", "worse": "bad", "unclear": "rest"}


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


def svg(chart: Chart, label: str, style: str = "") -> Markup:
    """Return a chart as SVG for a page.

    Args:
        chart: To be drawn.
        label: Description for readers who do not see it. A mark whose text begins with ``#`` and a number gets that as its
            ``data-line``, by which scripts find it.
        style: CSS class.
    """
    drawn = drawn_svg(chart)
    drawn = re.sub(r'aria-label="#(\d+) ', r'data-line="\1" aria-label="', drawn)
    head = Markup('<svg role="img" aria-label="{}" class="chart {}"').format(label, style)
    drawn = re.sub(r' (xmlns|version)(:xlink)?="[^"]*"| pointer-events="none"| aria-hidden="true"', "", drawn)
    drawn = re.sub(r'<path class="(background|foreground)"[^>]*/>| opacity="1"| font-family="[^"]*"', "", drawn)
    drawn = re.sub(r'<rect width="[^"]*" height="[^"]*" fill="white"/>', "", drawn)
    drawn = re.sub(r' aria-label="[XY]-axis[^"]*"', "", drawn)
    drawn = re.sub(r' role="graphics-\w+"| aria-roledescription="[^"]*"', "", drawn)
    drawn = re.sub(r' (?:d|transform|x2|y2)="[^"]*"', lambda found: re.sub(r"(\.\d)\d+", r"\1", found[0]), drawn)
    return Markup(re.sub(r'^<svg class="marks"', str(head), drawn.strip()))


def save(chart: Chart, folder: Path, name: str) -> list[Path]:
    """Write a chart as PDF, SVG and PNG.

    Args:
        chart: To be drawn, in light colours.
        folder: Folder of the files.
        name: Name of the files, without an ending.
    """
    import vl_convert

    drawn = drawn_svg(chart)
    made = {"svg": drawn.encode(), "pdf": vl_convert.svg_to_pdf(drawn), "png": vl_convert.svg_to_png(drawn, scale=2)}
    files = [folder / f"{name}.{kind}" for kind in made]
    for file, content in zip(files, made.values(), strict=True):
        replace_file(file, content)
    return files


@dataclass(frozen=True, eq=False)
class Chart:
    """A chart of Altair and its data, which stand apart: Altair copies whatever a chart holds in every step.

    Attributes:
        drawn: Any chart of Altair, with data that are named.
        data: By name, the rows.
    """

    drawn: Any
    data: Mapping[str, Sequence[Mapping[str, Any]]]

    def spec(self) -> dict[str, Any]:
        """Return the chart in the language of Vega-Lite."""
        made = self.drawn.to_dict(validate=False)
        return {**made, "datasets": dict(self.data), "config": CONFIG}


CONFIG = {
    "font": "sans-serif",
    "background": "white",
    "view": {"stroke": None},
    "axis": {
        "labelColor": COLOURS["dim"][0], "titleColor": COLOURS["dim"][0], "gridColor": COLOURS["grid"][0], "domain": False,
        "ticks": False, "labelFontSize": 11, "titleFontSize": 11.5, "titleFontWeight": "normal", "labelPadding": 6,
        "titlePadding": 8, "labelLimit": 260,
    },
    "title": {"color": COLOURS["ink"][0], "fontSize": 13, "fontWeight": 600, "anchor": "start"},
    "legend": {"labelColor": COLOURS["ink"][0], "title": None, "labelFontSize": 11, "orient": "bottom", "columns": 4,
               "symbolType": "stroke", "symbolOpacity": 1, "labelLimit": 300},
    "text": {"fontSize": 11, "color": COLOURS["ink"][0]},
}  # fmt: skip
"""Style of all charts: that of the pages."""


def drawn_svg(chart: Chart) -> str:
    """Return a chart as a whole SVG file, in light colours."""
    import vl_convert

    drawn = str(vl_convert.vegalite_to_svg(json.dumps(chart.spec())))
    # Ids of clip paths count on from drawing to drawing: the same chart shall be the same text, and no id stand twice in a page.
    bare = re.sub(r"clip\d+", "clip", drawn)
    numbers = iter(range(drawn.count("clip")))
    places: dict[str, int] = defaultdict(lambda: next(numbers))
    return re.sub(r"clip\d+", lambda found: f"clip{zlib.crc32(bare.encode())}-{places[found[0]]}", drawn)


def _quick(draw: Callable[..., Chart]) -> Callable[..., Chart]:
    """Make a chart without the checks of Altair, which take longer than drawing it."""

    @wraps(draw)
    def drawn(*values: Any, **options: Any) -> Chart:
        from altair.utils.schemapi import debug_mode

        with debug_mode(False):
            return draw(*values, **options)

    return drawn


@_quick
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
    x_range, y_range = _span([one.x for one in series], log_x), _span(_heights(series))
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


def _span(values: Sequence[Array], log: bool = False) -> tuple[float, float]:
    """Return the range of an axis, with a margin."""
    known = np.concatenate(list(values))
    known = known[np.isfinite(known)]
    low, high = (float(known.min()), float(known.max())) if len(known) else (0.0, 1.0)
    if log:
        return low / 1.15, high * 1.15
    margin = max(0.06 * (high - low), 1e-3 * max(abs(high), 1e-3))
    return low - margin, high + margin


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


@_quick
def reliability(tables: Mapping[str, Array], size: float = 240) -> Chart:
    """Draw mean outcome against mean prediction of each bin; the area of a dot is the bin's share of edges.

    Args:
        tables: By router [bins, 3], see `graphrouter.metrics.reliability`.
        size: Width and height of each router's plot, in pixels.
    """
    import altair as alt

    ticks = alt.Axis(values=[0, 0.25, 0.5, 0.75, 1], format=".2~f")
    x = alt.X("x:Q", title="predicted", scale=alt.Scale(domain=[0, 1]), axis=ticks)
    y = alt.Y("y:Q", title="observed", scale=alt.Scale(domain=[0, 1]), axis=ticks)
    area = alt.Size("share:Q", legend=None, scale=alt.Scale(domain=[0, 1], range=[12, 500]))
    data: dict[str, list[dict[str, Any]]] = {"diagonal": [{"x": 0, "y": 0}, {"x": 1, "y": 1}]}
    panels = []
    ends = alt.Chart(alt.NamedData(name="diagonal")).encode(x=x, y=y)
    guide = ends.mark_line(strokeDash=[4, 4], strokeWidth=1.2, color=COLOURS["dim"][0], aria=False)
    for name, table in tables.items():
        total = max(table[:, 0].sum(), 1)
        data[f"bins of {name}"] = [
            {"x": float(x), "y": float(y), "share": float(edges / total),
             "says": f"{int(edges):,} edges: predicted {x:.3f}, observed {y:.3f}"}
            for edges, x, y in table[table[:, 0] > 0]
        ]  # fmt: skip
        dots = alt.Chart(alt.NamedData(name=f"bins of {name}"))
        dots = dots.mark_point(filled=True, opacity=0.6, color=COLOURS["mark"][0])
        dots = dots.encode(x=x, y=y, size=area, description="says:N")
        panels.append(alt.layer(guide, dots).properties(width=size, height=size * 0.8, title=name))
    return Chart(alt.hconcat(*panels), data)


@_quick
def forest(rows: Sequence[Mapping[str, Any]], x_title: str, width: float = 480) -> Chart:
    """Draw differences with their intervals, one below the other, in the order of the rows.

    Args:
        rows: Each with ``name``, ``value``, ``low``, ``high`` and ``verdict``.
        x_title: Name of the axis.
        width: In pixels.
    """
    import altair as alt

    values = [
        {**row, "paint": COLOURS[VERDICTS[row["verdict"]]][0],
         "says": f"{row['name']}: {row['value']:+.4f} [{row['low']:+.4f}, {row['high']:+.4f}]"} for row in rows
    ]  # fmt: skip
    order = list(dict.fromkeys(row["name"] for row in rows))
    y = alt.Y("name:N", sort=order, title=None, axis=alt.Axis(grid=False))
    base = alt.Chart(alt.NamedData(name="differences")).encode(y=y, color=alt.Color("paint:N", scale=None))
    zero = alt.Chart(alt.NamedData(name="zero")).mark_rule(color=COLOURS["dim"][0], strokeDash=[4, 4], aria=False)
    reach = base.mark_rule(strokeWidth=1.8, aria=False).encode(x=alt.X("low:Q", title=x_title), x2="high:Q")
    dots = base.mark_point(filled=True, size=46, opacity=1).encode(
        x=alt.X("value:Q", title=x_title), description="says:N"
    )
    drawn = alt.layer(zero.encode(x=alt.X("x:Q", title=x_title)), reach, dots)
    drawn = drawn.properties(width=width, height=max(22 * len(order), 40))
    return Chart(drawn, {"differences": values, "zero": [{"x": 0}]})


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


def wide_and_narrow(
    draw: Any, label: str, wide: tuple[int, int] = (1130, 440), narrow: tuple[int, int] = (292, 330)
) -> Markup:
    """Draw a chart twice, for a page that shows the one that it has the width for.

    Args:
        draw: Width, height and whether it is the narrow one -> chart.
        label: Description of the chart.
        wide: Pixels of the plot.
        narrow: Likewise.
    """
    return svg(draw(*wide, False), label, "wide") + svg(draw(*narrow, True), label, "narrow")


def keys(series: Iterable[Series]) -> list[tuple[str, str, str]]:
    """Return the entries of a page's legend: colour, kind and name; grey lines share one entry, made by the caller."""
    return [(one.colour, one.kind, one.name) for one in series if one.colour != "rest"]


@_quick
def by_group(rows: Sequence[Mapping[str, Any]], paints: Mapping[str, str], x_title: str, width: float = 360) -> Chart:
    """Draw values as dots with intervals: a panel for each group, a row for each category, a colour for each name.

    Args:
        rows: Each with ``panel``, ``row``, ``name``, ``value`` and ``says``; perhaps with ``low`` and ``high``.
        paints: Name to its colour in `COLOURS`, in the order in which they stand below each other.
        x_title: Name of the axis.
        width: Width of a panel, in pixels.
    """
    import altair as alt

    colours = alt.Scale(domain=list(paints), range=[COLOURS[colour][0] for colour in paints.values()])
    edges = [value for row in rows for key in ("value", "low", "high") if (value := row.get(key)) is not None]
    x = alt.X("value:Q", title=x_title, scale=alt.Scale(domain=_span([np.array(edges)]), nice=False))
    y = alt.Y("row:N", title=None, axis=alt.Axis(grid=True), scale=alt.Scale(paddingInner=0.35))
    paint = alt.Color("name:N", scale=colours, legend=alt.Legend(symbolType="circle"))
    panels, data = [], {}
    for panel in dict.fromkeys(row["panel"] for row in rows):
        mine = data[f"rows of {panel}"] = [row for row in rows if row["panel"] == panel]
        base = alt.Chart(alt.NamedData(name=f"rows of {panel}"))
        base = base.encode(y=y, yOffset=alt.YOffset("name:N", sort=list(paints)), color=paint)
        reach = base.mark_rule(strokeWidth=1.6, aria=False).encode(x=alt.X("low:Q", title=x_title), x2="high:Q")
        dots = base.mark_point(filled=True, size=46, opacity=1).encode(x=x, description="says:N")
        height = max(14 * len(paints), 24) * len({row["row"] for row in mine})
        panels.append(alt.layer(reach, dots).properties(width=width, height=height, title=panel))
    return Chart(alt.concat(*panels, columns=2), data)


@_quick
def parallel(axes: Sequence[Axis], paints: Sequence[str], titles: Sequence[str], width: float, height: float) -> Chart:
    """Draw one line per configuration across parallel axes (Inselberg, 1985).

    Args:
        axes: From left to right.
        paints: Colour of each line, a name in `COLOURS`; the later ones lie on top.
        titles: Title of each line.
        width: In pixels.
        height: In pixels.
    """
    import altair as alt

    letters = max(int(width / len(axes) / LETTER), 8)
    rows = [
        {"line": row, "x": across, "y": float(axis.places[row]), "paint": COLOURS[paint][0], "says": title}
        for row, (paint, title) in enumerate(zip(paints, titles, strict=True))
        for across, axis in enumerate(axes)
        if np.isfinite(axis.places[row])
    ]
    marks = [
        {"x": n, "y": place, "text": _short(text, letters)} for n, axis in enumerate(axes) for place, text in axis.ticks
    ]
    # Names take turns between two lines, so that they have room.
    heads = [
        {"x": n, "y": 1.08 if n % 2 else 1.15, "text": _short(axis.name, 2 * letters)} for n, axis in enumerate(axes)
    ]
    x = alt.X("x:Q", axis=None, scale=alt.Scale(domain=[-0.15, len(axes) - 0.2], nice=False))
    y = alt.Y("y:Q", axis=None, scale=alt.Scale(domain=[-0.03, 1.2], nice=False))
    parts = {
        name: alt.Chart(alt.NamedData(name=name)).encode(x=x, y=y) for name in ("lines", "marks", "heads", "poles")
    }
    paint = alt.Color("paint:N", scale=None)
    drawn = alt.layer(
        parts["lines"].mark_line().encode(color=paint, detail="line:N", description="says:N", order="x:Q"),
        parts["poles"].mark_rule(color=COLOURS["dim"][0], aria=False).encode(y2="top:Q"),
        *(
            parts["marks"].mark_text(align="left", dx=5, aria=False, **how).encode(text="text:N")
            for how in ({"stroke": COLOURS["bg"][0], "strokeWidth": 3, "strokeJoin": "round"}, dict[str, Any]())
        ),
        parts["heads"].mark_text(align="left", dx=-8, aria=False, color=COLOURS["dim"][0]).encode(text="text:N"),
    )
    poles = [{"x": number, "y": 0, "top": 1} for number in range(len(axes))]
    data: dict[str, list[dict[str, Any]]] = {"lines": rows, "marks": marks, "heads": heads, "poles": poles}
    return Chart(drawn.properties(width=width, height=height), data)


def _short(words: str, most: int) -> str:
    return words if len(words) <= most else words[: most - 1] + "…"
