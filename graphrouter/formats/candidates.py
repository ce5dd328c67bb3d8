"""Descriptions of LLMs in JSON, as GraphRouter, FusionFactory and LLMRouter keep them: ``{name: {feature, ...}}``.

Sources: ``data_process/LLM_Descriptions.json`` of https://github.com/ulab-uiuc/FusionFactory (``feature, input_price,
output_price, model``), and ``default_llm.json`` of https://github.com/ulab-uiuc/LLMRouter (adds ``size``, such as ``7B``, and
``service``). Prices are in US dollars per million tokens. Everything else in such a file, addresses and keys of APIs
included, is left where it is.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

from graphrouter.errors import UserError
from graphrouter.formats.builder import LogBuilder
from graphrouter.formats.rows import BadRow, Row, read_json, shown

if TYPE_CHECKING:
    from graphrouter.log import LLMLog

SIZE = re.compile(r"\s*(\d+(?:\.\d+)?(?:e[+-]?\d+)?)\s*([TBM])\s*", re.IGNORECASE)
BILLIONS = {"t": 1e3, "b": 1.0, "m": 1e-3}
ALWAYS = ("feature", "input_price", "output_price")


def add_candidates(path: Path, builder: LogBuilder) -> None:
    """Add the LLMs that JSON files describe, in a folder and below, or beside a file; other JSON files are passed over.

    Raises:
        UserError: If the description of one is bad.
    """
    for file in sorted((path if path.is_dir() else path.parent).rglob("*.json")):
        for number, (name, values) in enumerate(_described(file).items(), start=1):
            row = Row(file, number, values)
            with builder.checking(row):
                builder.add_llm(
                    name,
                    description=row.optional_text("feature"),
                    input_price=row.optional_number("input_price"),
                    output_price=row.optional_number("output_price"),
                    size_b=_size(row),
                    source_name=row.optional_text("model"),
                    service=row.optional_text("service"),
                )


def candidates(log: LLMLog) -> dict[str, dict[str, Any]]:
    """Return the description of each LLM of a log. A feature or price that is not known is null; the rest is left out."""
    described = {}
    for llm in log.llms.iter_rows(named=True):
        size = llm["size_b"]
        values = {
            "size": None if size is None else f"{size!r}B".replace(".0B", "B"),
            "feature": llm["description"],
            "input_price": llm["input_price"],
            "output_price": llm["output_price"],
            "model": llm.get("source_name"),
            "service": llm.get("service"),
        }
        described[llm["llm"]] = {key: value for key, value in values.items() if value is not None or key in ALWAYS}
    return described


def _described(file: Path) -> dict[str, dict[str, Any]]:
    """Return the LLMs of a JSON file; none where it describes anything else."""
    try:
        described = read_json(file) if file.stat().st_size < 1 << 26 else None
    except (UserError, OSError):
        return {}
    if not isinstance(described, dict):
        return {}
    known = {"feature", "input_price", "output_price", "model", "size"}
    fits = all(isinstance(values, dict) and known & set(values) for values in described.values())
    return described if fits else {}


def _size(row: Row) -> float | None:
    text = row.optional_text("size")
    found = SIZE.fullmatch(text) if text else None
    if text and not found:
        raise BadRow(f"size must be like 7B, but is {shown(text)}")
    return float(found[1]) * BILLIONS[found[2].lower()] if found else None
