"""Comparisons for the tests of routers, and a state written to files and read again."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from graphrouter.dataset import Queries
from graphrouter.routers.base import Prediction
from graphrouter.typing import Array


def through_files(state: Any, folder: Path) -> Any:
    """Write what `Router.get_state` returned as JSON and NumPy arrays without pickles, and read it back.

    Raises:
        TypeError: If it holds anything but arrays, numbers, text, None, lists, and dicts with text as keys.
    """
    arrays: dict[str, Array] = {}

    def pack(value: Any) -> Any:
        if isinstance(value, np.ndarray):
            if value.dtype == object:
                raise TypeError("a state must not hold arrays of objects; use a list")
            arrays[f"array{len(arrays)}"] = value
            return {"array": f"array{len(arrays) - 1}"}
        if isinstance(value, dict):
            if not all(isinstance(key, str) for key in value):
                raise TypeError(f"the keys of a state must be text, but are {list(value)[:3]}")
            return {"dict": {key: pack(entry) for key, entry in value.items()}}
        return [pack(entry) for entry in value] if isinstance(value, list) else value

    def unpack(value: Any) -> Any:
        if isinstance(value, dict):
            return kept[value["array"]] if "array" in value else {k: unpack(v) for k, v in value["dict"].items()}
        return [unpack(entry) for entry in value] if isinstance(value, list) else value

    (folder / "state.json").write_text(json.dumps(pack(state)))
    np.savez(folder / "arrays.npz", allow_pickle=False, **arrays)
    with np.load(folder / "arrays.npz") as file:
        kept = dict(file)
    return unpack(json.loads((folder / "state.json").read_text()))


def with_tasks(queries: Queries, task: str | None) -> Queries:
    """Return the queries with another task."""
    return replace(queries, tasks=np.full(len(queries), task, dtype=object))


def assert_same(first: Prediction, second: Prediction, tolerance: float = 0.0) -> None:
    """Check that two predictions agree: quality to the tolerance, cost to that share of it."""
    np.testing.assert_allclose(first.quality, second.quality, rtol=0, atol=tolerance)
    np.testing.assert_allclose(first.cost, second.cost, rtol=tolerance, atol=0)


def assert_well_formed(prediction: Prediction, queries: int, llms: int, *, cost: bool = True) -> None:
    """Check shapes, types and ranges of a prediction, and that cost is NaN exactly where the log has none."""
    assert prediction.quality.shape == prediction.cost.shape == (queries, llms)
    assert prediction.quality.dtype == np.float32
    assert prediction.cost.dtype == np.float64
    assert ((prediction.quality > 0) & (prediction.quality < 1)).all(), "quality must be within (0, 1), and not NaN"
    if cost:
        assert (np.isfinite(prediction.cost) & (prediction.cost >= 0)).all(), "cost must be finite and not negative"
    else:
        assert np.isnan(prediction.cost).all(), "the log has no cost, so none may be predicted"
