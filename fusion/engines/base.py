"""Base of the engines: requests in, answers out, each as soon as it is there."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any, ClassVar

Message = dict[str, str]
"""``{"role": "system" | "user" | "assistant", "content": text}``."""


@dataclass(frozen=True)
class Sampling:
    """Settings of decoding.

    Attributes:
        max_tokens: Most tokens of a response.
        temperature: 0 for greedy decoding.
        top_p: Nucleus of the distribution that is sampled from.
        stop: Texts that end a response.
        seed: Seed of the first draw; draw d of a request uses ``seed + d`` where the engine can seed a request.
    """

    max_tokens: int = 512
    temperature: float = 0.0
    top_p: float = 1.0
    stop: tuple[str, ...] = ()
    seed: int = 0


@dataclass(frozen=True)
class Request:
    """Prompt to be answered.

    Attributes:
        key: Name that the caller gives it; comes back with the answer.
        messages: Conversation so far; the last is from the user.
        sampling: Settings of decoding.
    """

    key: str
    messages: tuple[Message, ...]
    sampling: Sampling = field(default_factory=Sampling)


@dataclass(frozen=True)
class Waste:
    """Cost that tries without an answer may have had.

    Attributes:
        input_tokens: Input tokens of the tries whose use the server stated.
        output_tokens: Output tokens of the same.
        unknown: Number of tries that were sent and may have cost, of which nothing is known.
    """

    input_tokens: int = 0
    output_tokens: int = 0
    unknown: int = 0

    def __bool__(self) -> bool:
        return self != NOTHING

    def __add__(self, other: Waste) -> Waste:
        return Waste(
            self.input_tokens + other.input_tokens,
            self.output_tokens + other.output_tokens,
            self.unknown + other.unknown,
        )


NOTHING = Waste()


@dataclass(frozen=True)
class Completion:
    """Answer to a request.

    Attributes:
        key: Key of the request.
        text: Response.
        input_tokens: Tokens of the prompt, by the engine's own count, chat template included; None where it gave none.
        output_tokens: Tokens of the response, by the engine's own count, thinking included; None where it gave none.
        latency_s: Seconds from the request to the whole answer. In a batch, those of the batch.
        finish_reason: ``stop``, ``length`` (cut at ``max_tokens``), or what the engine said.
        reasoning: Thinking that the engine gave apart from the response, or None.
        model: The model's name as the engine reported it, or None.
        waste: Cost of earlier tries.
        cut_at_question: Whether the engine ends answers of this model where it goes on with a question of its own.
    """

    key: str
    text: str
    input_tokens: int | None
    output_tokens: int | None
    latency_s: float
    finish_reason: str = "stop"
    reasoning: str | None = None
    model: str | None = None
    waste: Waste = NOTHING
    cut_at_question: bool = False


@dataclass(frozen=True)
class Failure:
    """Request that got no answer, after all retries. Its cell stays missing.

    Attributes:
        key: Key of the request.
        reason: One line; never holds a key or a header.
        latency_s: Seconds until it was given up.
        waste: Cost of all tries.
    """

    key: str
    reason: str
    latency_s: float = 0.0
    waste: Waste = NOTHING


Answer = Completion | Failure


def plain_text(messages: Iterable[Message]) -> str:
    """Return the prompt for a model without a chat template: the messages' texts, joined by line ends."""
    return "\n".join(message["content"] for message in messages)


class Engine(ABC):
    """Turns requests into answers. An instance serves one LLM; use it as a context manager, which frees what it holds."""

    concurrent: ClassVar[bool] = False
    """Whether several engines of this kind may run side by side (a server does the work) or only one (it holds memory)."""

    answers_depend_on: ClassVar[tuple[str, ...]] = ()
    """Options, beside the model, that change what is answered; answers under other values of these are not mixed."""

    before_try: Callable[[Request, Waste], bool] | None = None
    """Question before each try of a request that costs money, with what its earlier tries may have cost; where it says
    False, the request is not sent and fails. Set by who watches a budget, and called in a thread of the engine."""

    has_answered: bool = False
    """Whether the LLM is known to answer such requests, so that refusals concern single ones. Set by who asks."""

    questions: tuple[str, ...] = ()
    """Beginnings of a question: an engine that writes for a model without a chat template ends an answer before the
    next one, for such a model goes on with questions of its own. Set by who makes the engine."""

    @abstractmethod
    def generate(self, requests: Iterable[Request]) -> Iterator[Answer]:
        """Answer requests, each exactly once, in the order in which they finish.

        A request is drawn from the iterable only when there is room for it, so a caller that stops handing out requests
        (a budget is spent, Ctrl-C) gets the answers of those under way, and nothing further is asked.

        Raises:
            UserError: If no request can ever succeed: an unknown model, a refused key, no server at the address.
        """

    def close(self) -> None:  # noqa: B027 - most engines hold nothing
        """Free connections or memory."""

    def __enter__(self) -> Engine:
        return self

    def __exit__(self, *_: Any) -> None:
        self.close()
