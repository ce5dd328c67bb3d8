"""The page: what ran, and then a panel for each log and protocol."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

from experiments.reporting.best import best_section
from experiments.reporting.by_task import task_section
from experiments.reporting.choices import share_section
from experiments.reporting.cost_quality import cost_section
from experiments.reporting.differences import difference_section
from experiments.reporting.explored import explored_sections
from experiments.reporting.figure import Figure, count, whole_page
from experiments.reporting.overview import overview, shared_settings
from experiments.reporting.panels import Panel, panels
from experiments.reporting.records import Run
from experiments.reporting.training_curves import training_section


def figures(panel: Panel) -> list[Figure]:
    """Return what there is to see of the runs of one log and protocol."""
    return [
        best_section(panel),
        *explored_sections(panel),
        training_section(panel),
        cost_section(panel),
        difference_section(panel),
        task_section(panel),
        share_section(panel),
    ]


def render(runs: Sequence[Run], title: str = "") -> str:
    """Return the page.

    Args:
        runs: Of any number of logs; nothing is averaged or ranked across logs or protocols.
        title: Its heading; made from the logs where it is empty.
    """
    divided = panels(runs)
    title = title or f"Runs on {', '.join(dict.fromkeys(panel.title for panel in divided)) or 'no log'}"
    links = [f'<a href="#panel{number}">{escape(panel.title)}</a>' for number, panel in enumerate(divided)]
    nav = f"<nav>{''.join(links)}</nav>" if len(divided) > 1 else ""
    body = [f"<h1>{escape(title)}</h1>{nav}", overview(runs, divided)]
    body += [_panel(panel, number) for number, panel in enumerate(divided)]
    return whole_page(title, "\n".join(body))


def _panel(panel: Panel, number: int) -> str:
    head = f'<section class="panel" id="panel{number}"><h2>{escape(panel.title)}</h2>'
    if not panel.finished:
        return f"{head}<p>None of {count(len(panel.runs), 'run')} has finished, so there is nothing to compare.</p></section>"
    return f"{head}{shared_settings(panel)}{''.join(figure.html() for figure in figures(panel))}</section>"
