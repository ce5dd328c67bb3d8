"""The GNN router: outcomes flow over the graph to every (query, LLM) edge."""

from graphrouter.routers.gnn.router import GNN

__all__ = ["GNN"]
