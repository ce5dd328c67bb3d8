"""The wide table of RouterBench (arXiv:2403.12031): one row per query, three columns per LLM. Its names, and the export.

The columns are those of ``routerbench_0shot.pkl`` on https://huggingface.co/datasets/withmartian/routerbench: a score under
the LLM's bare name, ``<llm>|model_response``, ``<llm>|total_cost`` in US dollars, and last the LLM to route to: the cheapest
of the best, or ``no_model_correct``. Texts stand there as Python prints a list of them, and so they do here.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from graphrouter.errors import UserError
from graphrouter.files import atomic_write
from graphrouter.formats.flat import flatten, warn_of_losses, write_csv

if TYPE_CHECKING:
    from graphrouter.log import LLMLog

SAMPLE_ID, PROMPT, EVAL_NAME = "sample_id", "prompt", "eval_name"
ORACLE = "oracle_model_to_route_to"
FIXED = (SAMPLE_ID, PROMPT, EVAL_NAME, ORACLE)
RESPONSE, COST = "|model_response", "|total_cost"
"""Endings of an LLM's columns; its score is in the column of its bare name."""
NO_MODEL = "no_model_correct"
"""The oracle's entry where no LLM is right."""
ENDINGS = (".csv", ".parquet")


def write(log: LLMLog, path: Path) -> None:
    """Write the table to a CSV or Parquet file.

    Raises:
        UserError: If the file's ending is another, it cannot be written, or an LLM's name cannot be a column's.
    """
    if path.suffix.lower() not in ENDINGS:
        raise UserError(f"the wide table must go to a file that ends in {' or '.join(ENDINGS)}, but {path} does not")
    for llm in log.llm_names:
        if "|" in llm or llm in FIXED or not llm:
            raise UserError(
                f"the wide table names columns by LLM, so a name must be without '|' and none of {', '.join(FIXED)}, but "
                f"is {llm!r}; rename the LLM"
            )
    header, rows = _columns(log), _rows(log)
    if path.suffix.lower() == ".csv":
        write_csv(path, header, rows)
    else:
        _write_parquet(path, log, header, rows)
    warn_of_losses(log, "the wide table", ("query_id", "task", "query", "cost", "response"))


def as_cell(text: str | None) -> str | None:
    """Return a text as RouterBench writes it: as Python prints a list of it. So an empty one differs from none."""
    return None if text is None else repr([text])


def _columns(log: LLMLog) -> list[str]:
    parts = [[f"{llm}{ending}" for llm in log.llm_names] for ending in ("", RESPONSE, COST)]
    if not log.has_responses:
        parts[1] = []
    return [SAMPLE_ID, PROMPT, EVAL_NAME, *(column for part in parts for column in part), ORACLE]


def _rows(log: LLMLog) -> list[list[Any]]:
    cells: dict[str, dict[str, dict[str, Any]]] = {}
    for cell in flatten(log, responses=True).iter_rows(named=True):
        cells.setdefault(cell["query_id"], {})[cell["llm"]] = cell
    rows = []
    for query in log.queries.iter_rows(named=True):
        here = cells.get(query["query_id"], {})
        row = [query["query_id"], as_cell(query["query"]), query["task"]]
        row += [here[llm]["performance"] if llm in here else None for llm in log.llm_names]
        if log.has_responses:
            row += [as_cell(here[llm]["response"]) if llm in here else None for llm in log.llm_names]
        row += [here[llm]["cost"] if llm in here else None for llm in log.llm_names]
        rows.append([*row, _oracle(here)])
    return rows


def _oracle(cells: dict[str, dict[str, Any]]) -> str | None:
    """Return the cheapest of the best LLMs; of equal ones, the first by name."""
    if not cells:
        return None
    best = max(cell["performance"] for cell in cells.values())
    if best == 0:
        return NO_MODEL
    able = [cell for cell in cells.values() if cell["performance"] == best]
    return str(min(able, key=lambda cell: (float("inf") if cell["cost"] is None else cell["cost"], cell["llm"]))["llm"])


def _write_parquet(path: Path, log: LLMLog, header: list[str], rows: list[list[Any]]) -> None:
    import polars as pl

    numbers = {*log.llm_names, *(f"{llm}{COST}" for llm in log.llm_names)}
    schema = {column: pl.Float64 if column in numbers else pl.String for column in header}
    with atomic_write(path) as draft:
        pl.DataFrame(rows, schema=schema, orient="row").write_parquet(draft, compression="zstd")
