"""The same report on W&B, through the reports library of wandb-workspaces.

What is said and counted goes there as text; the panels are drawn by W&B from the project's own runs.
"""

from __future__ import annotations

import html
import math
import re
from collections.abc import Sequence
from typing import Any
from warnings import catch_warnings, simplefilter

from experiments.reporting.document import figures
from experiments.reporting.figure import Figure
from experiments.reporting.overview import facts, warnings
from experiments.reporting.panels import Panel, panels
from experiments.reporting.records import Run
from graphrouter.errors import UserError, first_line
from graphrouter.metrics import lower_is_better

MOST_ROWS = 20
MOST_AXES = 8
LONGEST_TITLE = 128


def publish(runs: Sequence[Run], project: str, title: str) -> str:
    """Save a report on W&B.

    Args:
        runs: Runs of the report. The panels show the runs that the project itself holds.
        project: ``ENTITY/PROJECT``.
        title: Title of the report.

    Returns:
        Its address.

    Raises:
        UserError: If the library or an account is missing, or W&B cannot be reached.
    """
    import requests
    import wandb

    made = build(runs, project, title)
    try:
        wandb.Api()  # says that there is no account as a wandb.Error; the library would not
        made.save()
    except (wandb.Error, requests.RequestException, ValueError, OSError) as error:
        raise UserError(
            f"a W&B report needs an account and the network, but: {first_line(error)}; run `wandb login`, or leave out --wandb"
        ) from None
    return str(made.url)


def build(runs: Sequence[Run], project: str, title: str) -> Any:
    """Return the report, a `wandb_workspaces.reports.v2.Report`; nothing is sent.

    Raises:
        UserError: If the library is missing, or the project is not ``ENTITY/PROJECT``.
    """
    wr = _library()
    entity, slash, name = project.partition("/")
    if not entity or not slash or not name or "/" in name:
        raise UserError(f"--wandb must be ENTITY/PROJECT, but is {project!r}")
    divided = panels(runs)
    blocks = [
        wr.TableOfContents(),
        wr.H1("What ran"),
        wr.UnorderedList([f"{term}: {text}" for term, text in facts(runs, divided)]),
    ]
    blocks += [wr.CalloutBlock(_markdown(warning)) for warning in warnings(runs, divided)]
    for panel in divided:
        blocks.append(wr.H1(panel.title))
        if panel.finished:
            blocks += [_grid(wr, panel, entity, name)]
            blocks += [block for figure in figures(panel) for block in _blocks(wr, figure)]
        else:
            blocks.append(wr.P("No run has finished, so there is nothing to compare."))
    return wr.Report(project=name, entity=entity, title=title[:LONGEST_TITLE], blocks=blocks, width="fluid")


def _library() -> Any:
    try:
        with catch_warnings():
            simplefilter("ignore", DeprecationWarning)  # of its own use of pydantic
            import wandb_workspaces.reports.v2 as wr
    except ImportError:
        raise UserError(
            "a W&B report needs the package wandb-workspaces, but it is not installed; install graphrouter[experiments]"
        ) from None
    return wr


def _grid(wr: Any, panel: Panel, entity: str, project: str) -> Any:
    """Panels over the project's runs of one log, drawn by W&B."""
    from wandb_workspaces import expr

    key = f"{panel.part(panel.metric)}/{panel.metric}"
    columns = [wr.ParallelCoordinatesPlotColumn(wr.Config(name)) for name in panel.varying[:MOST_AXES]]
    columns.append(wr.ParallelCoordinatesPlotColumn(wr.SummaryMetric(key), inverted=lower_is_better(key)))
    drawn = [
        wr.ParallelCoordinatesPlot(title="Settings and metric", columns=columns, layout=wr.Layout(0, 0, 24, 9)),
        wr.ParameterImportancePlot(with_respect_to=key, layout=wr.Layout(0, 9, 8, 9)),
        wr.LinePlot(
            title="Validation loss", x="step", y=["validation_loss"], groupby=wr.Config("name"),
            groupby_aggfunc="mean", groupby_rangefunc="stddev", layout=wr.Layout(8, 9, 8, 9),
        ),
        wr.BarPlot(
            title=f"test/{panel.metric}", metrics=[f"test/{panel.metric}"], groupby=wr.Config("name"),
            groupby_aggfunc="mean", groupby_rangefunc="stderr", layout=wr.Layout(16, 9, 8, 9),
        ),
    ]  # fmt: skip
    drawn += [
        wr.ScatterPlot(
            title=f"Cost and performance, {scenario}",
            x=wr.SummaryMetric(f"test/{scenario}/cost"),
            y=wr.SummaryMetric(f"test/{scenario}/performance"),
            log_x=True,
            layout=wr.Layout(8 * place, 18, 8, 9),
        )
        for place, scenario in enumerate(panel.scenarios)
        if any(f"test/{scenario}/cost" in run.metrics for run in panel.finished)
    ]
    filters = expr.And(expr.Config("log") == panel.log, expr.Config("protocol") == panel.protocol)
    runset = wr.Runset(entity=entity, project=project, name=panel.title, filters=filters)
    return wr.PanelGrid(runsets=[runset], panels=drawn)


def _blocks(wr: Any, figure: Figure) -> list[Any]:
    """A heading, what it says, and its rows where they are few."""
    blocks = [wr.H2(figure.title), wr.MarkdownBlock(_markdown(figure.says))]
    rows = list(figure.brief) or ([figure.head, *figure.rows] if 0 < len(figure.rows) <= MOST_ROWS else [])
    if rows:
        lines = ["| " + " | ".join(_cell(value) for value in row) + " |" for row in rows]
        lines.insert(1, "|" + " --- |" * len(rows[0]))
        blocks.append(wr.MarkdownBlock("\n".join(lines)))
    return blocks


def _cell(value: Any) -> str:
    if value is None or (isinstance(value, float) and not math.isfinite(value)):
        return ""
    return f"{value:.4g}" if isinstance(value, float) else str(value).replace("|", "\\|")


def _markdown(says: str) -> str:
    """Turn what a figure says from HTML to Markdown: bold, and no other tags."""
    return html.unescape(re.sub(r"<[^>]+>", "", re.sub(r"</?b>", "**", says)))
