"""Charts of values by name: reliability, differences, groups, and settings on parallel axes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from graphrouter.evaluation.report.axes import Axis, axis_range
from graphrouter.evaluation.report.drawing import COLOURS, Chart, quick
from graphrouter.evaluation.report.labels import LETTER
from graphrouter.typing import Array

VERDICTS = {"better": "good", "worse": "bad", "unclear": "rest"}


@quick
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


@quick
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


@quick
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
    x = alt.X("value:Q", title=x_title, scale=alt.Scale(domain=axis_range([np.array(edges)]), nice=False))
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


@quick
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
