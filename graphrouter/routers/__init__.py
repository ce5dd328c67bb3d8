"""The routers. Importing this package imports none of them, so that asking for their names stays instant."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from graphrouter.errors import UserError, suggest

if TYPE_CHECKING:
    from graphrouter.routers.base import Router

_ROUTERS = {
    "random": ("random", "Random"),
    "smallest": ("by_size", "Smallest"),
    "largest": ("by_size", "Largest"),
    "best_single": ("best_single", "BestSingle"),
    "best_per_task": ("best_per_task", "BestPerTask"),
    "oracle": ("oracle", "Oracle"),
    "static_mix": ("static_mix", "StaticMix"),
    "knn": ("knn", "KNN"),
    "kmeans": ("kmeans", "KMeans"),
    "linear": ("linear", "Linear"),
    "svm": ("svm", "SVM"),
    "mlp": ("mlp", "MLP"),
    "matrix_factorisation": ("matrix_factorisation", "MatrixFactorisation"),
    "irt": ("irt", "IRT"),
    "routellm": ("routellm", "RouteLLM"),
    "routerdc": ("routerdc", "RouterDC"),
    "graphrouter": ("graphrouter", "GraphRouter"),
    "smoothing": ("smoothing", "Smoothing"),
    "gnn": ("gnn", "GNN"),
}
"""The name of each router, its module and its class. To add a router, add a line here."""

_EXPORTS = {"Prediction": "base", "Router": "base", **{export: module for module, export in _ROUTERS.values()}}

__all__ = [*_EXPORTS, "extending_routers", "find_router", "router_names"]


def router_names() -> tuple[str, ...]:
    """Return the names of the routers of this package, simple references first."""
    return tuple(_ROUTERS)


def find_router(name: str) -> type[Router]:
    """Return the class of a router.

    Args:
        name: Its name, that of an entry point in the group ``graphrouter.routers``, or ``FILE.py:CLASS`` or
            ``PACKAGE.MODULE:CLASS``; a router that was found so is known by its name from then on.

    Raises:
        UserError: If there is none of that name, or it cannot be imported.
    """
    if name not in _ROUTERS:
        from graphrouter.routers.outside import installed_routers, load_router, loaded_routers

        if name in loaded_routers():
            return loaded_routers()[name]
        if ":" in name or name in installed_routers():
            return load_router(name, router_names())
        known = (*router_names(), *installed_routers(), *loaded_routers())
        raise UserError(f"unknown router {name!r}{suggest(name, known)}; one of your own is FILE.py:CLASS")
    module, export = _ROUTERS[name]
    found: type[Router] = getattr(import_module(f"{__name__}.{module}"), export)
    return found


def extending_routers() -> tuple[str, ...]:
    """Return the names of the routers that can take in an LLM after they were fitted; this imports all routers."""
    return tuple(name for name in _ROUTERS if find_router(name).extends)


def __getattr__(name: str) -> Any:
    if name not in _EXPORTS:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_EXPORTS[name]}"), name)


def __dir__() -> list[str]:
    return sorted(__all__)
