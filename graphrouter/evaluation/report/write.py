"""Predictions of a finished folder -> its tables, its page, and figures and tables for a paper.

```
results.csv       log, router, seed, split, scenario, task, metric, value: every value of every seed
summary.csv       log, router, scenario, metric, mean, low, high, best_baseline, difference, difference_low, difference_high
choices.parquet   router, seed, scenario, query_id, task, llm, predicted_performance, predicted_cost, performance, cost, reward,
                  best_llm, best_reward, regret: one row per test query, see `graphrouter.evaluation.rows.choice_table`
curves.csv        name, kind, alpha, cost, performance, low, high: the cost-quality curves, see `Evaluation.curve_table`
```
"""

from __future__ import annotations

import io
import json
from collections.abc import Collection
from pathlib import Path
from typing import Any

import polars as pl

from graphrouter.evaluation.collected import Evaluation
from graphrouter.evaluation.folder import Store
from graphrouter.evaluation.report import charts, drawing, line_charts
from graphrouter.evaluation.report.latex import as_latex
from graphrouter.evaluation.report.page import render
from graphrouter.evaluation.report.sections import about, curves, queries, shares, tables
from graphrouter.evaluation.report.view import View
from graphrouter.evaluation.summary import evaluate_store
from graphrouter.files import atomic_write, replace_file
from graphrouter.markdown import as_markdown
from graphrouter.metrics import METRICS

TEXTS = "queries.parquet"


def summarise(out: str | Path, texts: pl.DataFrame | None = None) -> Evaluation:
    """Score the predictions saved in a folder, and write its tables, its page and its figures anew.

    What the log's outcomes can score is added to the config, as ``routing``.

    Args:
        out: Folder of a comparison or an evaluation.
        texts: ``query_id`` and ``query`` of the first seed's evaluated queries, in the order of its outcomes, for the page's
            query-level table. They are kept in ``queries.parquet``; None for those that lie there.

    Raises:
        UserError: If the folder is none of a comparison, or a prediction is missing.
    """
    store = Store(out)
    evaluation = evaluate_store(store)
    store.write("config.json", json.dumps(evaluation.config, indent=2) + "\n")
    found = {"results": evaluation.results, "summary": evaluation.summary, "curves": evaluation.curve_table()}
    for name, frame in found.items():
        # A null is written as nothing, an empty text as two quotes.
        store.write(f"{name}.csv", frame.with_columns(pl.col(pl.String).replace("", None)).write_csv())
    with atomic_write(store.out / "choices.parquet") as draft:
        evaluation.choices.write_parquet(draft, compression="zstd")
    view = View(evaluation)
    write_tables(store, view)
    written = {file.stem for file in write_figures(store, view)}
    store.write("report.html", render_report(view, _queries(store, view, texts), written))
    return evaluation


def _queries(store: Store, view: View, texts: pl.DataFrame | None) -> dict[str, Any] | None:
    file = store.out / TEXTS
    if texts is not None:
        held = io.BytesIO()
        texts.with_columns(pl.col("query").str.slice(0, queries.MOST_LETTERS)).write_parquet(held)
        replace_file(file, held.getvalue())
    return queries.query_table(view, pl.read_parquet(file) if file.is_file() else None)


def render_report(view: View, choices: dict[str, Any] | None = None, written: Collection[str] = ()) -> str:
    """Return the page.

    Args:
        view: Evaluation, and choices of what to show.
        choices: From `queries.query_table`; None for a page without the query-level table.
        written: Names of the figures beside the page, which it links to.
    """
    shown = [*view.ours, *[name for name in view.ranked("", "nll") if name in view.baselines][:1]]
    reliable = {name: view.evaluation.reliability[name] for name in shown if name in view.evaluation.reliability}
    drawn = [
        drawing.svg(charts.reliability({name: table}), f"Reliability of {name}: predicted against observed performance")
        for name, table in reliable.items()
    ]
    return render(
        "comparison.html.j2",
        title=about.title(view),
        view=view,
        log=view.evaluation.config["log"],
        seed=view.evaluation.config["seeds"][0],
        banners=about.banners(view),
        findings=list(about.findings(view)),
        curve=_curve(view),
        free=bool(view.evaluation.curves) and not curves.has_curves(view),
        scenarios=list(tables.scenario_tables(view)),
        edges=tables.other_table(view, "edge"),
        reliability=drawn,
        tasks=tables.task_table(view),
        queries=choices,
        written=written,
        first_rows=queries.first_rows(choices) if choices else [],
        noise=(about.noise(view), tables.noise_table(view)),
        shares=shares.share_tables(view),
        time=tables.time_table(view),
        ran=about.ran(view),
        notes=about.notes(view),
        folded="further LLMs, each asked for every query" if view.references else "further rows",
    )


