"""The section on differences to the base: bars with intervals, by factor."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

from experiments.reporting.charts import difference_bar
from experiments.reporting.figure import Figure, count, names
from experiments.reporting.page import cell, name_cell, signed, table, text
from experiments.reporting.paired import MOST, ConfigurationDifference, differences
from experiments.reporting.panels import Panel

STYLES = {"better": "better", "worse": "worse", "unclear": "other"}
MARKS = {"better": "▲ ", "worse": "▼ ", "unclear": ""}


def difference_section(panel: Panel) -> Figure:
    """Return what each configuration is worth against its base."""
    title = "Differences to the base"
    if not any(one.base for one in panel.configurations):
        return Figure(title, "No run is marked as a base, so there is nothing that others are compared with.")
    found, left_out = differences(panel)
    if not found:
        return Figure(
            title, "No two runs can be compared: a base needs another configuration on the same test queries."
        )
    metrics = list(dict.fromkeys(one.metric for one in found))
    parts = []
    for place, metric in enumerate(metrics):
        opened = " open" if place < 2 else ""
        rows = [one for one in found if one.metric == metric]
        parts.append(f"<details{opened}><summary>{escape(metric)}</summary>{_bars(rows)}</details>")
    head = [
        "metric",
        "factor",
        "configuration",
        "base",
        "runs",
        "difference",
        "low",
        "high",
        "adjusted p",
        "deviation",
        "verdict",
    ]
    data = [
        [one.metric, one.one.first.group, one.one.label, one.base.label, one.seeds]
        + [getattr(one, name) for name in ("value", "low", "high", "p", "deviation", "verdict")]
        for one in found
    ]
    return Figure(title, _says(panel, found), "".join(parts) + _note(found, left_out), head, data)


def _bars(rows: Sequence[ConfigurationDifference]) -> str:
    """A table of one metric: factors in the order of the runs, the largest loss first."""
    order = list(dict.fromkeys(one.one.first.group or "" for one in sorted(rows, key=lambda one: one.one.first.id)))
    lower = rows[0].metric == "nll"
    ordered = sorted(rows, key=lambda one: (order.index(one.one.first.group or ""), -one.value if lower else one.value))
    span = min(0.0, *(one.low for one in rows)), max(0.0, *(one.high for one in rows))
    lines = []
    for one in ordered:
        shown = f'<span class="{_colour(one)}">{MARKS[one.verdict]}{signed(one.value)}</span>'
        bounds = f"<small>[{signed(one.low)}, {signed(one.high)}]</small>"
        deviation = "–" if one.deviation != one.deviation else f"{one.deviation:.4f}"
        cells = [
            name_cell(one.one.label),
            cell(difference_bar(one.low, one.value, one.high, span, STYLES[one.verdict])),
            cell(f"{shown} {bounds}"),
            text(f"{one.p:.3f}" if one.p >= 0.001 else "<0.001"),
            text(deviation),
            text(one.seeds),
        ]
        lines.append(("", cells))
    drawn = table(
        ["configuration", "difference", "and 95% interval", "adjusted p", "deviation over seeds", "runs"],
        lines,
    )
    return f'<div class="tall">{drawn}</div>'


def _colour(one: ConfigurationDifference) -> str:
    return {"better": "good", "worse": "bad", "unclear": ""}[one.verdict]


def _says(panel: Panel, found: Sequence[ConfigurationDifference]) -> str:
    """Say what is clearly better or worse, what is not clear, and how small an effect could have been seen."""
    parts = []
    for metric in list(dict.fromkeys(one.metric for one in found))[:2]:
        rows = [one for one in found if one.metric == metric]
        better, worse = ([one for one in rows if one.verdict == kind] for kind in ("better", "worse"))
        half = sorted((one.high - one.low) / 2 for one in rows)[len(rows) // 2]
        parts.append(
            f"In {escape(metric)}, {len(better)} of {len(rows)} are better than the base{_named(better)}, {len(worse)} worse"
            f"{_named(worse)}, and {len(rows) - len(better) - len(worse)} not told apart: half an interval is {half:.4f}, so "
            "smaller effects stay unseen."
        )
    noisy = [one for one in found if one.verdict != "unclear" and one.deviation > abs(one.value)]
    if noisy:
        parts.append(
            f"{len(noisy)} of the clear ones vary more over seeds than they amount to: more seeds would say more."
        )
    if len(panel.configurations) > MOST:
        parts.append(f"Only the best {MOST} configurations on validation are compared; that choice favours them.")
    return " ".join(parts)


def _named(rows: Sequence[ConfigurationDifference]) -> str:
    ordered = sorted(rows, key=lambda one: -abs(one.value))
    return f" ({names([one.one.label for one in ordered], 3)})" if rows else ""


def _note(found: Sequence[ConfigurationDifference], left_out: int) -> str:
    lacking = f" Left out, as their test queries differ: {count(left_out, 'pair')} of runs." if left_out else ""
    return (
        f'<p class="note">Means over seeds of paired differences on the same test queries; 95% intervals that hold for all '
        f"{len(found):,} rows at once, from a bootstrap over wordings. They say how sure a difference is for these trained "
        f"routers; what another seed would change is the deviation over seeds. nll: lower is better.{lacking}</p>"
    )
