"""Engines turn prompts into responses. Importing this package imports none, so that asking for names stays instant."""

from __future__ import annotations

from importlib import import_module

from fusion.engines.base import Answer, Completion, Engine, Failure, Request, Sampling
from graphrouter.errors import UserError, suggest

ENGINES = {
    "openai": ("fusion.engines.openai_api", "OpenAIEngine"),
    "vllm": ("fusion.engines.vllm_offline", "VLLMEngine"),
    "transformers": ("fusion.engines.hf", "TransformersEngine"),
}
"""The name of each engine, its module and its class. An engine's dataclass fields are its options."""

__all__ = [
    "ENGINES",
    "Answer",
    "Completion",
    "Engine",
    "Failure",
    "Request",
    "Sampling",
    "engine_names",
    "find_engine",
]


def engine_names() -> tuple[str, ...]:
    """Return the names of all engines."""
    return tuple(ENGINES)


def find_engine(name: str) -> type[Engine]:
    """Return the class of an engine by its name.

    Raises:
        UserError: If there is none of that name.
    """
    if name not in ENGINES:
        raise UserError(f"unknown engine {name!r}{suggest(name, engine_names())}")
    module, export = ENGINES[name]
    found: type[Engine] = getattr(import_module(module), export)
    return found
