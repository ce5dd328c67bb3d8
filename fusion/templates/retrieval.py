"""Finds the templates of the queries that are most similar to a new one."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from fusion.templates.index import EXACT_UP_TO, ApproximateIndex
from graphrouter.nearest import first, similarities
from graphrouter.typing import Array

NEIGHBOURS = 10
"""Nearest source queries that vote on the task of a query whose task is not known. Not tuned."""

BLOCK = 256
"""Queries that are compared with all vectors at once."""

SPARE = 16
"""Candidates beyond those asked for; the order among all of them is found anew, in double precision."""


class Retriever:
    """Exact search by inner product within a task, or by an index where a task has very many vectors.

    Args:
        tasks: [N] task of each source query; rows of one task stand together.
        vectors: [N, D] float32, of length 1.
        groups: [N] group of equal normalised text; see `graphrouter.splits.query_groups`.
        members: Per template, the rows of its source queries, all of one task. Templates of one task stand together.
    """

    def __init__(
        self, tasks: Sequence[str | None], vectors: Array, groups: Array, members: Sequence[Sequence[int]]
    ) -> None:
        self._vectors = np.ascontiguousarray(vectors, dtype=np.float32)
        self._groups = groups
        self._tasks = list(tasks)
        self._members = [np.asarray(rows, dtype=np.int64) for rows in members]
        of_template = [self._tasks[rows[0]] for rows in self._members]
        self._rows = _slices(self._tasks)
        self._templates = _slices(of_template)
        self._of_row: list[list[int]] = [[] for _ in self._tasks]
        for template, rows in enumerate(self._members):
            for row in rows:
                self._of_row[row].append(template)
        self._indices: dict[str | None, ApproximateIndex] = {}
        self._flat = {task: self._lay_flat(task) for task in self._templates}

    def _lay_flat(self, task: str | None) -> tuple[Array, Array] | None:
        """Return the rows of a task's templates one after the other, from the task's first, and where each begins.

        None where each template has one row, in the same order, so that there is nothing to gather.
        """
        members = self._members[self._templates[task]]
        starts = np.cumsum([0, *(len(rows) for rows in members[:-1])])
        flat = np.concatenate(members) - self._rows[task].start
        plain = np.arange(self._rows[task].stop - self._rows[task].start)
        return None if np.array_equal(flat, plain) and np.array_equal(starts, plain) else (flat, starts)

    def search(self, vectors: Array, tasks: Sequence[str | None], k: int, without: Array) -> list[list[int]]:
        """Return, per query, the numbers of the k nearest templates, the nearest first.

        The similarity of a template is that of the nearest of its source queries. Of equally near templates the first
        comes first. What is found for a query does not depend on the other queries.

        Args:
            vectors: [Q, D] of length 1.
            tasks: Task of each query; None to take that of most of its nearest neighbours.
            k: Most templates per query.
            without: [Q] group of equal normalised text whose templates are left out, or -1.
        """
        found: list[list[int]] = [[] for _ in range(len(vectors))]
        known = [self._infer(v, g) if t is None else t for v, t, g in zip(vectors, tasks, without, strict=True)]
        for task in dict.fromkeys(known):
            if task not in self._rows:
                continue
            asked = np.array([row for row, name in enumerate(known) if name == task])
            for row, near in zip(asked, self._near(task, vectors[asked], k, without[asked]), strict=True):
                found[row] = near
        return found

    def _near(self, task: str | None, vectors: Array, k: int, without: Array) -> list[list[int]]:
        rows, templates = self._rows[task], self._templates[task]
        if rows.stop - rows.start > EXACT_UP_TO:
            return [self._near_by_index(task, v, k, g) for v, g in zip(vectors, without, strict=True)]
        found = []
        for part, cosines in similarities(vectors, self._vectors[rows], block=BLOCK):
            best = cosines
            if (laid := self._flat[task]) is not None:
                flat, starts = laid
                best = np.maximum.reduceat(cosines[:, flat], starts, axis=1)
            for vector, line, group in zip(vectors[part], best, without[part], strict=True):
                near = templates.start + first(line, k + SPARE + self._count(group))
                found.append(self._order(vector, near, k, group))
        return found

    def _near_by_index(self, task: str | None, vector: Array, k: int, group: int) -> list[int]:
        rows = self._rows[task]
        if task not in self._indices:
            self._indices[task] = ApproximateIndex(self._vectors[rows])
        wanted = k + SPARE + self._count(group)
        while True:
            near = rows.start + self._indices[task].search(vector, wanted)
            templates = {template for row in near for template in self._of_row[row]}
            found = self._order(vector, np.array(sorted(templates), dtype=np.int64), k, group)
            if len(found) == k or wanted >= rows.stop - rows.start:
                return found
            wanted *= 4  # several near queries share a template

    def _order(self, vector: Array, templates: Array, k: int, group: int) -> list[int]:
        """Sort candidates by a similarity that is summed alike for one query and for many."""
        scored = []
        for template in templates:
            rows = self._members[template]
            if group >= 0 and (self._groups[rows] == group).any():
                continue
            nearest = (self._vectors[rows].astype(np.float64) * vector.astype(np.float64)).sum(axis=1).max()
            scored.append((-nearest, int(template)))
        return [template for _, template in sorted(scored)[:k]]

    def _count(self, group: int) -> int:
        """Return how many templates have a source query of this wording."""
        if group < 0:
            return 0
        return sum(len(self._of_row[row]) for row in np.flatnonzero(self._groups == group))

    def _infer(self, vector: Array, group: int) -> str | None:
        """Return the task of most of the nearest source queries; of equally many, that of the nearest."""
        similarity = self._vectors @ vector.astype(np.float32)
        if group >= 0:
            similarity[self._groups == group] = -np.inf
        votes = [self._tasks[row] for row in first(similarity, NEIGHBOURS)]
        return max(dict.fromkeys(votes), key=votes.count) if votes else None


def _slices(names: Sequence[str | None]) -> dict[str | None, slice]:
    """Return where each name's run begins and ends."""
    found: dict[str | None, slice] = {}
    for row, name in enumerate(names):
        begin = found[name].start if name in found else row
        found[name] = slice(begin, row + 1)
    return found
