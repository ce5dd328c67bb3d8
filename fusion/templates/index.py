"""An approximate index for more vectors than an exact search is quick for."""

from __future__ import annotations

import numpy as np

from graphrouter.errors import UserError
from graphrouter.typing import Array

EXACT_UP_TO = 100_000
"""Vectors of one task up to which all of them are compared; beyond, a search looks into cells. Timed in benchmarks/README.md."""

PROBED = 32
"""Cells that a search looks into: more find more of the nearest, and take longer. Not tuned."""


class ApproximateIndex:
    """Inverted file of faiss: k-means cells, of which the nearest are searched exactly.

    Source: Johnson, Douze and Jegou, Billion-scale similarity search with GPUs, arXiv:1702.08734.

    Args:
        vectors: [N, D] float32.

    Raises:
        UserError: If faiss is not installed.
    """

    def __init__(self, vectors: Array) -> None:
        try:
            import faiss
        except ImportError:
            raise UserError(
                f"more than {EXACT_UP_TO:,} templates of a task need the package faiss-cpu; "
                "install it: pip install 'graphrouter[index]'"
            ) from None
        cells = max(1, int(np.sqrt(len(vectors))))
        quantiser = faiss.IndexFlatIP(vectors.shape[1])
        self._index = faiss.IndexIVFFlat(quantiser, vectors.shape[1], cells, faiss.METRIC_INNER_PRODUCT)
        self._index.cp.seed, self._index.cp.niter = 0, 10
        self._index.cp.max_points_per_centroid = 64  # of faiss's 256: a few seconds, not minutes
        self._index.train(vectors)
        self._index.add(vectors)
        self._index.nprobe = min(PROBED, cells)

    def search(self, vector: Array, k: int) -> Array:
        """Return the rows of about the k nearest vectors."""
        _, rows = self._index.search(np.ascontiguousarray(vector[None], dtype=np.float32), k)
        return np.asarray(rows[0][rows[0] >= 0])
