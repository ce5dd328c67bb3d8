"""Error for a path that no layout fits: what it holds, what it may be, and what to do."""

from __future__ import annotations

from pathlib import Path

from graphrouter.errors import UserError, cut
from graphrouter.formats import table
from graphrouter.formats.rows import TABLES, header
from graphrouter.formats.sources import ending, what_else

SEEN = 12
"""Most names of files and of columns that an error lists."""
NAMED = 60
"""Most characters of one name there."""
OTHERS: tuple[tuple[set[str], str], ...] = (
    (
        {"doc_id", "doc", "resps"},
        "samples of lm-evaluation-harness, which are not read yet: make a table of query, llm (the file is one LLM's), "
        "performance",
    ),
    (
        {"eval", "samples"},
        "a log of Inspect, which is not read yet: make a table of its samples with query, llm, performance",
    ),
    (
        {"custom_id", "response", "error"},
        "the output of a batch, which holds no prompts: join it with the batch's input by custom_id, and add scores",
    ),
    (
        {"traceId", "input", "output"},
        "an export of Langfuse, whose scores stand elsewhere: join them by traceId, then read it as a table",
    ),
    (
        {"request_id", "spend"},
        "a spend log of LiteLLM without messages; export messages and proxy_server_request too, with "
        "store_prompts_in_spend_logs on, and add scores",
    ),
    (
        {"model_a", "model_b"},
        "votes between two LLMs, which are no scores of single answers; they cannot be imported",
    ),
)
"""Columns of public files that are no log that can be read, and what they are."""


def columns_or_error(path: Path) -> tuple[list[str], str]:
    """Return the columns of a table; or none, and why it cannot be read."""
    if ending(path) not in TABLES:
        return [], f"it is {what_else(path)}" if what_else(path) else f"its name must end in one of {', '.join(TABLES)}"
    try:
        return header(path), ""
    except (UserError, OSError) as error:
        return [], str(error)


def seen(path: Path) -> str:
    """Return the contents of a path, for an error: file names, and the columns of the first table."""
    if not path.is_dir():
        return f"a file with {_listed(*columns_or_error(path))}"
    names = sorted(file.name + "/" * file.is_dir() for file in path.iterdir())
    tables = [path / name for name in names if ending(Path(name)) in TABLES]
    listed = ", ".join(cut(name, NAMED) for name in names[:SEEN]) + _more(names)
    inside = f"{cut(tables[0].name, NAMED)} with {_listed(*columns_or_error(tables[0]))}" if tables else "no table"
    return f"a folder with {listed or 'nothing'} ({inside})"


def advice(path: Path) -> str:
    """Return the likely type of a file and what to do with it; empty where it has no columns."""
    columns, _ = columns_or_error(path) if path.is_file() else ([], "")
    known = next((what for fields, what in OTHERS if fields <= set(columns)), None)
    if known:
        return f"it seems to be {known}; "
    if not columns:
        return ""
    return f"as a plain table, read it with {table.proposal(columns)} (performance in [0, 1], cost in {table.COST_UNIT}); or "


def _listed(columns: list[str], error: str) -> str:
    if not columns:
        return "no columns that can be read" + (f" ({error})" if error else "")
    if len(columns) == 1 and "|" in columns[0]:
        return f"one column, {cut(columns[0], NAMED)} (cells are parted by commas, semicolons or tabs)"
    return f"columns {', '.join(cut(name, NAMED) for name in columns[:SEEN])}{_more(columns)}"


def _more(names: list[str]) -> str:
    return f" and {len(names) - SEEN} more" if len(names) > SEEN else ""
