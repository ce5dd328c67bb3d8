"""The page: what ran, and then a panel for each log, protocol and kind of runs."""

from __future__ import annotations

from collections.abc import Sequence

from experiments.reporting.best import best_section
from experiments.reporting.by_task import task_section
from experiments.reporting.choices import share_section
from experiments.reporting.cost_quality import cost_section
from experiments.reporting.differences import difference_section
from experiments.reporting.explored import explored_sections
from experiments.reporting.figure import Figure
from experiments.reporting.overview import all_runs, facts, shared_settings, warnings, wrong_runs
from experiments.reporting.panels import Panel, panels
from experiments.reporting.records import Run
from experiments.reporting.training_curves import training_section
from graphrouter.evaluation.report.page import render as render_template


def figures(panel: Panel) -> list[Figure]:
    """Return the sections for the runs of one log, protocol and kind."""
    return [
        best_section(panel),
        cost_section(panel),
        difference_section(panel),
        *explored_sections(panel),
        training_section(panel),
        task_section(panel),
        share_section(panel),
    ]


def render(runs: Sequence[Run], title: str = "") -> str:
    """Return the page.

    Args:
        runs: Runs on any number of logs; nothing is averaged or ranked across logs, protocols or kinds of runs.
        title: Its heading; made from the logs where it is empty.
    """
    divided = panels(runs)
    names = list(dict.fromkeys(panel.title.removesuffix(f", {panel.kind}") for panel in divided))
    return render_template(
        "experiments.html.j2",
        title=title or f"Runs on {', '.join(names) or 'no log'}",
        panels=[(panel, shared_settings(panel), figures(panel) if panel.finished else []) for panel in divided],
        warnings=warnings(runs, divided),
        facts=facts(runs, divided),
        wrong=wrong_runs(runs),
        all_runs=all_runs(runs),
    )
