"""Sections of a report: predicted quality, and which LLMs are picked."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from html import escape

import numpy as np

from graphrouter.evaluation.page import cell, legend, name_cell, table, text
from graphrouter.evaluation.svg import reliability_chart, share_bar
from graphrouter.evaluation.tables import metric_notes, metric_table
from graphrouter.evaluation.view import View
from graphrouter.metrics import metrics_of

Array = np.ndarray

LLM_COLOURS = 8
"""LLMs with a colour of their own in the figure of choices."""


def edge_section(view: View) -> str:
    """Return how good the predicted quality is: the table, and reliability diagrams of ours and the best baseline."""
    if not view.has("", "nll"):
        return ""
    shown = [*view.ours, *[name for name in view.ranked("", "nll") if name in view.baselines][:1]]
    figures, names = [], metrics_of("edge")
    for name in shown:
        if name in view.evaluation.reliability:
            label = f"Reliability of {name}: predicted against observed performance"
            picture = reliability_chart(view.evaluation.reliability[name], 300, 250, label)
            figures.append(f"<figure><figcaption>{escape(name)}</figcaption>{picture}</figure>")
    return (
        "<h2>Predicted quality of an edge</h2><p>How well a router foretells each (query, LLM) outcome, whatever it then "
        "chooses.</p>"
        + metric_table(view, "", names[0], names[1:])
        + metric_notes(names)
        + "<p>Reliability: a dot on the dashed line is a bin of edges whose predictions hold on average; below it, they are "
        f'too high. The area shows the share of edges.</p><div class="multiples">{"".join(figures)}</div>'
    )


def share_section(view: View) -> str:
    """Return which LLMs each router picks, in each scenario."""
    llms, parts, hidden = view.evaluation.config["log"]["llms"], [], set(view.references)
    hidden |= set() if view.support.routable else set(view.oracles)
    for number, scenario in enumerate(view.scenarios):
        shares = {name: share for name, share in view.evaluation.shares[scenario].items() if name not in hidden}
        if not shares:
            return ""
        order = [name for name in view.ranked(*view.leading(scenario)) if name in shares]
        body = share_table(llms, {name: shares[name] for name in order}, "router", view.style)
        opened = " open" if number == 0 else ""
        parts.append(f"<details{opened}><summary>{escape(scenario)}</summary>{body}</details>")
    about = (
        "A router with one colour is a single LLM in disguise; one that resembles the oracle spreads its choices as the "
        "outcomes do."
        if view.support.routable
        else "Among all LLMs, whether or not the log has their outcome. A router with one colour is a single LLM in disguise."
    )
    return f"<h2>Which LLM each router picks</h2><p>{about}</p>" + "".join(parts)


def share_table(
    llms: Sequence[str], shares: Mapping[str, Array], what: str, style: Callable[[str], str] = lambda _: ""
) -> str:
    """Return a table of stacked bars, and the key to their colours.

    Args:
        llms: [M] names.
        shares: By row, [M], adding up to 1.
        what: A row stands for.
        style: Row to its CSS class.
    """
    top, rows = _most_picked(shares), []
    for name, share in shares.items():
        stacked = [(llms[llm], float(share[llm]), f"s{place}") for place, llm in enumerate(top)]
        rest = 1 - sum(part for _, part, _ in stacked)
        stacked.append(("others", max(rest, 0.0), "other"))
        first = int(share.argmax())
        cells = [name_cell(name), cell(share_bar(stacked), "wide-bar"), text(f"{llms[first]} {share[first]:.0%}")]
        rows.append((style(name), [*cells, text(int((share >= 0.01).sum()))]))
    keys = [(f"s{place}", llms[llm]) for place, llm in enumerate(top)] + [("other", "others")]
    return legend(keys) + table([what, "share of test queries", "most often", "LLMs with 1% or more"], rows)


def _most_picked(shares: Mapping[str, Array]) -> list[int]:
    """Columns of the LLMs that any router picks most, for the colours."""
    highest = np.max(list(shares.values()), axis=0)
    total = np.sum(list(shares.values()), axis=0)
    order = np.lexsort((-highest, -total))
    return [int(llm) for llm in order[:LLM_COLOURS] if total[llm] > 0]
