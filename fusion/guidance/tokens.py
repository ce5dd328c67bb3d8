"""How many tokens a conversation has, and how many it may have."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from fusion.engines.base import Message, Request
from fusion.llms import LLM
from graphrouter.errors import UserError, first_line

TOKENS = 2048
"""Most tokens of a guided prompt, where no other number is given."""

BYTES_PER_TOKEN = 3
MESSAGE_TOKENS = 8
"""The estimate: English text has 4 bytes a token or more, code and numbers fewer; a chat template adds some a message."""

LOCAL = ("transformers", "vllm")
"""Engines whose model brings its tokenizer to this machine."""

Count = Callable[[Sequence[Message]], int]


def estimate(messages: Sequence[Message]) -> int:
    """Estimate the tokens of a conversation, rather too many than too few: a token for three bytes, and 8 a message."""
    sizes = (len(message["content"].encode(errors="replace")) for message in messages)
    return sum(-(-size // BYTES_PER_TOKEN) + MESSAGE_TOKENS for size in sizes)


@dataclass(frozen=True)
class Room:
    """How long the guided prompts of an LLM may be.

    Attributes:
        tokens: Most tokens of a guided prompt.
        count: Counts the tokens of a conversation.
        context: Most tokens of prompt and response together, or None where that is not known.
    """

    tokens: int = TOKENS
    count: Count = estimate
    context: int | None = None

    def __post_init__(self) -> None:
        if self.tokens < 1:
            raise UserError(f"the tokens of a guided prompt must be 1 or more, but are {self.tokens}")

    def fits(self, messages: Sequence[Message], max_tokens: int) -> bool:
        """Say whether a prompt is within the budget and leaves room for a response of so many tokens."""
        most = self.tokens if self.context is None else min(self.tokens, self.context - max_tokens)
        return self.count(messages) <= most


def find_room(llm: LLM, tokens: int = TOKENS, *, on_disk: bool = False) -> Room:
    """Return the room of an LLM: by its own tokenizer and context where the model is on this machine, else by `estimate`.

    Args:
        llm: Who is asked.
        tokens: Most tokens of a guided prompt.
        on_disk: Whether to look on this machine only, and to load nothing from the hub.

    Raises:
        UserError: If the tokenizer of a model on this machine cannot be loaded.
    """
    if llm.engine not in LOCAL:
        return Room(tokens)
    from transformers import AutoConfig, AutoTokenizer

    from fusion.engines.hf_load import Loaded, context_limit

    where: dict[str, Any] = {"revision": llm.options["revision"]} if llm.options.get("revision") else {}
    where |= {"local_files_only": True} if on_disk else {}
    try:
        tokenizer: Any = AutoTokenizer.from_pretrained(llm.model, **where)
        config = AutoConfig.from_pretrained(llm.model, **where)
    except (OSError, ValueError, ImportError, KeyError) as error:
        raise UserError(
            f"LLM {llm.name}: its model must bring a tokenizer that prompts are counted by, but {llm.model}: "
            f"{first_line(error)}"
        ) from None
    limit = llm.options.get("max_model_len") or context_limit(config)
    loaded = Loaded(None, tokenizer, frozenset(), limit)
    template = llm.options.get("template") or {}

    def count(messages: Sequence[Message]) -> int:
        ids = loaded.prompts([Request("", tuple(messages))], template)[0]
        return 0 if isinstance(ids, str) else len(ids)  # what cannot be written fails by itself, with its reason

    return Room(tokens, count, limit)
