"""Public layouts of multi-LLM logs, read into an `LLMLog` and written from one. Each file alone knows its layout's columns.

A layout is a module of this package that has what `Layout` asks for and, where it can be exported, `Export`.
"""

from __future__ import annotations

import warnings
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, cast

from graphrouter.errors import UserError, suggest

if TYPE_CHECKING:
    from graphrouter.formats.builder import LogBuilder, Rejected
    from graphrouter.log import LLMLog


class Layout(Protocol):
    """Module of a public layout.

    Attributes:
        NAME: Name, as in ``--format`` and of the module.
        LAYOUT: Line that says what the layout looks like.
        COST_UNIT: Unit of its costs, in words.
    """

    NAME: str
    LAYOUT: str
    COST_UNIT: str

    def recognises(self, path: Path) -> bool:
        """Return whether a path is of the layout, by a cheap look at names and columns; never raises."""

    def read(self, path: Path, builder: LogBuilder) -> None:
        """Add all of a path to a log; raises `UserError` for what is not the layout."""


class Export(Protocol):
    """Module of a layout that a log can be written in."""

    def write(self, log: LLMLog, path: Path) -> None:
        """Write a log; warns of what the layout cannot hold."""


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
    "table",
)
PATH = 200
"""Most characters of a path that cannot be followed, which an error shows."""
EXPORTS = ("canonical", "router_data", "llmrouter", "routerbench")


def format_names() -> tuple[str, ...]:
    """Return the names of all layouts that can be imported."""
    return FORMATS


def layout(name: str) -> Layout:
    """Return the module of a layout.

    Raises:
        UserError: If there is none of this name.
    """
    if name not in FORMATS:
        raise UserError(
            f"a format must be one of the known layouts, but is {name[:PATH]!r}{suggest(name[:PATH], list(FORMATS))}"
        )
    return cast("Layout", import_module(f"graphrouter.formats.{name}"))


def guess_format(path: str | Path) -> str:
    """Return the name of the only layout that recognises a path.

    Raises:
        UserError: If none does, or several do; it lists what was seen.
    """
    from graphrouter.formats.rows import TABLES, header
    from graphrouter.formats.sources import ending
    from graphrouter.formats.unknown import advice, seen

    path = Path(path)
    _check_path(path)
    found = [name for name in FORMATS if layout(name).recognises(path)]
    if len(found) == 1:
        return found[0]
    if not path.exists():
        raise UserError(f"{path} must be a file or folder with a multi-LLM log, but does not exist; check the path")
    if not found and path.is_file() and ending(path) in TABLES:
        header(path)  # raises what keeps it from being read
    which = f"fits {' and '.join(found)}" if found else "fits none of the known layouts"
    known = ", ".join(found or FORMATS)
    remedy = "" if found else advice(path)
    raise UserError(f"{path} {which}; seen: {seen(path)}; {remedy}say which with --format: {known}")


def _check_path(path: Path) -> None:
    """Refuse a path that cannot be followed, such as a link to itself. One that is not there may be a name on the hub."""
    try:
        path.stat()
        if path.is_dir():
            next(path.iterdir(), None)
    except FileNotFoundError:
        return
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise UserError(
            f"{str(path)[:PATH]} must be a file or folder that can be read, but: {reason}; name another"
        ) from None


def read_log(
    path: str | Path,
    format: str | None = None,  # noqa: A002 - the word that users type
    name: str | None = None,
    skip_bad: bool = False,
    progress: bool = False,
    failed_as_wrong: bool = False,
    columns: dict[str, str] | None = None,
) -> tuple[LLMLog, list[Rejected]]:
    """Read a public log.

    Args:
        path: File or folder; for FusionBench also a data set on the Hugging Face hub (``owner/name``).
        format: Name of its layout; None to guess.
        name: Name of the log; None for the name that it has, or that of the file or folder.
        skip_bad: Whether bad rows are left out; otherwise the first one ends the import.
        progress: Whether to show how far the reading is.
        failed_as_wrong: Whether failed generations count as wrong answers; otherwise their cells stay missing.
        columns: For the layout ``table``: the file's columns by the log's, such as ``{"query": "prompt"}``.

    Returns:
        The log, and the rows that were left out. Warns of what was left out or missing without being bad.

    Raises:
        UserError: If the path is not of the layout, or a row is bad.
    """
    from graphrouter.formats.builder import UNSCORED

    path = Path(path)
    _check_path(path)
    module = layout(format or ("table" if columns else guess_format(path)))
    if columns and module.NAME != "table":
        raise UserError(
            f"columns are named for the format table, but the format is {module.NAME}; leave one of them out"
        )
    builder = _builder(path, skip_bad, progress, failed_as_wrong, columns)
    try:
        module.read(path, builder)
    finally:
        builder.close_bars()
    builder.name = name or builder.name
    log = builder.build()
    for remark, count in sorted(builder.remarks.items(), key=lambda item: (item[0] != UNSCORED, item[0])):
        if count:
            _warn(log, f"{count:,} rows {remark}")
    return log, builder.rejected


def _builder(path: Path, *options: Any) -> LogBuilder:
    from graphrouter.formats.builder import LogBuilder
    from graphrouter.formats.sources import stem

    resolved = path.resolve()
    return LogBuilder(resolved.name if path.is_dir() else stem(resolved), *options)


def cost_of(log: LLMLog, format: str) -> str:  # noqa: A002 - the word that users type
    """Return the unit in which the costs of a log were read, in words.

    Args:
        log: As it was read.
        format: Name of the layout that it was in.
    """
    if log.records["cost"].null_count() < log.records.height:
        return f"cost taken as {layout(format).COST_UNIT}"
    scaled = log.records["source_cost"].drop_nulls() if "source_cost" in log.records.columns else ()
    if len(scaled):
        return "cost kept as source_cost, for it is scaled within each task and no money"
    return "cost from tokens and prices" if log.has_cost else "no cost"


def export_log(log: LLMLog, format: str, path: str | Path) -> None:  # noqa: A002 - the word that users type
    """Write a log in a public layout; warns of what that cannot hold.

    Raises:
        UserError: If the layout cannot be exported, or cannot hold this log at all.
    """
    if format not in EXPORTS:
        raise UserError(f"an export must be one of {', '.join(EXPORTS)}, but is {format!r}")
    cast("Export", layout(format)).write(log, Path(path))


def _warn(log: LLMLog, what: str) -> None:
    warnings.warn(f"{log.name}: {what}", stacklevel=3)
