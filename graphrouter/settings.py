"""YAML and ``key=value`` words, checked against dataclasses through OmegaConf structured configs."""

from __future__ import annotations

import dataclasses
import typing
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import yaml
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import ConfigKeyError, OmegaConfBaseException

from graphrouter.errors import UserError, first_line, suggest


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
        loaded = OmegaConf.load(file)
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise UserError(f"{file} must be a YAML mapping, but cannot be read: {_line(error)}") from None
    if not isinstance(loaded, DictConfig):
        raise UserError(f"{file} must be a YAML mapping of keys to values, but is a list")
    return typing.cast(dict[str, Any], OmegaConf.to_container(loaded))


def parse_overrides(overrides: Sequence[str]) -> dict[str, Any]:
    """Turn ``["knn.k=20", "seeds=3"]`` into a nested mapping.

    Raises:
        UserError: If one is not ``key=value``.
    """
    for text in overrides:
        if not text.partition("=")[0].strip() or "=" not in text:
            raise UserError(f"an override must be key=value, such as knn.k=20, but is {text!r}")
    try:
        return typing.cast(dict[str, Any], OmegaConf.to_container(OmegaConf.from_dotlist(list(overrides))))
    except (yaml.YAMLError, OmegaConfBaseException) as error:
        raise UserError(
            f"an override must be key=value with a YAML value, but among {list(overrides)}: {_line(error)}"
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
    text = getattr(error, "problem", None) or first_line(error)
    return f"{text} (line {mark.line + 1})" if mark else text
