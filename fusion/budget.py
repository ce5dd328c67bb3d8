"""Cost of requests, known or possible, and the budget for it."""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence

from fusion.engines.base import Answer, Completion, Request, Waste
from fusion.engines.clean import token_count
from fusion.llms import LLM
from graphrouter.errors import UserError
from graphrouter.typing import Record

TEMPLATE_TOKENS = 50
"""Most tokens that a chat template adds to a message."""
TOKEN_FIELDS = ("max_tokens", "max_completion_tokens")
"""Fields of ``extra`` that stand in the place of what a task allows."""

Tokens = tuple[int, int]
"""Of a prompt and of its response."""


class Budget:
    """US dollars that may be spent. A request is only sent if the most that it can cost is still there.

    That holds for each of its tries: one that was sent and gave no answer may have cost as much. What was set aside for
    an answer, or a try, whose tokens the server does not tell stays spent. Where an LLM's answers cost more than the most
    that was expected, as those of servers do that do not keep to max_tokens, more is set aside for its further requests.

    Args:
        limit: None for no limit.
        spent: Part of it that earlier runs have spent.
    """

    def __init__(self, limit: float | None = None, spent: float = 0.0) -> None:
        self.limit = limit
        self.spent = spent
        self._reserved: dict[str, float] = {}
        self._tried: set[str] = set()
        self._excess: dict[str, float] = {}
        self._lock = threading.Lock()

    def reserve(self, llm: LLM, request: Request) -> bool:
        """Set aside the most that a request can cost; False where the rest of the budget is less."""
        return self._set_aside(llm, request, Waste())

    def reserve_try(self, llm: LLM, request: Request, waste: Waste) -> bool:
        """Set aside the most that a further try can cost, beside its earlier ones; False where there is no room.

        Args:
            llm: Who is asked.
            request: Request that a first try was set aside for.
            waste: Tokens of the earlier tries that gave no answer.
        """
        if waste and not self._set_aside(llm, request, waste):
            return False
        with self._lock:
            self._tried.add(request.key)
        return True

    def _set_aside(self, llm: LLM, request: Request, waste: Waste) -> bool:
        most = most_tokens(llm, request)
        with self._lock:
            wanted = charge(llm, None, waste, most) + (llm.price(*most) or 0.0) * self._excess.get(llm.name, 1.0)
            others = sum(self._reserved.values()) - self._reserved.get(request.key, 0.0)
            if self.limit is not None and self.spent + others + wanted > self.limit:
                return False
            self._reserved[request.key] = wanted
            return True

    def settle(self, llm: LLM, request: Request, answer: Answer) -> None:
        """Put what an answer and the tries before it cost in the place of what was set aside."""
        most = most_tokens(llm, request)
        cost = charge(llm, answer if isinstance(answer, Completion) else None, answer.waste, most)
        highest = charge(llm, None, answer.waste, most) + (llm.price(*most) or 0.0)
        with self._lock:
            self._reserved.pop(answer.key, None)
            self._tried.discard(answer.key)
            self.spent += cost
            if cost > highest > 0:
                self._excess[llm.name] = max(self._excess.get(llm.name, 1.0), cost / highest)

    def release(self, keys: Sequence[str]) -> None:
        """Give back what was set aside for requests that will get no answer, if they have not been sent."""
        with self._lock:
            for key in keys:
                most = self._reserved.pop(key, 0.0)
                if key in self._tried:
                    self._tried.discard(key)
                    self.spent += most


def charge(llm: LLM, answer: Completion | None, waste: Waste, most: Tokens | None) -> float:
    """Return the cost of a request in US dollars, the highest possible where it is not known; 0 without prices.

    Args:
        llm: Who was asked.
        answer: Its answer; None for a failure.
        waste: Tokens of the tries that gave no answer.
        most: Tokens that one try can have at the most; None where that is not known.
    """
    unknown = (llm.price(*most) if most else None) or 0.0
    cost = (llm.price(waste.input_tokens, waste.output_tokens) or 0.0) + waste.unknown * unknown
    if answer is None:
        return cost
    known = llm.price(answer.input_tokens, answer.output_tokens)
    return cost + (unknown if known is None else known)


def most_tokens(llm: LLM, request: Request) -> Tokens:
    """Return the most tokens that a prompt and its response can have: at a token for every byte, and ``max_tokens``."""
    size = sum(len(message["content"].encode(errors="replace")) + TEMPLATE_TOKENS for message in request.messages)
    extra = llm.options.get("extra") or {}
    others = [value for name in TOKEN_FIELDS if (value := token_count(extra.get(name)))]
    return size, max([request.sampling.max_tokens, *others])


def highest_cost(llm: LLM, request: Request) -> float:
    """Return the most that one try of a request can cost in US dollars; 0 without prices."""
    return llm.price(*most_tokens(llm, request)) or 0.0


def check_budget(limit: float | None, llms: Sequence[LLM]) -> None:
    """Refuse a budget that is no amount, or for LLMs whose cost is not known.

    Raises:
        UserError: If so.
    """
    if limit is None:
        return
    if not limit > 0:
        raise UserError(f"a budget must be above 0 dollars, but is {limit}")
    free = [llm.name for llm in llms if llm.input_price is None or llm.output_price is None]
    if free:
        raise UserError(
            f"a budget needs input_price and output_price of every LLM, but {', '.join(free)} lacks them; add them"
        )
    endless = [llm.name for llm in llms if "max_tokens" not in llm.options.get("send", ["max_tokens"])]
    if endless:
        raise UserError(
            f"a budget needs max_tokens to be sent, but send of {', '.join(endless)} lacks it; add it, or leave out send"
        )


class Bill:
    """Cost of a journal's entries in US dollars, the highest possible where it is not known.

    Args:
        llms: Who is asked, by the name in a cell; the others' prices are not known here.

    Attributes:
        total: Cost of all entries so far, tries without an answer included.
    """

    def __init__(self, llms: Mapping[str, LLM]) -> None:
        self.total = 0.0
        self._llms = llms
        self._open: dict[tuple[str, str, int], list[float]] = {}

    def add(self, cell: tuple[str, str, int], entry: Record, request: Request | None) -> None:
        """Count an entry.

        Args:
            cell: Its cell.
            entry: A try, or an answer or failure, which stands for so many of the cell's last tries as it says. A try
                that none stands for was under way when a run was killed.
            request: Request for the cell now; it says how long an answer of an earlier version can have been.
        """
        llm = self._llms.get(cell[1])
        if llm is None:
            return
        if "tried" in entry:
            most = charge(llm, None, Waste(unknown=1), tuple(entry["tried"]))
            self._open.setdefault(cell, []).append(most)
            self.total += most
            return
        most_of: Tokens | None = tuple(entry["most"]) if "most" in entry else None
        if most_of is None and request is not None:
            most_of = most_tokens(llm, request)
        answer = None
        if "response" in entry:
            answer = Completion("", "", entry["input_tokens"], entry["output_tokens"], 0.0)
        cost = charge(llm, answer, Waste(*entry.get("waste", ())), most_of)
        tries = self._open.get(cell, [])
        self.total += cost - sum(tries.pop() for _ in range(min(entry.get("tries", 0), len(tries))))
