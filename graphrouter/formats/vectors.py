"""Vectors that public logs print into their cells."""

from __future__ import annotations

import numpy as np

from graphrouter.typing import Array


def parse_vector(cell: object) -> Array | None:
    """Read a printed vector.

    Args:
        cell: Text such as ``tensor([1.2e-01, ...], device='cuda:0')`` or ``[[ 0.1 0.2 ]]``, or a list of numbers.

    Returns:
        [D] float32; None where there is none, or it cannot be used: cut by the printer (``...``), or not finite.
    """
    if isinstance(cell, list):
        values = cell[0] if len(cell) == 1 and isinstance(cell[0], list) else cell
    elif isinstance(cell, str):
        inside = cell[cell.find("[") + 1 : cell.rfind("]")]  # the numbers of device='cuda:0' stand outside
        values = inside.replace("[", " ").replace("]", " ").replace(",", " ").split()
    else:
        return None
    try:
        vector = np.array(values, dtype=np.float32)
    except (TypeError, ValueError, OverflowError):
        return None
    return vector if vector.ndim == 1 and vector.size and np.isfinite(vector).all() else None


def print_vector(vector: Array) -> str:
    """Write a vector [D] as GraphRouter reads it: ``[[0.1 0.2]]``, each number such that it reads back as it was."""
    return f"[[{' '.join(repr(float(value)) for value in vector)}]]"
