"""The tables of a report."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

import numpy as np

from graphrouter.evaluation.page import cell, name_cell, number, signed, table, text
from graphrouter.evaluation.svg import interval_bar
from graphrouter.evaluation.view import Row, View
from graphrouter.metrics import METRICS, lower_is_better, metrics_of

UNSCORED = tuple(METRICS[name].title for name in ("reward", "performance", "cost"))
"""Columns that hold dashes where choices cannot be scored."""
TASK_BASELINES = 6
"""Baselines in the table of tasks: the best ones."""


def difference(row: Row, metric: str) -> str:
    """Return a paired difference and its interval as HTML, marked where the interval leaves out 0."""
    value, low, high = row["difference"], row["difference_low"], row["difference_high"]
    if value is None:
        return '<span class="dim">the best of these</span>' if row["router"] == row["best_baseline"] else "–"
    style, mark = "", ""
    if low > 0 or high < 0:
        style, mark = ("good", "▲ ") if (value < 0) == (lower_is_better(metric)) else ("bad", "▼ ")
    bounds = f"<small>[{signed(low, metric)}, {signed(high, metric)}]</small>"
    return f'<span class="{style}">{mark}{signed(value, metric)}</span> {bounds}'


def value_cell(view: View, router: str, scenario: str, metric: str, bounds: bool = False) -> str:
    """Return a cell with a mean, underlined where it is the best."""
    row = view.row(router, scenario, metric)
    if row is None:
        return text("–")
    interval = f" <small>[{number(row['low'], metric)}, {number(row['high'], metric)}]</small>" if bounds else ""
    return cell(number(row["mean"], metric) + interval, "best" if view.is_best(router, scenario, metric) else "")


def metric_table(view: View, scenario: str, first: str, others: Sequence[str]) -> str:
    """Return a table of routers, the best first: one metric with intervals and differences, and others beside.

    Args:
        view: What was measured.
        scenario: Of the metrics; empty for those that do not depend on it.
        first: The metric that orders the table.
        others: Further metrics; those without values are left out.
    """
    columns = [name for name in others if view.has(scenario, name)]
    span, rows = view.span(scenario, first), []
    rivals = any(name in view.baselines for name in view.means(scenario, first))
    for router in view.ranked(scenario, first):
        row = view.row(router, scenario, first)
        if row is None:
            continue
        bar = interval_bar(row["low"], row["mean"], row["high"], span, "ours" if router in view.ours else "rest")
        cells = [name_cell(router), value_cell(view, router, scenario, first, bounds=True), cell(bar)]
        if rivals:
            cells.append(cell(difference(row, first)))
        rows.append((view.style(router), cells + [value_cell(view, router, scenario, name) for name in columns]))
    head = ["router", METRICS[first].title, "95% interval", *([f"against {view.rival}"] if rivals else [])]
    return table(head + [METRICS[name].title for name in columns], rows)


def scenario_section(view: View, scenario: str) -> str:
    """Return the table of a scenario, with what its reward is."""
    about = view.scenario(scenario)
    formula = f"{about['alpha']:g} × {about['target']}"
    formula += f" − {about['beta']:g} × cost / cost scale" if about["beta"] else ""
    heading = f"<h2>Scenario {escape(scenario)}</h2><p>Reward = {escape(formula)}. "
    if not view.support.routable:
        return f"{heading}{escape(view.support.sentence)}</p>{_unscored_table(view, scenario)}"
    alike = ("reward", "performance") if (about["alpha"], about["beta"]) == (1, 0) else ("reward",)
    columns = [name for name in metrics_of("scenario", merit=True) if name not in alike and view.has(scenario, name)]
    oracle = "; the oracle, which knows the outcomes, takes no part" if view.oracles else ""
    note = ""
    if view.restricted(scenario):
        columns, note = (
            [*metrics_of("scenario", merit=False), *columns],
            f'<p class="note">{escape(view.support.sentence)}</p>',
        )
    return (
        f"{heading}A router is better than {view.rival} where its difference is marked ▲: there the interval of the paired "
        f"difference leaves out 0. The best value of a column is underlined{oracle}; none where all are equal.</p>{note}"
        + metric_table(view, scenario, "reward", columns)
        + metric_notes(["reward", *columns])
    )


def metric_notes(names: Sequence[str]) -> str:
    """Return what metrics are, and which way is better, as a paragraph."""
    ways = {True: " (lower is better)", False: ""}
    notes = [f"{METRICS[name].title}: {METRICS[name].note}{ways[METRICS[name].lower]}." for name in names]
    return f'<p class="note">{escape(" ".join(notes))}</p>'


def _unscored_table(view: View, scenario: str) -> str:
    """Return the table of a scenario whose choices cannot be scored: dashes, and how many choices were logged."""
    rows = []
    for router in view.names:
        row = view.row(router, scenario, "logged_choice")
        cells = [name_cell(router), *(text("–") for _ in UNSCORED), text("–" if row is None else f"{row['mean']:.2f}")]
        rows.append((view.style(router), cells))
    return table(["router", *UNSCORED, METRICS["logged_choice"].title], rows)


def task_section(view: View) -> str:
    """Return the reward by task in the first scenario, of ours and of the best baselines."""
    scenario = view.scenarios[0]
    means = view.task_means(scenario, "reward")
    ranked = [name for name in view.ranked(scenario, "reward") if name in view.baselines]
    fair = [*view.ours, *ranked[:TASK_BASELINES]]
    if not means:
        return ""
    rows = []
    for task, by_router in means.items():
        best = max(by_router[name] for name in fair if name in by_router)
        values = [(by_router.get(name), name in fair) for name in [*fair, *view.oracles]]
        cells = [cell(number(value), "best" if mine and _ties(value, best) else "") for value, mine in values]
        rows.append(("", [name_cell(task), *cells]))
    return (
        f"<h2>By task</h2><p>Mean reward in {escape(scenario)}: the routers that are put to the test, then the best "
        f"{min(TASK_BASELINES, len(ranked))} that they are held against. Where a lead is spread over the tasks, it comes "
        "from the queries; where it sits in one task, from that task alone. results.csv has all routers and metrics. Tasks whose queries "
        "mostly have the outcome of one LLM only are left out.</p>" + table(["task", *fair, *view.oracles], rows)
    )


def _ties(value: float | None, best: float) -> bool:
    return value is not None and abs(value - best) < 1e-9


def time_section(view: View) -> str:
    """Return how long each router took, and which settings were chosen."""
    rows = []
    for router in view.names:
        entries = [entry for entry in view.evaluation.about[router] if "fit_seconds" in entry]
        if not entries:
            continue
        seconds = [view.about_mean(router, key) for key in ("fit_seconds", "tune_seconds", "predict_seconds")]
        settings = [_setting(entry["settings"]) for entry in entries]
        chosen = "; ".join(f"{setting} ({settings.count(setting)}×)" for setting in dict.fromkeys(settings))
        cells = [name_cell(router), *(text(f"{value:,.2f}" if np.isfinite(value) else "–") for value in seconds)]
        rows.append((view.style(router), [*cells, text(entries[0].get("tried", 1)), text(chosen)]))
    if not rows:
        return ""
    head = ["router", "fit, s", "all settings, s", "predict test, s", "settings tried", "chosen, by seeds"]
    return (
        "<h2>Time</h2><p>Wall-clock seconds, mean over seeds, on the machine that ran this: what a router takes to fit with "
        f"the setting that was chosen, to try all settings, and to predict the test queries.</p>{table(head, rows)}"
    )


def _setting(settings: dict[str, object]) -> str:
    return ", ".join(f"{key}={value}" for key, value in settings.items()) or "as given"
