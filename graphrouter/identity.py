"""Identity of what a run is given: digests of a log's content and of arrays, never of what is computed from them.

The last digits of what is computed depend on threads, processor and library versions, and a run must go on under others.
"""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from graphrouter.log import LLMLog


def digest_of(*arrays: np.ndarray) -> str:
    """Return a hash of the shapes and numbers of arrays."""
    digest = hashlib.sha256()
    for array in arrays:
        digest.update(str(array.shape).encode() + np.ascontiguousarray(array).tobytes())
    return digest.hexdigest()


def log_digest(log: LLMLog) -> str:
    """Return a hash of a log's content: texts, tasks, LLMs, every cell, and what a split does with rare tasks."""
    from graphrouter.log import CELL_COLUMNS

    digest = hashlib.sha256()
    for frame in (log.queries.select("query_id", "task", "query"), log.llms.select("llm", "description")):
        for row in frame.iter_rows():
            digest.update(json.dumps(row).encode())
    for column in ("size_b", "input_price", "output_price"):
        digest.update(log.llms[column].fill_null(float("nan")).to_numpy().tobytes())
    for column in ("draws", *CELL_COLUMNS):
        digest.update(np.ascontiguousarray(log.cells(column)).tobytes())
    if log.rare_tasks != "refuse":  # which queries are learnt and tested follows from it
        digest.update(log.rare_tasks.encode())
    return digest.hexdigest()


def log_config(log: LLMLog) -> dict[str, Any]:
    """Return the identity of a log for a config, with a digest of its content."""
    return {
        "name": log.name,
        "label": log_label(log),
        "digest": log_digest(log),
        "queries": log.queries.height,
        "llms": list(log.llm_names),
        "tasks": len(log.tasks),
        "has_cost": log.has_cost,
        "simulated": log.simulated,
        "cost_estimated": log.cost_estimated,
        **({} if log.rare_tasks == "refuse" else {"rare_tasks": log.rare_tasks}),
    }


def log_label(log: LLMLog) -> str:
    """Return the log's name, and that it is simulated or its cost estimated, as it stands in every output."""
    notes = [note for note, holds in (("simulated", log.simulated), ("cost estimated", log.cost_estimated)) if holds]
    return log.name + "".join(f" ({note})" for note in notes if f"({note})" not in log.name)
