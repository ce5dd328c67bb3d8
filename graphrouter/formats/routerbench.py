"""RouterBench: a wide table with one row per query, as pickle, CSV or Parquet; or its raw form, one row per response.

Source: Hu et al., RouterBench, arXiv:2403.12031; columns as made in ``convertors/`` and read in ``utils.py`` of
https://github.com/withmartian/routerbench. The files of the data set ``withmartian/routerbench`` are
``routerbench_0shot.pkl`` (36,497 rows, 11 LLMs), ``routerbench_5shot.pkl`` and ``routerbench_raw.pkl`` (the latter in long form, with
``model_name, model_response, performance, cost``). Pickles are read by `frame_pickle`, so nothing in them can run.

Conventions: an LLM is a column that has a ``|model_response`` or a ``|total_cost`` beside it. ``prompt`` and responses
are often Python lists as text: their parts are joined by blank lines, and solved examples in a prompt stay, since the
cost is that of the whole prompt. ``eval_name`` is the task; the subjects of MMLU and the parts of MT-Bench
(``mmlu-anatomy``) are subtasks where the sample's id says so. Rows of one ``sample_id`` are one query: the source holds
some questions as two half-filled rows.
"""

from __future__ import annotations

import mmap
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from graphrouter.errors import UserError
from graphrouter.formats.builder import LogBuilder
from graphrouter.formats.cells import texts
from graphrouter.formats.frame_pickle import read_frame
from graphrouter.formats.rows import BadRow, Row, columns_of, shown
from graphrouter.formats.wide_table import COST, EVAL_NAME, PROMPT, RESPONSE, SAMPLE_ID, write

__all__ = ["LAYOUT", "NAME", "read", "recognises", "write"]

NAME = "routerbench"
LAYOUT = (
    "RouterBench's wide table (.pkl, .csv, .parquet): sample_id, prompt, eval_name, <llm>, <llm>|model_response, "
    "<llm>|total_cost"
)
COST_UNIT = "US dollars"
PICKLES = (".pkl", ".pickle")
LLM, SCORE, RAW_RESPONSE = "model_name", "performance", "model_response"
RAW_COSTS = ("cost", "total_cost")
FAMILIES = ("mmlu", "mtbench")


@dataclass(frozen=True)
class _Cell:
    llm: str
    score: float
    cost: float | None
    response: str | None


def recognises(path: Path) -> bool:
    """Return whether a file has RouterBench's columns; a pickle is searched for their names, not loaded."""
    if path.suffix.lower() in PICKLES:
        return _names(path, b"eval_name", b"sample_id") and (
            _names(path, b"|total_cost") or _names(path, b"model_name")
        )
    columns = columns_of(path) if path.is_file() else []
    return {PROMPT, EVAL_NAME} <= set(columns) and (bool(_llms(columns)) or {LLM, SCORE} <= set(columns))


def read(path: Path, builder: LogBuilder) -> None:
    """Add all rows of a table.

    Raises:
        UserError: If the file lacks the columns, or is a pickle of anything but a table.
    """
    prompts: dict[str, str] = {}  # the raw form repeats each prompt per LLM
    chosen: dict[str, str] = {}
    llms: list[str] | None = None
    for row in _rows(path, builder):
        if llms is None:
            llms = [builder.add_llm(llm) for llm in _checked_llms(path, row.values)]
        with builder.checking(row):
            _add(row, _query(row, prompts), list(_cells(row, llms)), chosen, builder)


def _query(row: Row, known: dict[str, str]) -> str:
    prompt = row.values.get(PROMPT)
    if isinstance(prompt, str) and prompt in known:
        return known[prompt]
    query = texts(row, PROMPT)
    if query is None:
        raise BadRow(f"{PROMPT} must be text, but is {shown(prompt)}")
    if isinstance(prompt, str):
        known[prompt] = query
    return query


def _rows(path: Path, builder: LogBuilder) -> Iterator[Row]:
    if path.suffix.lower() not in PICKLES:
        yield from builder.rows(path)
        return
    table = read_frame(path)
    rows = enumerate(zip(*table.values(), strict=True), start=1)
    yield from builder.watched((Row(path, at, dict(zip(table, values, strict=True))) for at, values in rows), path.name)


def _llms(columns: Iterable[str]) -> list[str]:
    names = set(columns)
    return sorted(name for name in names if name + RESPONSE in names or name + COST in names)


def _checked_llms(path: Path, columns: Iterable[str]) -> list[str]:
    """Return the LLMs of the wide form; none for the raw form."""
    llms = _llms(columns)
    if {PROMPT, EVAL_NAME} <= set(columns) and (llms or {LLM, SCORE} <= set(columns)):
        return llms
    raise UserError(
        f"{path} must have the columns {PROMPT}, {EVAL_NAME} and, per LLM, its name with <name>{RESPONSE} or <name>{COST}, "
        f"but has {shown(sorted(columns))}"
    )


def _cells(row: Row, llms: list[str]) -> Iterator[_Cell]:
    if not llms:
        mark = row.share(SCORE)
        costs = (row.optional_number(name) for name in RAW_COSTS)
        if mark is not None:
            yield _Cell(
                row.text(LLM), mark, next((cost for cost in costs if cost is not None), None), texts(row, RAW_RESPONSE)
            )
    for llm in llms:
        mark = row.share(llm)
        if mark is not None:
            yield _Cell(llm, mark, row.optional_number(llm + COST), texts(row, llm + RESPONSE))


def _add(row: Row, query: str, cells: list[_Cell], chosen: dict[str, str], builder: LogBuilder) -> None:
    """Add a row. Of the wordings of one sample, the first by alphabet is the query, whatever the order of the rows."""
    name, sample_id = row.optional_text(EVAL_NAME), row.optional_text(SAMPLE_ID)
    family = (name or "").partition("-")[0]
    inside = family in FAMILIES and family != name and (sample_id or "").startswith(f"{name}.")
    known = chosen.get(sample_id, query) if sample_id else query
    key = builder.add_query(family if inside else name, known, query_id=sample_id, subtask=name if inside else None)
    if sample_id:
        chosen[sample_id] = min(known, query)
        builder.reword(key, chosen[sample_id])
    for cell in cells:
        builder.add_llm(cell.llm)
        builder.add_record(key, cell.llm, cell.score, cost=cell.cost, response=cell.response)


def _names(path: Path, *names: bytes) -> bool:
    try:
        with path.open("rb") as stream, mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ) as content:
            return all(content.find(name) >= 0 for name in names)
    except (OSError, ValueError):
        return False
