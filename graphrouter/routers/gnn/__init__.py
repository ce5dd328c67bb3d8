"""The GNN router."""

from graphrouter.routers.gnn.router import GNN

__all__ = ["GNN"]
