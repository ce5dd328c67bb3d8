"""A chart of Altair as SVG in a page, and as PDF, SVG or PNG in a paper.

A page holds the drawn SVG, not the script that draws it: that would be 0.9 MB and a second for each page, and show
nothing where scripts are off. Each mark says in ``aria-label`` what it stands for; the page's own script shows that text
where a mark is pointed at or touched. Colours are those of `COLOURS`; the style of a page gives each its dark twin.
"""

from __future__ import annotations

import json
import re
import zlib
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import wraps
from pathlib import Path
from typing import Any

from markupsafe import Markup

from graphrouter.files import replace_file

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


def drawn_svg(chart: Chart) -> str:
    """Return a chart as a whole SVG file, in light colours."""
    import vl_convert

    drawn = str(vl_convert.vegalite_to_svg(json.dumps(chart.spec())))
    # Ids of clip paths count on from drawing to drawing: the same chart shall be the same text, and no id stand twice in a page.
    bare = re.sub(r"clip\d+", "clip", drawn)
    numbers = iter(range(drawn.count("clip")))
    places: dict[str, int] = defaultdict(lambda: next(numbers))
    return re.sub(r"clip\d+", lambda found: f"clip{zlib.crc32(bare.encode())}-{places[found[0]]}", drawn)


def quick(draw: Callable[..., Chart]) -> Callable[..., Chart]:
    """Make a chart without the checks of Altair, which take longer than drawing it."""

    @wraps(draw)
    def drawn(*values: Any, **options: Any) -> Chart:
        from altair.utils.schemapi import debug_mode

        with debug_mode(False):
            return draw(*values, **options)

    return drawn
