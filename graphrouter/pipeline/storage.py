"""Fitted state of a router or encoder, to and from one file, without pickled code."""

from __future__ import annotations

import hashlib
import io
from pathlib import Path
from typing import Any

import numpy as np

from graphrouter.errors import UserError, first_line

TEXTS = "__texts__"
"""Key that marks an array of texts: shape, kind of array, values."""


def state_bytes(state: dict[str, Any]) -> bytes:
    """Return a state as the bytes of a file that `read_state` reads.

    Args:
        state: Arrays, numbers, text, None, and lists, tuples and dicts of these.

    Raises:
        TypeError: If it holds anything else.
    """
    import torch

    buffer = io.BytesIO()
    torch.save(_pack(state, "state"), buffer)
    return buffer.getvalue()


def read_state(file: Path, digest: str) -> dict[str, Any]:
    """Read what `state_bytes` made; arrays come back as NumPy arrays with the same bits.

    Args:
        file: The file.
        digest: SHA-256 that its bytes must have.

    Raises:
        UserError: If the file is absent, or is not the one that was written.
    """
    import torch

    try:
        content = file.read_bytes()
    except OSError as error:
        raise UserError(
            f"a saved router must hold {file.name}, but {file.parent}: {error.strerror}; save it again"
        ) from None
    if hashlib.sha256(content).hexdigest() != digest:
        raise UserError(f"{file} must be as it was saved, but has changed or is cut off; save the router again")
    try:
        state = _unpack(torch.load(io.BytesIO(content), weights_only=True, map_location="cpu"))
    except Exception as error:
        raise UserError(
            f"{file} must be a saved state, but cannot be read ({first_line(error)}); save the router again"
        ) from None
    if not isinstance(state, dict):
        raise UserError(f"{file} must be a saved state, but holds a {type(state).__name__}; save the router again")
    return state


def _pack(value: Any, where: str) -> Any:
    import torch

    if isinstance(value, np.ndarray):
        if value.dtype.kind in "OU":
            kind = value.dtype.str if value.dtype.kind == "U" else "O"
            return {TEXTS: [list(value.shape), kind, [_pack(item, where) for item in value.ravel().tolist()]]}
        return torch.from_numpy(np.array(value, order="C"))
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, dict):
        return {key: _pack(item, f"{where}[{key!r}]") for key, item in value.items()}
    if isinstance(value, list | tuple):
        return type(value)(_pack(item, where) for item in value)
    if value is None or isinstance(value, str | int | float):
        return value
    raise TypeError(
        f"{where}: a state may hold arrays, numbers, text, lists and dicts, but holds a {type(value).__name__}"
    )


def _unpack(value: Any) -> Any:
    if hasattr(value, "numpy"):
        return value.numpy()
    if isinstance(value, dict) and TEXTS in value:
        shape, kind, items = value[TEXTS]
        flat = np.empty(len(items), dtype=kind)
        flat[:] = items
        return flat.reshape(shape)
    if isinstance(value, dict):
        return {key: _unpack(item) for key, item in value.items()}
    return type(value)(_unpack(item) for item in value) if isinstance(value, list | tuple) else value
