"""GraphRouter's ``router_data.csv``, with the descriptions of the LLMs in a JSON file beside it (arXiv:2410.03834).

The layout is what ``data_processing/construct_router_data.py`` writes and ``model/multi_task_graph_router.py`` reads in
https://github.com/ulab-uiuc/GraphRouter; a copy of the former is in https://github.com/ulab-uiuc/FusionFactory. What is odd:

- ``task_id`` is the task's name. ``cost`` is no money: it is scaled to [0, 1] within each task. It is kept as
  ``source_cost``; forks of the project add the dollars as ``raw_cost``, which is read and written here too.
- The reader cuts blocks of as many rows as there are LLMs in the JSON file, in its order, and takes the first row of each
  for the query; it wants tasks of equal size, one after the other. The export follows that order and writes a row without
  ``effect`` for a missing cell, so that the blocks stay whole. The import depends on none of it.
- It needs vectors of queries and of tasks. The export has those of queries where the log has them; those of tasks, and the
  pickle of those of the LLMs, have to be made from ``task_description`` and ``feature``.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from graphrouter.errors import UserError
from graphrouter.formats.builder import LogBuilder
from graphrouter.formats.candidates import add_candidates, candidates
from graphrouter.formats.flat import flatten, warn_of_losses, write_csv, write_json
from graphrouter.formats.rows import Row, holds, tables_with
from graphrouter.formats.vectors import parse_vector, print_vector
from graphrouter.log_frames import content_id

if TYPE_CHECKING:
    import polars as pl

    from graphrouter.log import LLMLog

NAME = "router_data"
LAYOUT = "router_data.csv with task_id, query, llm, effect, cost, and LLM descriptions in JSON beside it"
COST_UNIT = "US dollars (raw_cost)"
REQUIRED = ("task_id", "query", "llm", "effect")
TABLE, DESCRIPTIONS = "router_data.csv", "LLM_Descriptions.json"
HEADER = (
    "task_id",
    "query",
    "query_embedding",
    "ground_truth",
    "metric",
    "llm",
    "effect",
    "cost",
    "task_description",
    "task_description_embedding",
    "raw_cost",
)
HELD = ("task", "query", "vector", "ground_truth", "metric", "task_description", "cost")
HELD_OF_LLMS = ("description", "input_price", "output_price", "size_b", "source_name", "service")


def recognises(path: Path) -> bool:
    """Whether a table has the columns."""
    return holds(path, REQUIRED)


def read(path: Path, builder: LogBuilder) -> None:
    """Read a table, or all in a folder, and the JSON files in the same folder that describe LLMs.

    Raises:
        UserError: If no table has the columns, or a row is bad.
    """
    files = tables_with(path, REQUIRED)
    if not files:
        raise UserError(f"{path} must be {LAYOUT}, but no table there has the columns {', '.join(REQUIRED)}")
    add_candidates(path, builder)
    builder.add_rows(files, _add)


def write(log: LLMLog, path: Path) -> None:
    """Write ``router_data.csv`` and ``LLM_Descriptions.json`` into a folder.

    Raises:
        UserError: If the folder cannot be written.
    """
    write_csv(path / TABLE, HEADER, _rows(log))
    write_json(path / DESCRIPTIONS, candidates(log))
    tasks = log.queries.group_by("task").len()["len"]
    others = ["tasks of unequal size (its reader takes all to be equal)"] if tasks.n_unique() > 1 else []
    others += [] if "vector" in log.queries.columns else ["queries without vectors (its reader needs them)"]
    warn_of_losses(log, NAME, (*HELD, *HELD_OF_LLMS), others, identity=("task", "query", "ground_truth"))


def _add(row: Row, builder: LogBuilder) -> None:
    task, query, truth = row.optional_text("task_id"), row.text("query"), row.optional_text("ground_truth")
    query_id = builder.add_query(
        task,
        query,
        query_id=content_id(task, query, truth),
        ground_truth=truth,
        metric=row.optional_text("metric"),
        task_description=row.optional_text("task_description"),
    )
    vector = parse_vector(row.values.get("query_embedding"))
    if vector is not None:
        builder.add_vector(query_id, vector)
    llm = builder.add_llm(row.text("llm"))
    effect = row.share("effect")
    if effect is None:
        builder.leave_missing()
        return
    dollars = row.optional_number("raw_cost")
    scaled: dict[str, Any] = {} if "raw_cost" in row.values else {"source_cost": row.optional_number("cost")}
    builder.add_record(query_id, llm, effect, cost=dollars, **scaled)


def _rows(log: LLMLog) -> Iterator[tuple[Any, ...]]:
    cells = {(row["query_id"], row["llm"]): row for row in _scaled(log).iter_rows(named=True)}
    empty = {"performance": None, "scaled": None, "cost": None}
    for query in log.queries.sort("task", "query_id", nulls_last=True).iter_rows(named=True):
        vector = query.get("vector")
        before = (query["task"], query["query"], None if vector is None else print_vector(vector))
        for llm in log.llm_names:
            cell = cells.get((query["query_id"], llm), empty)
            yield (
                *before,
                query["ground_truth"],
                query["metric"],
                llm,
                cell["performance"],
                cell["scaled"],
                query.get("task_description"),
                None,
                cell["cost"],
            )


def _scaled(log: LLMLog) -> pl.DataFrame:
    """Add the cost scaled to [0, 1] within its task; 0 where all of a task cost the same."""
    import polars as pl

    cells = flatten(log).join(log.queries.select("query_id", "task"), on="query_id", how="left")
    low, high = pl.col("cost").min().over("task"), pl.col("cost").max().over("task")
    return cells.with_columns(
        scaled=pl.when(high > low).then((pl.col("cost") - low) / (high - low)).otherwise(pl.col("cost") * 0)
    )
