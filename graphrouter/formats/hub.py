"""Rows of a data set on the Hugging Face hub."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from graphrouter.errors import UserError, first_line
from graphrouter.formats.rows import TABLES, Row

HUB_NAME = re.compile(r"[\w.-]+/[\w.-]+")


def is_hub_name(path: Path) -> bool:
    """Whether a path can only be ``owner/name`` on the hub: it has that form, and nothing is there."""
    named = HUB_NAME.fullmatch(path.as_posix()) and path.suffix.lower() not in TABLES
    return bool(named) and not path.exists()


def hub_rows(name: str) -> Iterator[Row]:
    """Read all configurations and splits of a data set, through the ``datasets`` library and its cache.

    Args:
        name: ``owner/name``, or a local folder of the same form.

    Yields:
        Rows; the name of their file is the split or, where each of several configurations has just one, the configuration.

    Raises:
        UserError: If the data set cannot be loaded.
    """
    import datasets

    try:
        configs = datasets.get_dataset_config_names(name)
        for config in configs:
            tables = datasets.load_dataset(name, config)
            for split, table in tables.items():
                part = config if len(configs) > 1 and len(tables) == 1 else str(split)
                for number, values in enumerate(table, start=1):
                    yield Row(Path(name) / part, number, values)
    except Exception as error:  # the library and its transport raise dozens of kinds
        raise UserError(
            f"{name} must be a data set on the Hugging Face hub that can be reached, but {first_line(error)}; "
            "or name a local copy of it"
        ) from None
