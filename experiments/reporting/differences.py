"""The section on differences to the base: bars with intervals, by factor."""

from __future__ import annotations

from collections.abc import Sequence

from markupsafe import Markup

from experiments.reporting.figure import Figure, names, say, together
from experiments.reporting.paired import MOST, ConfigurationDifference, differences
from experiments.reporting.panels import Panel
from graphrouter.evaluation.report.charts import VERDICTS
from graphrouter.evaluation.report.numbers import bounds, count, signed
from graphrouter.evaluation.report.page import macro
from graphrouter.metrics import lower_is_better

MARKS = {"better": "▲ ", "worse": "▼ ", "unclear": ""}


def difference_section(panel: Panel) -> Figure:
    """Return the difference of each configuration from its base."""
    title = "Differences to the base"
    if not any(one.base for one in panel.configurations):
        return Figure(title, "No run is marked as a base, so there is nothing that others are compared with.")
    found, left_out = differences(panel)
    if not found:
        return Figure(
            title, "No two runs can be compared: a base needs another configuration on the same test queries."
        )
    metrics = list(dict.fromkeys(one.metric for one in found))
    parts = [(metric, _bars([one for one in found if one.metric == metric])) for metric in metrics]
    head = ["metric", "factor", "configuration", "base", "runs", "difference", "low", "high", "adjusted p", "deviation"]
    head.append("verdict")
    data = [
        [one.metric, one.one.first.group, one.one.label, one.base.label, one.seeds]
        + [getattr(one, name) for name in ("value", "low", "high", "p", "deviation", "verdict")]
        for one in found
    ]
    return Figure(title, _says(panel, found), macro("folds", parts, 2) + _note(found, left_out), head, data)


def _bars(rows: Sequence[ConfigurationDifference]) -> Markup:
    """A table of one metric: factors in the order of the runs, the largest loss first."""
    order = list(dict.fromkeys(one.one.first.group or "" for one in sorted(rows, key=lambda one: one.one.first.id)))
    sign = -1 if lower_is_better(rows[0].metric) else 1
    ordered = sorted(rows, key=lambda one: (order.index(one.one.first.group or ""), sign * one.value))
    span = min(0.0, *(one.low for one in rows)), max(0.0, *(one.high for one in rows))
    lines = []
    for one in ordered:
        colour = VERDICTS[one.verdict]
        bar = macro("bar", one.low, one.value, one.high, span, colour, zero=True, size="large")
        shown = say("<span class={}>{}{}</span>", colour, MARKS[one.verdict], signed(one.value))
        shown += say(" <small>{}</small>", bounds(one.low, one.high, sign=True))
        deviation = "–" if one.deviation != one.deviation else f"{one.deviation:.4f}"
        p = f"{one.p:.3f}" if one.p >= 0.001 else "<0.001"
        lines.append(("", [one.one.label, shown, (bar, ""), p, deviation, str(one.seeds)]))
    head = ["configuration", "difference", "and 95% interval", "adjusted p", "deviation over seeds", "runs"]
    return macro("table", {"head": head, "rows": lines, "folded": ()}, style="tall")


def _says(panel: Panel, found: Sequence[ConfigurationDifference]) -> Markup:
    """Say what is clearly better or worse, what is not clear, and how small an effect could have been seen."""
    parts = []
    for metric in list(dict.fromkeys(one.metric for one in found))[:2]:
        rows = [one for one in found if one.metric == metric]
        better, worse = ([one for one in rows if one.verdict == kind] for kind in ("better", "worse"))
        half = sorted((one.high - one.low) / 2 for one in rows)[len(rows) // 2]
        parts.append(say(
            "In {}, {} of {} are better than the base{}, {} worse{}, and {} not told apart: half an interval is {:.4f}, so "
            "smaller effects stay unseen.", metric, len(better), len(rows), _named(better), len(worse), _named(worse),
            len(rows) - len(better) - len(worse), half,
        ))  # fmt: skip
    noisy = [one for one in found if one.verdict != "unclear" and one.deviation > abs(one.value)]
    if noisy:
        parts.append(
            say("{} of the clear ones vary more over seeds than they amount to: more seeds would say more.", len(noisy))
        )
    if len(panel.configurations) > MOST:
        parts.append(say("Only the best {} configurations on validation are compared; that choice favours them.", MOST))
    return together(parts)


def _named(rows: Sequence[ConfigurationDifference]) -> Markup:
    ordered = sorted(rows, key=lambda one: -abs(one.value))
    return say(" ({})", names([one.one.label for one in ordered], 3)) if rows else Markup("")


def _note(found: Sequence[ConfigurationDifference], left_out: int) -> Markup:
    lacking = f" Left out, as their test queries differ: {count(left_out, 'pair')} of runs." if left_out else ""
    return say(
        '<p class="note">Means over seeds of paired differences on the same test queries; 95% intervals that hold for all '
        "{:,} rows at once, from a bootstrap over text groups. They say how sure a difference is for these trained "
        "routers; what another seed would change is the deviation over seeds. nll: lower is better.{}</p>", len(found), lacking,
    )  # fmt: skip
