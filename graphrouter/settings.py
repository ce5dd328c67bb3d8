"""YAML and ``key=value`` words, checked against dataclasses through OmegaConf structured configs."""

from __future__ import annotations

import dataclasses
import typing
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import yaml
from omegaconf import OmegaConf
from omegaconf.errors import ConfigKeyError, OmegaConfBaseException

from graphrouter.errors import UserError, cut, first_line, shown, suggest

UNREADABLE = (yaml.YAMLError, OmegaConfBaseException, ValueError, OverflowError, RecursionError)
"""Errors of a text that is no YAML, or holds what a config cannot, such as a number of thousands of digits."""
MOST_VALUES = 100_000
"""Values in a file, aliases unfolded. The largest config here has some hundred; ten lines of aliases make a billion."""
DEEPEST = 50


def configs_folder() -> Path:
    """Return the folder of the configs: of the checkout, or inside the installed package."""
    package = Path(__file__).parent
    return package / "configs" if (package / "configs").is_dir() else package.parent / "configs"


def find_config(name: str | Path, group: str) -> Path:
    """Return the file of a config.

    Args:
        name: A path, or the name of a file in ``configs/<group>``, with or without ``.yaml``.
        group: A folder in ``configs``, such as ``routers``.

    Raises:
        UserError: If there is no such file.
    """
    path = Path(name)
    if path.is_file():
        return path
    folder = configs_folder() / group
    if (found := folder / f"{path.name.removesuffix('.yaml')}.yaml").is_file():
        return found
    known = sorted(file.stem for file in folder.glob("*.yaml"))
    raise UserError(f"no config {str(name)!r}: there is no such file{suggest(path.stem, known)}")


def read_yaml(file: str | Path) -> dict[str, Any]:
    """Read a YAML mapping; numbers such as ``1e-3`` are numbers.

    Raises:
        UserError: If the file cannot be read or is no mapping.
    """
    try:
        text = Path(file).read_text(encoding="utf-8-sig")
        root = yaml.compose(text, Loader=yaml.SafeLoader)
        _check_size(root)
        values = OmegaConf.to_container(OmegaConf.create(text)) if isinstance(root, yaml.MappingNode) else None
    except (*UNREADABLE, OSError) as error:
        raise UserError(f"{file} must be a YAML mapping, but cannot be read: {_line(error)}") from None
    if not isinstance(values, dict):
        kind = "empty" if root is None else "a list" if isinstance(root, yaml.SequenceNode) else "a single value"
        raise UserError(f"{file} must be a YAML mapping of keys to values, but is {kind}")
    if others := [key for key in values if not isinstance(key, str)]:
        raise UserError(f"{file} must have keys that are texts, but has {others[0]!r}; put it in quotes")
    return typing.cast(dict[str, Any], values)


def _check_size(root: yaml.Node | None) -> None:
    """Refuse YAML that a few lines of aliases blow up, that holds itself, or that nests without end.

    Raises:
        YAMLError: If it does.
    """
    sizes: dict[int, int] = {}

    def size(node: yaml.Node, depth: int) -> int:
        if depth > DEEPEST:
            raise yaml.MarkedYAMLError(problem=f"it nests deeper than {DEEPEST}", problem_mark=node.start_mark)
        if id(node) not in sizes:
            sizes[id(node)] = MOST_VALUES + 1  # found again below itself, it has no end
            parts = node.value if isinstance(node, yaml.CollectionNode) else []
            flat = [part for pair in parts for part in pair] if isinstance(node, yaml.MappingNode) else parts
            sizes[id(node)] = 1 + sum(size(part, depth + 1) for part in flat)
        if sizes[id(node)] > MOST_VALUES:
            problem = f"with its aliases it holds more than {MOST_VALUES:,} values, or holds itself"
            raise yaml.MarkedYAMLError(problem=problem, problem_mark=node.start_mark)
        return sizes[id(node)]

    if root is not None:
        size(root, 0)


