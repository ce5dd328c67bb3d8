"""The tables of a log, made of what an importer collected. None depends on the order in which it was read."""

from __future__ import annotations

import json
import warnings
from collections.abc import Iterator
from typing import Any

import numpy as np
import polars as pl

from graphrouter.log import COLUMNS
from graphrouter.typing import Array


def numbered(key: tuple[str, str], cell: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    """Number the draws of a cell that the source did not, by their content, after those that it did."""
    counted = [record for record in cell if record["draw"] is not None]
    others = [record for record in cell if record["draw"] is None]
    if len(others) > 1:
        others.sort(key=lambda record: json.dumps(record, sort_keys=True, default=str))
    first = max((record["draw"] for record in counted), default=-1) + 1
    for draw, record in enumerate(others, start=first):
        record["draw"] = draw
    for record in counted + others:
        yield {"query_id": key[0], "llm": key[1], **record}


def table(name: str, rows: list[dict[str, Any]]) -> pl.DataFrame:
    """Make a frame; its columns are in an order that does not depend on that of the rows."""
    names = {column for row in rows for column in row}
    known = {column: kind for column, kind in COLUMNS[name].items() if column in names}
    for column in names - set(known):
        _make_alike(rows, column)
    frame = pl.DataFrame(rows, schema_overrides=known, infer_schema_length=None, strict=False)
    return frame.select(*known, *sorted(names - set(known)))


def _make_alike(rows: list[dict[str, Any]], column: str) -> None:
    """Make a further column that holds values of several types text: polars would take the first type, and lose others."""
    types = {type(row[column]) for row in rows if row.get(column) is not None}
    if len(types) > 1 and not types <= {int, float}:
        for row in rows:
            if row.get(column) is not None and not isinstance(row[column], str):
                row[column] = json.dumps(row[column], ensure_ascii=False, default=str)


def with_vectors(queries: pl.DataFrame, vectors: dict[str, Array], name: str) -> pl.DataFrame:
    """Add the column ``vector`` if every query has one, all of one length; warns of a log where only some have."""
    if not vectors:
        return queries
    lengths = {len(vector) for vector in vectors.values()}
    if len(lengths) > 1 or len(vectors) < queries.height:
        warnings.warn(
            f"{name}: vectors are left out, for {len(vectors)} of {queries.height} queries have one, "
            f"of lengths {', '.join(map(str, sorted(lengths)))}",
            stacklevel=2,
        )
        return queries
    stacked = np.stack([vectors[query_id] for query_id in queries["query_id"]])
    return queries.with_columns(pl.Series("vector", stacked).arr.to_list())
