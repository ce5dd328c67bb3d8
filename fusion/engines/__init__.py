"""Engines turn prompts into responses: an OpenAI-compatible API, vLLM and transformers."""

from __future__ import annotations

from importlib import import_module
from typing import cast

from fusion.engines.base import Answer, Completion, Engine, Failure, Message, Request, Sampling
from graphrouter.errors import UserError, suggest

__all__ = ["ENGINES", "Answer", "Completion", "Engine", "Failure", "Message", "Request", "Sampling", "find_engine"]

ENGINES = {
    "openai": "fusion.engines.openai_api:OpenAIEngine",
    "transformers": "fusion.engines.hf:TransformersEngine",
    "vllm": "fusion.engines.vllm:VLLMEngine",
}
"""Where each engine is; its module is imported when it is asked for."""


def find_engine(name: str) -> type[Engine]:
    """Return an engine by its name; its fields are its options.

    Raises:
        UserError: If there is none of that name.
    """
    if name not in ENGINES:
        raise UserError(
            f"an engine must be one of {', '.join(sorted(ENGINES))}, but is {name!r}{suggest(name, list(ENGINES))}"
        )
    module, _, kind = ENGINES[name].partition(":")
    return cast(type[Engine], getattr(import_module(module), kind))
