"""Exact search by cosine, in blocks, without queries of the same text group.

One rule for ties: of equally near rows the first comes first. Products are compared as they are where a tie has no
effect, or rounded (``decimals``), since the order of a sum, and so its last digits, changes with threads and blocks.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, TypeVar

import numpy as np

from graphrouter.typing import Array

if TYPE_CHECKING:
    from torch import Tensor

Matrix = TypeVar("Matrix", Array, "Tensor")


def similarities(
    vectors: Matrix,
    known: Matrix,
    groups: Matrix | None = None,
    known_groups: Matrix | None = None,
    *,
    block: int,
    decimals: int | None = None,
) -> Iterator[tuple[slice, Matrix]]:
    """Yield blocks of queries, as slices, and their cosines [block, N]; -inf within a text group.

    Args:
        vectors: [Q, D], rows of length 1; arrays, or tensors on one device.
        known: [N, D], likewise.
        groups: [Q] text group of each query; see `graphrouter.splits.query_groups`.
        known_groups: [N].
        block: Most queries in a block, to bound the memory.
        decimals: Decimals that cosines are rounded to.
    """
    for start in range(0, len(vectors), block):
        part = slice(start, start + block)
        cosines = vectors[part] @ known.T
        if decimals is not None:
            cosines = cosines.round(decimals=decimals)
        if groups is not None and known_groups is not None:
            same = groups[part][:, None] == known_groups
            if isinstance(cosines, np.ndarray):
                np.copyto(cosines, -np.inf, where=same)
            else:
                cosines.masked_fill_(same, -np.inf)
        yield part, cosines


def first(cosines: Array, count: int) -> Array:
    """Return the positions of the ``count`` largest of N numbers, the largest first; of equal ones the first comes first."""
    if 0 < count < len(cosines):
        bound = np.partition(cosines, len(cosines) - count)[len(cosines) - count]
        candidates = np.flatnonzero(cosines >= bound)
    else:
        candidates = np.arange(len(cosines))
    order: Array = candidates[np.argsort(-cosines[candidates], kind="stable")[:count]]
    return order


def within(vectors: Array, known: Array, cosine: float, *, block: int, earlier: bool = False) -> Iterator[Array]:
    """Yield, for each of Q vectors, the rows of ``known`` whose cosine reaches a threshold, in ascending order.

    Args:
        vectors: [Q, D], rows of length 1.
        known: [N, D], likewise.
        cosine: The threshold.
        block: Most queries that are compared at once.
        earlier: Whether only rows before the query's own count, of the same vectors.
    """
    for start in range(0, len(vectors), block):
        part = vectors[start : start + block]
        close = part @ known[: start + block if earlier else len(known)].T >= cosine
        for row, line in enumerate(close, start):
            yield np.flatnonzero(line[:row] if earlier else line)