def _curve(view: View) -> dict[str, Any] | None:
    """Values of the section on cost and quality; None for a log without cost, or where all is free."""
    if not curves.has_curves(view):
        return None
    series = curves.curve_series(view)
    above = curves.above_hull(series)
    keys = line_charts.keys(series)
    keys += [("rest", "line", "other routers")] if any(one.colour == "rest" for one in series) else []
    banded = [one.name for one in reversed(series) if one.low is not None]
    return {
        "plane": drawing.wide_and_narrow(line_charts.plane(series, "performance"), _label("performance")),
        "above": _above(above) if above else "",
        "legend": keys,
        "banded": " and ".join(banded),
        "table": tables.other_table(view, "curve"),
    }


def _above(series: list[line_charts.Series]) -> Any:
    gain = "performance above the mixture"
    return drawing.wide_and_narrow(line_charts.plane(series, gain), _label(gain), (1130, 300), (292, 260))


def _label(what: str) -> str:
    return f"Mean cost of a query against {what}, for each router"


def write_tables(store: Store, view: View) -> None:
    """Write the tables as Markdown and as LaTeX, into ``tables``."""
    found = {"tasks": tables.task_table(view), "noise_budget": tables.noise_table(view)}
    for one in tables.scenario_tables(view):
        found |= {f"scenario_{one['name']}": one["table"], f"scenario_{one['name']}_further": one["further"]}
    edges, planes = tables.other_table(view, "edge"), tables.other_table(view, "curve")
    found |= {
        name: both[0] for name, both in (("predicted_quality", edges), ("cost_quality", planes)) if both is not None
    }
    for name, table in found.items():
        if table is not None and table.plain:
            rows = [table.short, *table.plain]
            note = f"{about.title(view)}. [low, high]: {view.interval}."
            store.write(f"tables/{name}.md", f"{as_markdown(rows, 1)}\n\n{note}\n")
            store.write(f"tables/{name}.tex", as_latex(rows, note))


def write_figures(store: Store, view: View) -> list[Path]:
    """Write the figures as PDF, SVG and PNG, into ``figures``."""
    folder, files = store.out / "figures", list[Path]()
    if curves.has_curves(view):
        series = curves.curve_series(view)
        files += drawing.save(line_charts.plane(series, "performance", legend=True)(620, 360), folder, "cost_quality")
    reliable = {name: view.evaluation.reliability[name] for name in view.ours if name in view.evaluation.reliability}
    if reliable:
        files += drawing.save(charts.reliability(reliable), folder, "reliability")
    for scenario in view.scenarios if view.support.routable else [""]:
        key = view.leading(scenario)
        rows = [row for name in view.ranked(*key) if (row := view.row(name, *key)) and row["difference"] is not None]
        rows = [row for row in rows if row["router"] not in view.oracles]
        if rows:
            bars = [
                {"name": row["router"], "value": row["difference"], "low": row["difference_low"],
                 "high": row["difference_high"], "verdict": tables.verdict(row, key[1])} for row in rows
            ]  # fmt: skip
            drawn = charts.forest(
                bars, f"{METRICS[key[1]].title} against {rows[0]['best_baseline']}, {view.comparator}"
            )
            files += drawing.save(drawn, folder, f"differences_{scenario or 'predicted_quality'}")
    return files
