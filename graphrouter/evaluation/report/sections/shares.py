"""Tables of stacked bars: which share of the queries goes to each LLM."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np
from markupsafe import Markup

from graphrouter.evaluation.report.page import macro
from graphrouter.evaluation.report.view import View
from graphrouter.typing import Array

LLM_COLOURS = 8
"""LLMs with a colour of their own."""


def share_tables(view: View) -> dict[str, Markup]:
    """Return which LLMs each router picks, by scenario."""
    hidden = {*view.references, *([] if view.support.routable else view.oracles)}
    found = {}
    for scenario in view.scenarios:
        shares = {name: share for name, share in view.evaluation.shares[scenario].items() if name not in hidden}
        order = [name for name in view.ranked(*view.leading(scenario)) if name in shares]
        if order:
            llms = view.evaluation.config["log"]["llms"]
            found[scenario] = share_table(llms, {name: shares[name] for name in order}, "router", view.style)
    return found


def share_table(
    llms: Sequence[str], shares: Mapping[str, Array], what: str, style: Callable[[str], str] = lambda _: ""
) -> Markup:
    """Return a table of stacked bars, and the key to their colours.

    Args:
        llms: [M] names.
        shares: By row, [M], adding up to 1.
        what: A row stands for.
        style: Row to its CSS class.
    """
    highest, total = np.max(list(shares.values()), axis=0), np.sum(list(shares.values()), axis=0)
    top = [int(llm) for llm in np.lexsort((-highest, -total))[:LLM_COLOURS] if total[llm] > 0]
    rows = []
    for name, share in shares.items():
        parts = [(llms[llm], float(share[llm]), f"s{place}") for place, llm in enumerate(top)]
        parts.append(("others", max(1 - sum(part for _, part, _ in parts), 0.0), "rest"))
        first = int(share.argmax())
        cells = [name, (macro("stacked", parts), "stack"), f"{llms[first]} {share[first]:.0%}"]
        rows.append((style(name), [*cells, str(int((share >= 0.01).sum()))]))
    keys = [(f"s{place}", "box", llms[llm]) for place, llm in enumerate(top)] + [("rest", "box", "others")]
    head = [what, "share of test queries", "most often", "LLMs ≥\u00a01%"]
    return macro("legend", keys) + macro("table", {"head": head, "rows": rows, "folded": ()})