def parse_overrides(overrides: Sequence[str]) -> dict[str, Any]:
    """Turn ``["knn.k=20", "seeds=3"]`` into a nested mapping.

    Raises:
        UserError: If one is not ``key=value``.
    """
    for text in overrides:
        if not text.partition("=")[0].strip() or "=" not in text:
            raise UserError(f"an override must be key=value, such as knn.k=20, but is {shown(text)}")
    try:
        for text in overrides:
            _check_size(yaml.compose(text.partition("=")[2], Loader=yaml.SafeLoader))
        return typing.cast(dict[str, Any], OmegaConf.to_container(OmegaConf.from_dotlist(list(overrides))))
    except UNREADABLE as error:
        raise UserError(
            f"an override must be key=value with a YAML value, but among {shown(list(overrides))}: {_line(error)}"
        ) from None


def check(schema: type, values: dict[str, Any], where: str) -> dict[str, Any]:
    """Merge values into a dataclass's defaults.

    Returns:
        The fields; nested dataclasses as mappings.

    Raises:
        UserError: If a key is unknown or a value is of the wrong type.
    """
    base = OmegaConf.structured(schema)
    try:
        merged = OmegaConf.to_container(OmegaConf.merge(base, OmegaConf.create(values)), resolve=True)
    except ConfigKeyError as error:
        *parents, key = str(error.full_key).split(".")
        node = OmegaConf.select(base, ".".join(parents)) if parents else base
        raise UserError(
            f"{where}: unknown key {error.full_key!r}{suggest(key, [str(name) for name in node])}"
        ) from None
    except OmegaConfBaseException as error:
        raise UserError(f"{where}: {error.full_key or 'a value'} is of the wrong type: {_line(error)}") from None
    except (ValueError, OverflowError, RecursionError) as error:
        raise UserError(f"{where}: a value cannot be read: {_line(error)}") from None
    return typing.cast(dict[str, Any], merged)


COMMAND_LINE = "the command line"
"""Where a value came from that no file holds, in errors."""


def check_layers(schema: type, layers: Sequence[tuple[dict[str, Any], str]]) -> dict[str, Any]:
    """Merge mappings, the last in front, into a dataclass's defaults, and blame the one that a mistake is in.

    Args:
        schema: The dataclass.
        layers: Mappings, and where each came from, such as a file and `COMMAND_LINE`.

    Raises:
        UserError: As for `check`.
    """
    merged: dict[str, Any] = {}
    for values, where in layers:
        check(schema, values, where)
        merged = merge(merged, values)
    return check(schema, merged, layers[-1][1])


def to_plain(value: Any) -> Any:
    """Turn dataclasses, tuples and paths into what YAML and JSON hold."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {field.name: to_plain(getattr(value, field.name)) for field in dataclasses.fields(value)}
    if isinstance(value, dict):
        return {key: to_plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [to_plain(item) for item in value]
    return str(value) if isinstance(value, Path) else value


def to_yaml(values: dict[str, Any]) -> str:
    """Return YAML that `read_yaml` reads back as it was."""
    return OmegaConf.to_yaml(OmegaConf.create(to_plain(values)))


def merge(base: dict[str, Any], over: dict[str, Any]) -> dict[str, Any]:
    """Return ``base`` with the keys of ``over`` in front, mapping by mapping."""
    merged = dict(base)
    for key, value in over.items():
        below = merged.get(key)
        merged[key] = merge(below, value) if isinstance(below, dict) and isinstance(value, dict) else value
    return merged


def _line(error: BaseException) -> str:
    mark = getattr(error, "problem_mark", None)
    if isinstance(error, RecursionError):
        return f"it nests deeper than {DEEPEST}"
    text = cut(getattr(error, "problem", None) or first_line(error))
    return f"{text} (line {mark.line + 1})" if mark else text
