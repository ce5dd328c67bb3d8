"""Tables of settings, read from dataclasses and their docstrings: what the command line lists and the manual prints."""

from __future__ import annotations

import dataclasses
import inspect
import re
import textwrap
import typing
from collections.abc import Collection, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from graphrouter.ranges import Allowed, Range

if TYPE_CHECKING:
    from graphrouter.routers.base import Router

REQUIRED = "(required)"

SHOWN_DEFAULT = 40  # characters of a default in the text; the longest that matter are lists of four names
WIDTH = 120


class Setting(NamedTuple):
    """One setting.

    Attributes:
        name: With dots where it is part of another, such as ``lora.rank``.
        type: As it stands in the code, such as ``int | None``.
        default: As YAML and the command line write it; `REQUIRED` where there is none.
        allowed: Range or names, in words; empty where only the type limits it.
        about: Description from the docstring, without markup.
    """

    name: str
    type: str
    default: str
    allowed: str
    about: str


class RouterEntry(NamedTuple):
    """One router in the list of all.

    Attributes:
        name: As it is typed.
        summary: First sentence of its docstring.
        source: Paper or code that it follows; empty for a plain reference.
        training: ``steps`` where an optimiser takes steps, ``fit`` where it is fitted at once.
        extends: Whether it takes in a new LLM without being fitted again.
        needs_outcomes: Whether it must see the outcomes of the queries that it routes, so that it is no router for use.
        settings: Number of its hyperparameters.
    """

    name: str
    summary: str
    source: str
    training: str
    extends: bool
    needs_outcomes: bool
    settings: int


def settings_of(
    kind: type, allowed: Mapping[str, Allowed] | None = None, *, without: Collection[str] = (), prefix: str = ""
) -> list[Setting]:
    """Return the settings of a dataclass in their order; those of a nested dataclass have its name in front.

    Args:
        kind: The dataclass; its docstring and those of its bases describe the fields under ``Attributes:``.
        allowed: Range or names of a setting, by its whole name.
        without: Fields that are no settings.
        prefix: In front of each name.
    """
    hints, about, found = typing.get_type_hints(kind), attributes_of(kind), []
    for field in dataclasses.fields(kind):
        name = prefix + field.name
        if not field.init or field.name in without:
            continue
        if dataclasses.is_dataclass(hints[field.name]):
            found += settings_of(typing.cast(type, hints[field.name]), allowed, prefix=f"{name}.")
        else:
            limit = (allowed or {}).get(name)
            words = str(limit) if isinstance(limit, Range) else ", ".join(limit or ())
            found.append(Setting(name, _type(field), _default(field), words, about.get(field.name, "")))
    return found


def attributes_of(kind: type) -> dict[str, str]:
    """Return the descriptions of attributes in the docstrings of a class and its bases, by name, without markup."""
    found: dict[str, str] = {}
    for owner in kind.__mro__:
        text = inspect.cleandoc(owner.__doc__ or "")
        _, _, section = text.partition("Attributes:\n")
        section = re.split(r"\n(?=\S)", section)[0]
        for name, said in re.findall(r"^ {4}(\w+): (.*(?:\n {5,}.*)*)", section, re.MULTILINE):
            found.setdefault(name, _plain(said))
    return found


def router_settings(kind: type[Router]) -> list[Setting]:
    """Return the hyperparameters of a router. What several share is described once, in `graphrouter.training.Schedule`."""
    from graphrouter.config import NOT_IN_CONFIG
    from graphrouter.training import Schedule

    names = [field.name for field in dataclasses.fields(kind)]
    ranges = {name: limit for name in names if (limit := kind.range_of(name)) is not None}
    shared = attributes_of(Schedule)
    return [
        one._replace(about=shared[one.name]) if one.name in shared and one.about[:4] in ("", "See ") else one
        for one in settings_of(kind, {**ranges, **kind.choices}, without=NOT_IN_CONFIG)
    ]


def router_entries() -> list[RouterEntry]:
    """Return all routers, simple references first, those of installed packages last; this imports all of them."""
    from graphrouter.routers import find_router, router_names
    from graphrouter.routers.outside import installed_routers

    return [_entry(find_router(name)) for name in (*router_names(), *installed_routers())]


