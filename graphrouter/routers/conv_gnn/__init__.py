"""The GNN with learned convolutions."""

from graphrouter.routers.conv_gnn.router import ConvGNN

__all__ = ["ConvGNN"]
