"""Candidates by domain, as FusionFactory's tables of the thought and the model level have them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from experiments.paper.table import NOT_FOUND, Column
from graphrouter.typing import Record

if TYPE_CHECKING:
    import polars as pl

SOURCE = (
    "{table} was not in the sources at hand: the project page (github.com/ulab-uiuc/FusionFactory, docs/index.html) shows it as a "
    "picture, and the stored pages of arXiv end before it. The claims are from that page, section {section}."
)


def domain_rows(scores: pl.DataFrame, kinds: Sequence[str]) -> tuple[list[Record], list[str]]:
    """Return a row for each candidate of some kinds, and the names of the domains.

    Args:
        scores: See `fusion.evaluation.scoring.score`.
        kinds: See `fusion.evaluation.scoring.ScoredCandidate`.
    """
    import polars as pl

    domains = sorted(scores.filter(pl.col("scope") == "domain")["name"].unique())
    rows: list[Record] = []
    whole = scores.filter((pl.col("scope") == "all") & pl.col("kind").is_in(list(kinds)))
    for one in whole.iter_rows(named=True):
        row: Record = {"candidate": one["candidate"], "level": one["level"], "kind": one["kind"]}
        row |= {"performance": one["performance"], "performance_low": one["low"], "performance_high": one["high"]}
        own = scores.filter((pl.col("scope") == "domain") & (pl.col("candidate") == one["candidate"]))
        rows.append(row | dict(own.select("name", "performance").iter_rows()) | {"published": NOT_FOUND})
    return rows, domains


def add_differences(rows: list[Record], differences: pl.DataFrame, against: str | None) -> None:
    """Add to each row its paired difference to another candidate, where that was measured."""
    import polars as pl

    for row in rows:
        same = (pl.col("candidate") == row["candidate"]) & (pl.col("scope") == "all") & (pl.col("against") == against)
        for found in differences.filter(same).iter_rows(named=True):
            row |= {"minus": found["difference"], "minus_low": found["low"], "minus_high": found["high"]}


def domain_columns(domains: Sequence[str], against: str | None) -> list[Column]:
    """Return the columns of `domain_rows`."""
    return [
        Column("candidate", "candidate"),
        Column("level", "level"),
        Column("kind", "kind"),
        Column("performance", "performance"),
        *([Column("minus", f"minus {against}", signed=True)] if against else []),
        *(Column(domain, domain, 3) for domain in domains),
        Column("published", "published", 3, published=True),
    ]
