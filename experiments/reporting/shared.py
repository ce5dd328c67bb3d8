"""Parts of figures that two sections share."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np

from experiments.reporting.page import cell, legend, name_cell, table, text
from experiments.reporting.svg import Series, cost_chart, share_bar
from graphrouter.metrics import upper_hull

Array = np.ndarray
LLM_COLOURS = 8


def wide_and_narrow(series: Sequence[Series], y_label: str, of: str = "router") -> str:
    """Draw a figure twice: the page shows the one that it has the width for. On the narrow one, fewer LLMs are named.

    Args:
        series: What is drawn.
        y_label: Name of the vertical axis.
        of: What a line stands for.
    """
    label = f"Mean cost of a query against {y_label}, for each {of}"
    few = [one if one.marker != "dot" else _named_on_hull(one) for one in series]
    return (
        f'<div class="wide">{cost_chart(series, 1180, 480, label, y_label)}</div>'
        f'<div class="narrow">{cost_chart(few, 360, 380, label, y_label)}</div>'
    )


def _named_on_hull(llms: Series) -> Series:
    hull = set(upper_hull(llms.cost, llms.performance).tolist())
    labels = [name if place in hull else "" for place, name in enumerate(llms.labels)]
    return Series(llms.name, llms.cost, llms.performance, llms.style, llms.line, llms.marker, labels)


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
