"""Metrics as plain functions of NumPy arrays; a metric's name is its function's name."""

from graphrouter.metrics.hull import upper_hull

__all__ = ["upper_hull"]
