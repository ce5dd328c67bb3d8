"""The published GraphRouter."""

from graphrouter.routers.graphrouter.router import GraphRouter

__all__ = ["GraphRouter"]
