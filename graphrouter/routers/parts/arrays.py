"""Small array functions that several routers share."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable

import numpy as np

from graphrouter.dataset import Queries, RoutingData
from graphrouter.routers.base import Prediction
from graphrouter.routers.parts.task_means import TaskMeans
from graphrouter.typing import Array

MARGIN = 1e-6
"""Least distance of a predicted probability from 0 and 1: its logarithm stays finite in single precision."""


def as_probability(quality: Array) -> Array:
    """Return the same shape as float32, clipped into (0, 1)."""
    probability: Array = np.clip(quality, MARGIN, 1 - MARGIN).astype(np.float32)
    return probability


def unit_rows(vectors: Array) -> Array:
    """Return [N, D] float64, each row scaled to length 1; a row of zeros stays.

    Double precision, so that a product with one row and the same product with many agree to the last few bits.
    """
    wide = vectors.astype(np.float64)
    length = np.linalg.norm(wide, axis=1, keepdims=True)
    return wide / np.where(length > 0, length, 1.0)


def overall_means(data: RoutingData) -> tuple[Array, Array]:
    """Return the mean performance and the mean cost of each LLM over its observed cells.

    Returns:
        [M] float64 and [M] float64 in US dollars (NaN where the data has no cost). An LLM without any observed cell
        gets the mean over all cells.
    """
    tasks = data.queries.tasks
    return TaskMeans().fit(data.performance, tasks).overall_, TaskMeans().fit(data.cost, tasks).overall_


def same_for_all(queries: Queries, quality: Array, cost: Array) -> Prediction:
    """Predict the same quality [M] and cost [M] for each of Q queries."""
    shape = (len(queries), len(quality))
    return Prediction(as_probability(np.broadcast_to(quality, shape)), np.broadcast_to(cost, shape).astype(np.float64))


def hashed_uniform(key: str, ids: Iterable[str], columns: int) -> Array:
    """Draw numbers that look random but follow from each id alone, so that batch equals single.

    Args:
        key: Another key gives independent numbers.
        ids: Q ids of queries.
        columns: How many numbers for each.

    Returns:
        [Q, columns] float64, uniform in [0, 1).
    """
    digests = b"".join(hashlib.shake_128(f"{key}/{id_}".encode()).digest(8 * columns) for id_ in ids)
    return (np.frombuffer(digests, dtype="<u8").reshape(-1, columns) >> 11) * 2.0**-53
