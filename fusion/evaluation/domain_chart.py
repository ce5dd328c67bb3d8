"""Performance per domain, for each LLM and each way of asking it: what FusionFactory (arXiv:2507.10540) shows as a radar.

Dots on a common scale say what a radar of four spokes hides: how large a gap is, and whether its interval leaves out 0.
"""

from __future__ import annotations

from typing import Any

import polars as pl

from fusion.evaluation.thought import ThoughtLevel
from graphrouter.evaluation.report.charts import by_group
from graphrouter.evaluation.report.drawing import SERIES, Chart


def domain_chart(level: ThoughtLevel) -> Chart:
    """Draw a panel for each LLM, with a row for each domain and a dot for each guide; zero-shot is grey.

    The interval of a dot is that of the paired difference to zero-shot, laid around the dot.
    """
    guides = level.table["guide"].unique(maintain_order=True).to_list()
    named = [guide for guide in guides if guide is not None]
    colours = {None: "dim", **{guide: SERIES[place % len(SERIES)] for place, guide in enumerate(named)}}
    rows: list[dict[str, Any]] = []
    for row in level.table.filter(pl.col("domain").is_not_null()).iter_rows(named=True):
        value, name = row["performance"], row["guide"] or "zero-shot"
        if value is None or value != value:
            continue
        found = {"panel": row["llm"], "row": row["domain"], "name": name, "value": value}
        found["says"] = f"{row['llm']}, {name}: {row['domain']} {value:.3f}"
        if row.get("difference") is not None and row["difference_low"] == row["difference_low"]:
            zero = value - row["difference"]
            found |= {"low": zero + row["difference_low"], "high": zero + row["difference_high"]}
            found["says"] += f", {row['difference']:+.3f} [{row['difference_low']:+.3f}, {row['difference_high']:+.3f}]"
        rows.append(found)
    paints = {guide or "zero-shot": colours[guide] for guide in guides}
    return by_group(rows, paints, "performance; intervals are of the difference to zero-shot")
