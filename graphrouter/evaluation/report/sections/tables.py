"""The tables of a report on routers: head, rows of cells, and rows that are folded away."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
from markupsafe import Markup

from graphrouter.evaluation import differences
from graphrouter.evaluation.report.numbers import NOTHING, bounds, number, signed
from graphrouter.evaluation.report.page import macro
from graphrouter.evaluation.report.view import View
from graphrouter.metrics import METRICS, metrics_of
from graphrouter.typing import Record

COLUMNS = 7
"""Metrics of a scenario beside its reward: so many have room on a page. Further ones are behind a click."""
UNSCORED = ("reward", "performance", "cost")
"""Metrics that have dashes where choices cannot be scored."""
TASK_BASELINES = 6
"""Baselines in the table of tasks: the best ones."""
REFERENCES_SHOWN = 3
"""LLMs that a table of one router shows beside it: the best ones. There may be hundreds, and they would bury the router."""


@dataclass(frozen=True)
class Table:
    """A table of a page and of a paper.

    Attributes:
        head: Column titles; the first is that of the rows' names.
        rows: CSS class of each row and its cells; a cell is a text, or a text and its CSS class. The first is its name.
        folded: Further rows, behind a click.
        plain: Rows of plain text for Markdown and LaTeX, without a head of their own.
        short: Columns of the table for a paper.
    """

    head: Sequence[str]
    rows: Sequence[tuple[str, Sequence[Any]]]
    folded: Sequence[tuple[str, Sequence[Any]]] = ()
    plain: Sequence[Sequence[str]] = field(default=())
    short: Sequence[str] = ()


def verdict(row: Record, metric: str) -> str:
    """Return ``better`` or ``worse`` where the interval of a difference leaves out 0, else ``unclear``."""
    known = row["difference"] is not None
    return differences.verdict(metric, row["difference_low"], row["difference_high"]) if known else "unclear"


def difference(row: Record, metric: str) -> Markup:
    """Return a paired difference and its interval, marked where the interval leaves out 0."""
    if row["difference"] is None:
        best = row["router"] == row["best_baseline"]
        return Markup('<span class="dim">the best of these</span>') if best else Markup(NOTHING)
    style, mark = {"better": ("good", "▲ "), "worse": ("bad", "▼ "), "unclear": ("", "")}[verdict(row, metric)]
    shown = bounds(row["difference_low"], row["difference_high"], metric, sign=True)
    return Markup('<span class="{}">{}{}</span> <small>{}</small>').format(
        style, mark, signed(row["difference"], metric), shown
    )


def _value(view: View, router: str, scenario: str, metric: str) -> tuple[str, str]:
    row = view.row(router, scenario, metric)
    best = "best" if view.is_best(router, scenario, metric) else ""
    return number(None if row is None else row["mean"], metric), best


def metric_table(view: View, scenario: str, first: str, others: Sequence[str]) -> Table:
    """Return a table of routers, the best first: one metric with intervals and differences, and others beside.

    Args:
        view: Evaluation, and choices of what to show.
        scenario: Scenario of the metrics; empty for those that do not depend on it.
        first: The metric that orders the table.
        others: Further metrics; those without values are left out.
    """
    columns = [name for name in others if view.has(scenario, name)]
    compared = any(name in view.baselines for name in view.means(scenario, first))
    head = ["router", METRICS[first].title, *([f"against {view.comparator}"] if compared else []), "95% interval"]
    head += [METRICS[name].title for name in columns]
    span, plain = view.span(scenario, first), []
    shown: list[tuple[str, list[Any]]] = []
    folded: list[tuple[str, list[Any]]] = []
    for router in view.ranked(scenario, first):
        row = view.row(router, scenario, first)
        assert row is not None
        mean, best = _value(view, router, scenario, first)
        interval = bounds(row["low"], row["high"], first)
        bar = macro("bar", row["low"], row["mean"], row["high"], span, "mark" if router in view.ours else "rest")
        cells: list[Any] = [router, (Markup("{} <small class=wide>{}</small>").format(mean, interval), best)]
        cells += [difference(row, first)] if compared else []
        values = [_value(view, router, scenario, name) for name in columns]
        many = router in view.references and sum(name in view.references for _, (name, *_) in shown) >= REFERENCES_SHOWN
        (folded if many else shown).append((view.style(router), [*cells, (bar, "wide"), *values]))
        against = [Markup(difference(row, first)).striptags()] if compared else []
        plain.append([router, f"{mean} {interval}", *against, *(value for value, _ in values)])
    return Table(head, shown, folded, plain, [name for name in head if name != "95% interval"])


def scenario_tables(view: View) -> Iterator[dict[str, Any]]:
    """Yield of each scenario its ``name``, ``formula`` of the reward, ``table``, table of ``further`` metrics, and ``notes``."""
    for name in view.scenarios:
        about = view.scenario(name)
        formula = f"{about['alpha']:g} × {about['target']}"
        formula += f" − {about['beta']:g} × cost / cost scale" if about["beta"] else ""
        found: dict[str, Any] = {"name": name, "formula": formula, "further": None, "notes": ""}
        if view.support.routable:
            alike = ("reward", "performance") if (about["alpha"], about["beta"]) == (1, 0) else ("reward",)
            columns = [one for one in metrics_of("scenario", merit=True) if one not in alike and view.has(name, one)]
            first = metrics_of("scenario", merit=False) if view.restricted(name) else []
            found |= {"table": metric_table(view, name, "reward", [*first, *columns[:COLUMNS]])}
            found |= {
                "further": _means(view, name, columns[COLUMNS:]),
                "notes": metric_notes(["reward", *first, *columns]),
            }
        else:
            found["table"] = _unscored(view, name)
        yield found


def metric_notes(names: Sequence[str]) -> str:
    """Return notes on metrics: their meaning, and which way is better."""
    shown = [METRICS[name] for name in names]
    return " ".join(f"{one.title}: {one.note}{' (lower is better)' if one.lower else ''}." for one in shown)


def _means(view: View, scenario: str, names: Sequence[str]) -> Table | None:
    """Return a table of means alone; None for no metric."""
    if not names:
        return None
    order = view.ranked(scenario, "reward")
    values = {router: [_value(view, router, scenario, name) for name in names] for router in order}
    rows = [(view.style(router), [router, *cells]) for router, cells in values.items()]
    plain = [[router, *(text for text, _ in cells)] for router, cells in values.items()]
    head = ["router", *(METRICS[name].title for name in names)]
    return Table(head, rows, plain=plain, short=head)


def _unscored(view: View, scenario: str) -> Table:
    """Return the table of a scenario whose choices cannot be scored: dashes, and how many choices were logged."""
    rows = []
    for router in view.names:
        row = view.row(router, scenario, "logged_choice")
        logged = NOTHING if row is None else f"{row['mean']:.2f}"
        rows.append((view.style(router), [router, *[NOTHING] * len(UNSCORED), logged]))
    head = ["router", *(METRICS[name].title for name in (*UNSCORED, "logged_choice"))]
    return Table(head, rows, plain=[list(cells) for _, cells in rows], short=head)


def task_table(view: View) -> Table | None:
    """Return the reward by task in the first scenario, of ours and of the best baselines; None without tasks."""
    means = view.task_means(view.scenarios[0], "reward")
    if not means:
        return None
    ranked = [name for name in view.ranked(view.scenarios[0], "reward") if name in view.baselines]
    fair = [*view.ours, *ranked[:TASK_BASELINES]]
    rows = []
    for task, by_router in means.items():
        best = max(by_router[name] for name in fair if name in by_router)
        cells: list[Any] = [task]
        for name in [*fair, *view.oracles]:
            value = by_router.get(name)
            ties = name in fair and value is not None and abs(value - best) < 1e-9
            cells.append((number(value), "best" if ties else ""))
        rows.append(("", cells))
    head = ["task", *fair, *view.oracles]
    return Table(head, rows, plain=[[row[0], *(cell for cell, _ in row[1:])] for _, row in rows], short=head)


def noise_table(view: View) -> Table | None:
    """Return the noise budget of the whole log and of each task; None where it is not known."""
    if view.noise is None:
        return None
    rows = []
    for name, one in {"all": view.noise, **view.noise.tasks}.items():
        shares = [f"{part.value:.1%} [{part.low:.1%}, {part.high:.1%}]" for part in (one.none_solves, one.all_solve)]
        told = one is view.noise or one.repeated  # in a task of single draws nothing is known of luck
        lucky = NOTHING if np.isnan(one.luck[1]) or not told else f"{one.luck[1]:.0%}"
        first = f"{one.one_draw_luck[0]:.0%} to {one.one_draw_luck[1]:.0%}" if lucky != NOTHING else NOTHING
        single = [first] if view.noise.repeated else []
        rows.append(("", [name, f"{one.groups:,}", *shares, number(one.gain), lucky, *single]))
    head = ["task", "text groups", "no LLM solves", "all LLMs solve", "oracle's gain", "of it luck, at most"]
    head += ["luck of an oracle of one draw"] if view.noise.repeated else []
    return Table(head, rows, plain=[cells for _, cells in rows], short=head)


def time_table(view: View) -> Table | None:
    """Return how long each router took, and which settings were chosen; None where nothing was fitted."""
    rows = []
    for router in view.names:
        entries = [entry for entry in view.evaluation.about[router] if "fit_seconds" in entry]
        if entries:
            seconds = [view.about_mean(router, key) for key in ("fit_seconds", "tune_seconds", "predict_seconds")]
            cells = [f"{value:,.2f}" if np.isfinite(value) else NOTHING for value in seconds]
            settings = [
                ", ".join(f"{key}={value}" for key, value in entry["settings"].items()) or "as given"
                for entry in entries
            ]
            chosen = "; ".join(f"{one} ({settings.count(one)}×)" for one in dict.fromkeys(settings))
            if still := sum(bool(entry.get("best_is_last")) for entry in entries):
                chosen += f"; best at its last step ({still}×), so more steps may help"
            rows.append((view.style(router), [router, *cells, str(entries[0].get("tried", 1)), (chosen, "left")]))
    head = ["router", "fit, s", "all settings, s", "predict test, s", "settings tried", "chosen, by seeds"]
    return Table(head, rows) if rows else None


def other_table(view: View, subject: Literal["edge", "curve"]) -> tuple[Table, str] | None:
    """Return the table of the predicted quality or of the cost-quality curves, and its notes; None without values."""
    names = [name for name in metrics_of(subject) if view.has("", name)]
    return (metric_table(view, "", names[0], names[1:]), metric_notes(names)) if names else None
