"""Turn a multi-LLM log into a router: ``train(load_log(FOLDER), "gnn").route(["What is 2 + 2?"])``.

Importing this package imports nothing heavy; a name is imported when it is first asked for.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from graphrouter.encoders import find_encoder
    from graphrouter.errors import UserError
    from graphrouter.evaluation import compare
    from graphrouter.inspection import inspect_log
    from graphrouter.log import LLMLog, load_log
    from graphrouter.pipeline import Decision, RoutingPipeline, train
    from graphrouter.routers import find_router, router_names
    from graphrouter.routers.base import Router
    from graphrouter.run import RunOptions
    from graphrouter.scenario import Scenario, find_scenario

_EXPORTS = {
    "Decision": "pipeline",
    "LLMLog": "log",
    "Router": "routers",
    "RoutingPipeline": "pipeline",
    "RunOptions": "run",
    "Scenario": "scenario",
    "UserError": "errors",
    "compare": "evaluation",
    "find_encoder": "encoders",
    "find_router": "routers",
    "find_scenario": "scenario",
    "inspect_log": "inspection",
    "load_log": "log",
    "router_names": "routers",
    "train": "pipeline",
}

__all__ = [
    "Decision",
    "LLMLog",
    "Router",
    "RoutingPipeline",
    "RunOptions",
    "Scenario",
    "UserError",
    "compare",
    "find_encoder",
    "find_router",
    "find_scenario",
    "inspect_log",
    "load_log",
    "router_names",
    "train",
]


def __getattr__(name: str) -> Any:
    if name not in _EXPORTS:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_EXPORTS[name]}"), name)


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
