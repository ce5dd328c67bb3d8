"""Public layouts of multi-LLM logs, read into an `LLMLog` and written from one. Each file alone knows its layout's columns.

A layout is a module of this package with

- ``NAME``, as in ``--format``, and ``LAYOUT``, one line that says what it looks like;
- ``recognises(path) -> bool``: a cheap look at names and columns, which never raises;
- ``read(path, builder) -> None``: adds all of it to a `LogBuilder`, and raises `UserError` for what is not the layout;
- ``write(log, path) -> None``, where the layout can be exported; warns of what it cannot hold.
"""

from __future__ import annotations

import warnings
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING

from graphrouter.errors import UserError, suggest

if TYPE_CHECKING:
    from graphrouter.formats.builder import Rejected
    from graphrouter.log import LLMLog

FORMATS = (
    "canonical",
    "fusionbench",
    "router_data",
    "llmrouter",
    "llmrouterbench",
    "routerbench",
    "routellm",
    "routerdc",
    "routerarena",
    "gateway",
)
EXPORTS = ("canonical", "router_data", "llmrouter", "routerbench")
SEEN = 12
"""Most names of files and of columns that an error lists."""


def format_names() -> tuple[str, ...]:
    """Return the names of all layouts that can be imported."""
    return FORMATS


def layout(name: str) -> ModuleType:
    """Return the module of a layout.

    Raises:
        UserError: If there is none of this name.
    """
    if name not in FORMATS:
        raise UserError(f"a format must be one of the known layouts, but is {name!r}{suggest(name, list(FORMATS))}")
    return import_module(f"graphrouter.formats.{name}")


def guess_format(path: str | Path) -> str:
    """Return the name of the only layout that recognises a path.

    Raises:
        UserError: If none does, or several do; it lists what was seen.
    """
    path = Path(path)
    found = [name for name in FORMATS if layout(name).recognises(path)]
    if len(found) == 1:
        return found[0]
    if not path.exists():
        raise UserError(f"{path} must be a file or folder with a multi-LLM log, but does not exist; check the path")
    which = f"fits {' and '.join(found)}" if found else "fits none of the known layouts"
    known = found or FORMATS
    raise UserError(f"{path} {which}; seen: {seen(path)}; say which with --format: {', '.join(known)}")


def seen(path: Path) -> str:
    """Return what a path holds, for an error: file names, and the columns of the first table."""
    from graphrouter.formats.rows import TABLES, columns_of

    if path.is_dir():
        names = sorted(file.name + "/" * file.is_dir() for file in path.iterdir())
        tables = [path / name for name in names if Path(name).suffix.lower() in TABLES]
        listed = ", ".join(names[:SEEN]) + (f" and {len(names) - SEEN} more" if len(names) > SEEN else "")
        inside = f"{tables[0].name} with {_columns(columns_of(tables[0]))}" if tables else "no table"
        return f"a folder with {listed or 'nothing'} ({inside})"
    return f"a file with {_columns(columns_of(path))}"


def read_log(
    path: str | Path,
    format: str | None = None,  # noqa: A002 - the word that users type
    name: str | None = None,
    skip_bad: bool = False,
    progress: bool = False,
) -> tuple[LLMLog, list[Rejected]]:
    """Read a public log.

    Args:
        path: File or folder; for FusionBench also a data set on the Hugging Face hub (``owner/name``).
        format: Name of its layout; None to guess.
        name: Of the log; None for the name that it has, or that of the file or folder.
        skip_bad: Whether bad rows are left out; otherwise the first one ends the import.
        progress: Whether to show how far the reading is.

    Returns:
        The log, and the rows that were left out. Warns of what was left out or missing without being bad.

    Raises:
        UserError: If the path is not of the layout, or a row is bad.
    """
    from graphrouter.formats.builder import LogBuilder

    path = Path(path)
    module = layout(format or guess_format(path))
    resolved = path.resolve()
    builder = LogBuilder(resolved.name if path.is_dir() else resolved.stem, skip_bad, progress)
    module.read(path, builder)
    builder.name = name or builder.name
    log = builder.build()
    if builder.unscored:
        _warn(log, f"{builder.unscored:,} rows have no performance, so their cells stay missing")
    if builder.copies:
        _warn(log, f"{builder.copies:,} rows are exact copies of others, and are left out")
    return log, builder.rejected


def export_log(log: LLMLog, format: str, path: str | Path) -> None:  # noqa: A002 - the word that users type
    """Write a log in a public layout; warns of what that cannot hold.

    Raises:
        UserError: If the layout cannot be exported, or cannot hold this log at all.
    """
    if format not in EXPORTS:
        raise UserError(f"an export must be one of {', '.join(EXPORTS)}, but is {format!r}")
    layout(format).write(log, Path(path))


def _warn(log: LLMLog, what: str) -> None:
    warnings.warn(f"{log.name}: {what}", stacklevel=3)


def _columns(columns: list[str]) -> str:
    if not columns:
        return "no columns that can be read"
    more = f" and {len(columns) - SEEN} more" if len(columns) > SEEN else ""
    return f"columns {', '.join(columns[:SEEN])}{more}"