def _entry(kind: type[Router]) -> RouterEntry:
    settings = router_settings(kind)
    training = "steps" if any(one.name == "steps" for one in settings) else "fit"
    return RouterEntry(
        kind.name, summary_of(kind), kind.source, training, kind.extends, kind.needs_outcomes, len(settings)
    )


def summary_of(kind: type) -> str:
    """Return the first paragraph of a class's docstring as one line, without markup."""
    return _plain(inspect.cleandoc(kind.__doc__ or "").partition("\n\n")[0])


def search_space(kind: type[Router]) -> list[str]:
    """Return the settings that are tried on validation, each as ``key=value`` words; the first is the default."""
    return [" ".join(f"{key}={_word(value)}" for key, value in one.items()) or "defaults" for one in kind.search_space]


def format_settings(settings: Sequence[Setting]) -> str:
    """Return settings as a table of text: name, type, default and what is allowed, and below each what it means."""
    heads = Setting("setting", "type", "default", "allowed", "")
    rows = [heads, *[one._replace(default=textwrap.shorten(one.default, SHOWN_DEFAULT)) for one in settings]]
    widths = [max(len(row[column]) for row in rows) for column in range(3)]
    lines = []
    for row in rows:
        cells = [cell.ljust(width) for cell, width in zip(row, widths, strict=False)]
        lines.append("  ".join([*cells, row.allowed]).rstrip())
        lines += textwrap.wrap(row.about, WIDTH, initial_indent="    ", subsequent_indent="    ")
    return "\n".join(lines)


def format_router(kind: type[Router]) -> str:
    """Return all that a user can set of a router, with its source."""
    settings = router_settings(kind)
    lines = [f"{kind.name}: {summary_of(kind)}"]
    lines += [f"source: {kind.source}"] if kind.source else []
    entry = _entry(kind)
    lines.append(
        f"takes in new LLMs: {_yes(entry.extends)}; needs the outcomes of what it routes: {_yes(entry.needs_outcomes)}"
    )
    lines += ["", format_settings(settings)] if settings else ["", "it has no settings"]
    if len(kind.search_space) > 1:
        lines += ["", "tried on validation by compare:", *[f"    {one}" for one in search_space(kind)]]
    return "\n".join(lines)


def format_routers(entries: Sequence[RouterEntry]) -> str:
    """Return the list of all routers, one line each."""
    heads = ("router", "trained by", "settings", "new LLMs", "what it does")
    rows = [heads] + [
        (one.name, one.training, str(one.settings), _yes(one.extends), _description(one)) for one in entries
    ]
    widths = [max(len(row[column]) for row in rows) for column in range(4)]
    return "\n".join(
        "  ".join([*[cell.ljust(width) for cell, width in zip(row, widths, strict=False)], row[-1]]) for row in rows
    )


def _description(entry: RouterEntry) -> str:
    sees = " (sees the outcomes: a bound, no router for use)" if entry.needs_outcomes else ""
    return f"{entry.summary}{sees}" + (f" [{entry.source}]" if entry.source else "")


def _yes(value: bool) -> str:
    return "yes" if value else "no"


def _type(field: dataclasses.Field[Any]) -> str:
    return field.type if isinstance(field.type, str) else getattr(field.type, "__name__", str(field.type))


def _default(field: dataclasses.Field[Any]) -> str:
    if field.default is not dataclasses.MISSING:
        return _word(field.default)
    return REQUIRED if field.default_factory is dataclasses.MISSING else _word(field.default_factory())


def _word(value: Any) -> str:
    """Return a value as YAML writes it on one line."""
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    if isinstance(value, list | tuple):
        return f"[{', '.join(_word(one) for one in value)}]"
    if isinstance(value, float):
        return f"{value:g}"
    return "''" if value == "" else str(value)


def _plain(text: str) -> str:
    """Return a docstring's text on one line, without its backquotes."""
    return " ".join(re.sub(r"`+(?:~?[\w.]*\.)?([^`]*)`+", r"\1", text).split())
