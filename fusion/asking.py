"""Asks several LLMs at a time, within a budget, and stops cleanly."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from fusion.engines import find_engine
from fusion.engines.base import Answer, Completion, Request
from fusion.llms import LLM
from graphrouter.errors import UserError

OnAnswer = Callable[[LLM, Answer], None]
"""Is told of each answer as soon as it is there, by several threads."""


@dataclass(frozen=True)
class Job:
    """What one LLM is asked.

    Attributes:
        llm: The LLM.
        requests: In the order in which they are handed out.
    """

    llm: LLM
    requests: Sequence[Request]


LOOK_UP_S = 0.2
"""Seconds after which a wait looks up for Ctrl-C."""
TEMPLATE_TOKENS = 50
"""What a chat template may add to a message, at most."""


class Budget:
    """US dollars that may be spent. A request is only sent if the most that it can cost is still there.

    Args:
        limit: None for no limit.
        spent: What earlier runs have spent of it.
    """

    def __init__(self, limit: float | None = None, spent: float = 0.0) -> None:
        self.limit = limit
        self.spent = spent
        self._reserved: dict[str, float] = {}
        self._lock = threading.Lock()

    def reserve(self, llm: LLM, request: Request) -> bool:
        """Set aside the most that a request can cost; False where the rest of the budget is less."""
        most = highest_cost(llm, request)
        with self._lock:
            if self.limit is not None and self.spent + sum(self._reserved.values()) + most > self.limit:
                return False
            self._reserved[request.key] = most
            return True

    def settle(self, llm: LLM, answer: Answer) -> None:
        """Put what an answer cost in the place of what was set aside. A failure is taken to cost nothing."""
        cost = llm.price(answer.input_tokens, answer.output_tokens) if isinstance(answer, Completion) else 0.0
        with self._lock:
            most = self._reserved.pop(answer.key, 0.0)
            self.spent += most if cost is None else cost

    def release(self, keys: Sequence[str]) -> None:
        """Give back what was set aside for requests that will get no answer."""
        with self._lock:
            for key in keys:
                self._reserved.pop(key, None)


def highest_cost(llm: LLM, request: Request) -> float:
    """Return the most that a request can cost in US dollars, at a token for every byte; 0 without prices."""
    size = sum(len(message["content"].encode(errors="replace")) + TEMPLATE_TOKENS for message in request.messages)
    return llm.price(size, request.sampling.max_tokens) or 0.0


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


def raise_problems(problems: Mapping[str, UserError]) -> None:
    """End with an error where an LLM could not be asked; what the others answered is written by now.

    Raises:
        UserError: With the first problem.
    """
    for name, problem in problems.items():
        raise UserError(f"{name} could not be asked: {problem}")


class Asking:
    """Asks all jobs: LLMs behind a server side by side, LLMs in this process one after the other.

    A request fails alone. An LLM that cannot be asked at all (a refused key, an unknown model) ends its own job; the
    others go on, and the problem is told at the end.

    Args:
        jobs: One per LLM.
        on_answer: Is told of each answer.
        budget: Of all jobs together.
        on_stop: Is called after Ctrl-C, before the answers under way are waited for.

    Attributes:
        problems: What ended a job, by the LLM's name.
        over_budget: Whether requests were left because the budget had no room for them.
    """

    def __init__(
        self, jobs: Sequence[Job], on_answer: OnAnswer, budget: Budget, on_stop: Callable[[], None] = lambda: None
    ) -> None:
        self.on_stop = on_stop
        self.jobs = jobs
        self.on_answer = on_answer
        self.budget = budget
        self.problems: dict[str, UserError] = {}
        self.over_budget = False
        self._defect: BaseException | None = None
        self._stop = threading.Event()

    def run(self) -> None:
        """Ask everything; return when all is answered, has failed, or the budget is reached.

        Raises:
            KeyboardInterrupt: After Ctrl-C, once the answers under way are in. A second Ctrl-C does not wait for them.
        """
        served = [job for job in self.jobs if find_engine(job.llm.engine).concurrent]
        under_way = [self._start(job) for job in served]
        try:
            for job in self.jobs:
                if job not in served:
                    self._guard(job)
            _wait(under_way)
        except KeyboardInterrupt:
            self._stop.set()
            if not all(ended.is_set() for ended in under_way):
                self.on_stop()
            _wait(under_way)
            raise
        if self._defect:
            raise self._defect

    def _start(self, job: Job) -> threading.Event:
        """Ask one LLM in a thread. The event is set at its end: Python takes a join that Ctrl-C broke for the end."""
        ended = threading.Event()

        def ask() -> None:
            try:
                self._guard(job)
            finally:
                ended.set()

        threading.Thread(target=ask, daemon=True).start()
        return ended

    def _guard(self, job: Job) -> None:
        """Ask one LLM. An error of its own stays with it; a defect of ours stops all."""
        try:
            if not self._stop.is_set():
                self._ask(job)
        except UserError as error:
            self.problems[job.llm.name] = error
        except Exception as error:
            self._defect = error
            self._stop.set()

    def _ask(self, job: Job) -> None:
        left = deque(job.requests)
        waiting: set[str] = set()
        try:
            with job.llm.make_engine() as engine:
                before = -1
                # A request that the budget had no room for may fit once those under way have cost less than they might.
                while left and len(left) != before and not self._stop.is_set():
                    before = len(left)
                    for answer in engine.generate(self._hand_out(job.llm, left, waiting)):
                        waiting.discard(answer.key)
                        self.budget.settle(job.llm, answer)
                        self.on_answer(job.llm, answer)
                self.over_budget |= bool(left) and not self._stop.is_set()
        finally:
            self.budget.release(list(waiting))

    def _hand_out(self, llm: LLM, left: deque[Request], waiting: set[str]) -> Iterator[Request]:
        while left and not self._stop.is_set():
            if not self.budget.reserve(llm, left[0]):
                return
            waiting.add(left[0].key)
            yield left.popleft()


def _wait(events: Sequence[threading.Event]) -> None:
    """Wait for all, and look up often: polars has Ctrl-C restart a wait without end, so that it would never be heard."""
    for event in events:
        while not event.wait(LOOK_UP_S):
            pass
