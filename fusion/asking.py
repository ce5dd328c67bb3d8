"""Asks several LLMs at a time, within a budget, and stops cleanly."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

from fusion.budget import Budget
from fusion.engines import find_engine
from fusion.engines.base import Answer, Request, Waste
from fusion.llms import LLM
from graphrouter.errors import UserError

OnAnswer = Callable[[LLM, Request, Answer], None]
"""Called with each request's answer as soon as it is there, by several threads."""
OnTry = Callable[[LLM, Request], None]


@dataclass(frozen=True)
class LLMJob:
    """Requests to one LLM.

    Attributes:
        llm: The LLM.
        requests: In the order in which they are handed out.
        answered: Whether the LLM has answered others of its requests in an earlier run.
    """

    llm: LLM
    requests: Sequence[Request]
    answered: bool = False


LOOK_UP_S = 0.2
"""Seconds after which a wait looks up for Ctrl-C."""


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
    others go on, and the problem is raised at the end.

    Args:
        jobs: One per LLM.
        on_answer: Called with each answer.
        budget: Budget of all jobs together.
        on_stop: Is called after Ctrl-C, before the answers under way are waited for.
        on_try: Called with each try that may cost, before it is sent, by several threads; only where there is a limit.

    Attributes:
        problems: Error that ended a job, by the LLM's name.
        over_budget: Whether requests were left because the budget had no room for them.
    """

    def __init__(
        self,
        jobs: Sequence[LLMJob],
        on_answer: OnAnswer,
        budget: Budget,
        on_stop: Callable[[], None] = lambda: None,
        on_try: OnTry = lambda llm, request: None,
    ) -> None:
        self.on_stop = on_stop
        self.on_try = on_try
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

    def _start(self, job: LLMJob) -> threading.Event:
        """Ask one LLM in a thread. The event is set at its end: Python takes a join that Ctrl-C broke for the end."""
        ended = threading.Event()

        def ask() -> None:
            try:
                self._guard(job)
            finally:
                ended.set()

        threading.Thread(target=ask, daemon=True).start()
        return ended

    def _guard(self, job: LLMJob) -> None:
        """Ask one LLM. An error of its own stays with it; a defect of ours stops all."""
        try:
            if not self._stop.is_set():
                self._ask(job)
        except UserError as error:
            self.problems[job.llm.name] = error
        except Exception as error:
            self._defect = error
            self._stop.set()

    def _ask(self, job: LLMJob) -> None:
        left = deque(job.requests)
        waiting: dict[str, Request] = {}
        try:
            with job.llm.make_engine() as engine:
                engine.has_answered = job.answered
                if self.budget.limit is not None:
                    engine.before_try = partial(self._before_try, job.llm, {})
                before = -1
                # A request that the budget had no room for may fit once those under way have cost less than they might.
                while left and len(left) != before and not self._stop.is_set():
                    before = len(left)
                    for answer in engine.generate(self._hand_out(job.llm, left, waiting)):
                        request = waiting.pop(answer.key)
                        self.budget.settle(job.llm, request, answer)
                        self.on_answer(job.llm, request, answer)
                self.over_budget |= bool(left) and not self._stop.is_set()
        finally:
            self.budget.release(list(waiting))

    def _hand_out(self, llm: LLM, left: deque[Request], waiting: dict[str, Request]) -> Iterator[Request]:
        while left and not self._stop.is_set():
            if not self.budget.reserve(llm, left[0]):
                return
            waiting[left[0].key] = left[0]
            yield left.popleft()

    def _before_try(self, llm: LLM, announced: dict[str, Waste], request: Request, waste: Waste) -> bool:
        """Say whether a try may be sent, and tell of it unless one before it is known to have cost nothing."""
        if not self.budget.reserve_try(llm, request, waste):
            self.over_budget = True
            return False
        if announced.get(request.key) != waste:
            announced[request.key] = waste
            self.on_try(llm, request)
        return True


def _wait(events: Sequence[threading.Event]) -> None:
    """Wait for all in short steps: polars has Ctrl-C restart a wait without end, so that it would have no effect."""
    for event in events:
        while not event.wait(LOOK_UP_S):
            pass
