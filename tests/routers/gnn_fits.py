"""Quick fits of the GNN router, shared by its tests."""

from graphrouter.routers import GNN
from graphrouter.run import RunOptions

FAST = {
    "neighbours": 20,
    "heads": 2,
    "metric": 4,
    "members": 2,
    "hidden": 16,
    "layers": 2,
    "dropout": 0.1,
    "steps": 120,
    "learning_rate": 1e-2,
}


def fitted(parts, **settings):
    """Return a GNN router that learnt from train and validation."""
    router = GNN(**{**FAST, **settings})
    router.run = RunOptions(device="cpu")
    return router.fit(parts.train, parts.validation)
