"""Spreads a limited number of templates over tasks and over kinds of queries."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from graphrouter.typing import Array

MOST_CLUSTERS = 32
"""Most clusters of a task, to bound the time of k-means; beyond so many, each gives several queries. Not tuned."""


def spread(tasks: Sequence[str | None], vectors: Array, limit: int | None, seed: int) -> Array:
    """Choose queries: as many of each task as there are, or an equal share; within a task, of each cluster in turn.

    The clusters are those of k-means on the vectors; of a cluster, the query nearest to its centre comes first.

    Args:
        tasks: [Q] of the queries.
        vectors: [Q, D].
        limit: At most so many; None for all.
        seed: Seed of k-means.

    Returns:
        [n] int64, sorted.
    """
    if limit is None or limit >= len(tasks):
        return np.arange(len(tasks))
    rows_of: dict[str | None, list[int]] = {}
    for row, task in enumerate(tasks):
        rows_of.setdefault(task, []).append(row)
    chosen: list[int] = []
    names = sorted(rows_of, key=lambda task: (len(rows_of[task]), task or ""))
    for place, task in enumerate(names):
        share = (limit - len(chosen)) // (len(names) - place)  # what small tasks leave goes to the larger ones
        rows = np.array(rows_of[task])
        chosen += rows[_of_clusters(vectors[rows], min(share, len(rows)), seed)].tolist()
    return np.array(sorted(chosen), dtype=np.int64)


def _of_clusters(vectors: Array, wanted: int, seed: int) -> list[int]:
    if wanted in (0, len(vectors)):
        return list(range(wanted))
    from sklearn.cluster import KMeans

    distinct = len(np.unique(vectors, axis=0))
    fitted = KMeans(min(wanted, MOST_CLUSTERS, distinct), n_init=1, random_state=seed).fit(vectors)
    distance = np.linalg.norm(vectors - fitted.cluster_centers_[fitted.labels_], axis=1)
    turns = []
    for cluster in range(fitted.n_clusters):
        members = np.flatnonzero(fitted.labels_ == cluster)
        turns += [
            (turn, cluster, int(row)) for turn, row in enumerate(members[np.argsort(distance[members], kind="stable")])
        ]
    return [row for _, _, row in sorted(turns)[:wanted]]
