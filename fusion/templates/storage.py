"""The folder of a template library: Parquet, vectors and ``about.json``."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from fusion.templates.template import Template
from graphrouter.errors import UserError, first_line
from graphrouter.files import atomic_folder, check_writable
from graphrouter.typing import Array

FORMAT = 1
"""Version of the folder's files."""
FILES = ("about.json", "templates.parquet", "queries.parquet", "vectors.npy", "text_vectors.npy", "encoder.pt")
JOURNALS = ("mine", "validation")
"""Folders with the answers that a library is made from; they stay when it is written."""


def check_folder(folder: Path) -> None:
    """Check the folder that a library is to be saved in, before any work is done.

    Raises:
        UserError: If it holds other things than a library, or cannot be written.
    """
    check_writable(folder, "a library")
    if not folder.is_dir():
        return
    others = {file.name for file in folder.iterdir()} - {*FILES, *JOURNALS}
    if others:
        raise UserError(f"{folder} must be new, or hold a library, but holds {min(others)!r}; name another folder")


def write_library(
    folder: Path,
    templates: tuple[Template, ...],
    queries: pl.DataFrame,
    vectors: Array,
    text_vectors: Array,
    about: dict[str, Any],
    encoder_state: dict[str, Any],
) -> None:
    """Write a library whole or not at all; one that is there is replaced.

    Args:
        folder: See `check_folder`.
        templates: T templates.
        queries: N source queries (``task``, ``query_id``, ``query``).
        vectors: [N, D] of the queries.
        text_vectors: [T, D] of the templates' texts.
        about: Values that JSON can hold.
        encoder_state: Fitted state of the encoder; empty where it has none.
    """
    check_folder(folder)
    with atomic_folder(folder, "a library", keep=JOURNALS) as draft:
        _frame(templates).write_parquet(draft / "templates.parquet", compression="zstd")
        queries.write_parquet(draft / "queries.parquet", compression="zstd")
        np.save(draft / "vectors.npy", np.ascontiguousarray(vectors, dtype=np.float32))
        np.save(draft / "text_vectors.npy", np.ascontiguousarray(text_vectors, dtype=np.float32))
        if encoder_state:
            from graphrouter.pipeline.storage import state_bytes

            content = state_bytes(encoder_state)
            (draft / "encoder.pt").write_bytes(content)
            about = about | {"encoder_state": hashlib.sha256(content).hexdigest()}
        text = json.dumps({**about, "format": FORMAT}, indent=2, ensure_ascii=False)
        (draft / "about.json").write_text(text + "\n", encoding="utf-8")


def read_about(folder: Path) -> dict[str, Any]:
    """Read ``about.json``.

    Raises:
        UserError: If the folder holds no library, a damaged one, or one of a newer format.
    """
    file = folder / "about.json"
    try:
        about = json.loads(file.read_text(encoding="utf-8"))
    except OSError as error:
        raise UserError(
            f"a library must be a folder with about.json, but {file}: {error.strerror}; make one with fusion templates mine"
        ) from None
    except ValueError as error:
        raise UserError(f"{file} must be JSON, but is damaged ({error}); mine the templates again") from None
    found = about.get("format") if isinstance(about, dict) else None
    if not isinstance(found, int):
        raise UserError(f"{file} must be that of a template library, but has no format number; name another folder")
    if found > FORMAT:
        raise UserError(f"{folder} must be of format {FORMAT} or less, but is of {found}; use a newer graphrouter")
    return dict(about)


def read_tables(folder: Path) -> tuple[tuple[Template, ...], pl.DataFrame, Array, Array]:
    """Read templates, queries, and the vectors of both.

    Raises:
        UserError: If a file is absent or damaged, or they do not fit together.
    """
    try:
        frame = pl.read_parquet(folder / "templates.parquet")
        queries = pl.read_parquet(folder / "queries.parquet").select("task", "query_id", "query")
        vectors, text_vectors = (np.load(folder / f"{name}.npy") for name in ("vectors", "text_vectors"))
        templates = tuple(_template(row) for row in frame.iter_rows(named=True))
    except (OSError, ValueError, KeyError, TypeError, EOFError, pl.exceptions.PolarsError) as error:
        raise UserError(
            f"{folder} must hold a whole library, but cannot be read ({first_line(error)}); mine the templates again"
        ) from None
    came = (queries.height, len(templates))
    if vectors.ndim != 2 or text_vectors.ndim != 2 or (len(vectors), len(text_vectors)) != came:
        raise UserError(
            f"{folder} must have a vector for each of its {came[0]} queries and {came[1]} templates, but has "
            f"{vectors.shape} and {text_vectors.shape}; mine the templates again"
        )
    return templates, queries, vectors, text_vectors


def read_encoder_state(folder: Path, about: dict[str, Any]) -> dict[str, Any]:
    """Read what the library's encoder learnt; empty where nothing."""
    if "encoder_state" not in about:
        return {}
    from graphrouter.pipeline.storage import read_state

    return read_state(folder / "encoder.pt", about["encoder_state"])


def _frame(templates: tuple[Template, ...]) -> pl.DataFrame:
    texts, lists = ("id", "text", "task", "domain", "ranking"), ("queries", "llms")
    columns = {name: pl.Series([getattr(t, name) for t in templates], dtype=pl.String) for name in texts}
    columns |= {
        name: pl.Series([list(getattr(t, name)) for t in templates], dtype=pl.List(pl.String)) for name in lists
    }
    columns |= {name: pl.Series([getattr(t, name) for t in templates], dtype=pl.Float64) for name in ("score", "worth")}
    columns["scores"] = pl.Series([list(t.scores) for t in templates], dtype=pl.List(pl.Float64))
    return pl.DataFrame(columns)


def _template(row: dict[str, Any]) -> Template:
    lists = {name: tuple(row[name]) for name in ("queries", "llms", "scores")}
    return Template(**{**row, **lists})
