"""Names of types that many modules use."""

from __future__ import annotations

from typing import Any

import numpy as np

Array = np.ndarray
"""A NumPy array of any shape and type; docstrings give the shape, as [Q, M]."""
Record = dict[str, Any]
"""A JSON object, or a row of a table, with any values."""
