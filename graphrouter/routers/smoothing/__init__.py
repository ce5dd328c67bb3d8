"""Smoothing: fixed kernels over similar queries and shrunk task means, precomputed, and a small decoder."""

from graphrouter.routers.smoothing.router import Smoothing

__all__ = ["Smoothing"]
