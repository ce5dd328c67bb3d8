"""The answers to a set of requests, kept in a journal, so that a later run asks only for what is missing."""

from __future__ import annotations

import hashlib
import json
import sys
import threading
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, astuple, dataclass
from functools import partial
from pathlib import Path

from tqdm import tqdm

from fusion.asking import Asking, LLMJob
from fusion.budget import Bill, Budget, most_tokens
from fusion.engines import find_engine
from fusion.engines.base import Answer, Completion, Request
from fusion.engines.clean import mend_answer
from fusion.engines.questions import cut_at_question
from fusion.journal import Journal
from fusion.llms import LLM
from graphrouter.errors import UserError
from graphrouter.typing import Record

CellKey = tuple[str, str, int]
"""``query_id``, ``llm`` and ``draw`` of the record that an answer is for."""

STOPPING = "stopping: the answers under way are waited for; Ctrl-C again to leave them"
OnCell = Callable[[CellKey], None]


def request_key(cell: CellKey) -> str:
    """Return a request's key for a cell."""
    return json.dumps(cell)


def cell_key(key: str) -> CellKey:
    """Return the cell of a request's key."""
    query_id, llm, draw = json.loads(key)
    return query_id, llm, draw


def digest(llm: LLM, request: Request) -> str:
    """Follows from all that can change the answer: engine, model, messages, sampling. Prices and addresses do not."""
    depends = find_engine(llm.engine).answers_depend_on
    asked = {
        "engine": llm.engine,
        "model": Path(llm.model).name,
        "options": {name: llm.options[name] for name in depends if name in llm.options},
        "messages": request.messages,
        "sampling": asdict(request.sampling),
    }
    return hashlib.sha256(json.dumps(asked, sort_keys=True, default=str).encode()).hexdigest()[:12]


def is_empty(text: str, output_tokens: int | None) -> bool:
    """Return whether an answer has no text, although there may be tokens to pay for."""
    return not text.strip() and output_tokens != 0


@dataclass(frozen=True)
class LLMAnswers:
    """Answers and failures of one LLM.

    Attributes:
        answers: By cell, those of earlier runs included.
        failures: The reason, for each cell that got no answer.
        spent: US dollars, earlier runs included.
        over_budget: Whether the budget ended the asking.
        ended: Error that ended it early, or None.
    """

    answers: Mapping[CellKey, Record]
    failures: Mapping[CellKey, str]
    spent: float
    over_budget: bool
    ended: UserError | None


def ask_one(
    llm: LLM, requests: Sequence[Request], file: Path, *, budget: float | None, wanted: str, progress: bool = True
) -> LLMAnswers:
    """Ask one LLM for what its journal does not hold yet.

    Args:
        llm: Who is asked.
        requests: In the order in which they are asked; their keys are those of `request_key`.
        file: File of the journal.
        budget: US dollars, earlier runs included; None for no limit.
        wanted: Requirement on the LLM, for the error.
        progress: Whether to show a bar.

    Raises:
        UserError: If the journal holds answers to other prompts, or there is no answer at all.
        KeyboardInterrupt: After Ctrl-C; what is answered is in the journal.
    """
    with Journal(file) as journal:
        answers = Answers([LLMJob(llm, requests)], journal)
        spending = Budget(budget, answers.spent())
        asking = answers.ask(spending, progress=progress)
    ended = next(iter(asking.problems.values()), None)
    if not answers.answers:
        reason = ended or next(iter(answers.failures.values()), "there was nothing to ask, or no budget for it")
        raise UserError(f"{llm.name} must {wanted}, but {reason}")
    return LLMAnswers(answers.answers, answers.failures, spending.spent, asking.over_budget, ended)


class Answers:
    """Answers and failures of a set of requests.

    Args:
        jobs: All requests, by LLM; their keys are those of `request_key`.
        journal: Open. What earlier runs wrote is read from it, and each new answer is in it before it counts.

    Attributes:
        answers: By cell.
        failures: The reason, for each cell that got no answer when it was last asked.

    Raises:
        UserError: If the journal holds answers to other prompts, models or settings for cells of these jobs.
    """

    def __init__(self, jobs: Iterable[LLMJob], journal: Journal) -> None:
        self.answers: dict[CellKey, Record] = {}
        self.failures: dict[CellKey, str] = {}
        self._jobs = list(jobs)
        self._asked = {
            cell_key(request.key): (job.llm, request, digest(job.llm, request))
            for job in self._jobs
            for request in job.requests
        }
        self._journal = journal
        self._lock = threading.Lock()
        self._alike: set[str] = set()
        self._tries: Counter[str] = Counter()
        self._bill = Bill({cell[1]: llm for cell, (llm, _, _) in self._asked.items()})
        self._read()

    def _read(self) -> None:
        other: list[CellKey] = []
        for entry in self._journal.entries():
            cell = (entry["query_id"], entry["llm"], entry["draw"])
            _, request, asked = self._asked.get(cell, (None, None, None))
            mend_answer(entry)
            self._bill.add(cell, entry, request)
            if request is None or "tried" in entry:
                continue
            if entry["asked"] != asked:
                other.append(cell)
            elif "failed" in entry:
                self.failures[cell] = entry["failed"]
            else:
                self.answers[cell] = entry
                self.failures.pop(cell, None)
        stale = [cell for cell in other if cell not in self.answers]
        if stale:
            query_id, llm, draw = stale[0]
            raise UserError(
                f"{self._journal.file} must hold answers to the prompts, models and settings of this run, but "
                f"{len(set(stale)):,} are to others (first: {llm} on {query_id}, draw {draw}); name another folder, or "
                "give the LLM another name"
            )

    def _entry(self, key: str) -> Record:
        query_id, llm, draw = cell = cell_key(key)
        return {"query_id": query_id, "llm": llm, "draw": draw, "asked": self._asked[cell][2]}

    def add_try(self, llm: LLM, request: Request) -> None:
        """Write down that a request is sent, so that a run that is killed before its answer knows what it may have cost."""
        entry = self._entry(request.key) | {"tried": most_tokens(llm, request)}
        with self._lock:
            self._tries[request.key] += 1
        self._journal.append(entry)

    def add(self, llm: LLM, request: Request, answer: Answer) -> None:
        """Write down an answer, or why there is none, and what neither shows of its cost."""
        cell = cell_key(answer.key)
        entry = self._entry(answer.key)
        known = True
        if isinstance(answer, Completion):
            entry |= {
                "response": answer.text,
                "reasoning": answer.reasoning,
                "input_tokens": answer.input_tokens,
                "output_tokens": answer.output_tokens,
                "latency_s": round(answer.latency_s, 4),
                "finish_reason": answer.finish_reason,
            }
            if answer.cut_at_question:
                entry |= {"cut_at_question": True}
            self._check_alike(llm, cell[1], answer.cut_at_question)
            known = answer.input_tokens is not None and answer.output_tokens is not None
        else:
            entry |= {"failed": answer.reason}
        with self._lock:
            tries = self._tries.pop(answer.key, 0)
        if tries:
            entry |= {"tries": tries}
        if answer.waste:
            entry |= {"waste": astuple(answer.waste)}
        if not known or answer.waste.unknown:
            entry |= {"most": most_tokens(llm, request)}
        self._journal.append(entry)
        with self._lock:
            if isinstance(answer, Completion):
                self.answers[cell] = entry
                self.failures.pop(cell, None)
            else:
                self.failures[cell] = answer.reason

    def _check_alike(self, llm: LLM, candidate: str, cut: bool) -> None:
        """Refuse a new answer where those of the journal were not ended in the same way, at the model's next question.

        An old answer that holds no such question is what it would be now. Each candidate is looked at once.

        Raises:
            UserError: If so.
        """
        if candidate in self._alike:
            return
        from fusion.tasks.graders.reading import STOP_SEQUENCES

        self._alike.add(candidate)
        others = 0
        for (_, name, _), entry in list(self.answers.items()):
            if name == candidate and bool(entry.get("cut_at_question")) != cut:
                text = entry["response"]
                others += not cut or cut_at_question(text, STOP_SEQUENCES) != text
        if others:
            said = "do not end at the model's next question, as new ones do" if cut else "end there, as new ones do not"
            wanted = "false" if cut else "true"
            raise UserError(
                f"{others:,} answers of {candidate} in {self._journal.file} {said}; set stop_at_question: {wanted} for "
                f"{llm.name}, or name another folder"
            )

    def left(self) -> list[LLMJob]:
        """Return the requests without an answer; those that failed in an earlier run come last."""
        jobs = []
        for job in self._jobs:
            cells = {request.key: cell_key(request.key) for request in job.requests}
            left = [request for request in job.requests if cells[request.key] not in self.answers]
            left.sort(key=lambda request: cells[request.key] in self.failures)
            jobs.append(LLMJob(job.llm, left, answered=len(left) < len(job.requests)))
        return [job for job in jobs if job.requests]

    def cost(self, cell: CellKey) -> float | None:
        """Return the cost of an answer in US dollars, or None where tokens or prices are unknown."""
        answer, llm = self.answers[cell], self._asked[cell][0]
        return llm.price(answer["input_tokens"], answer["output_tokens"])

    def spent(self) -> float:
        """Return the cost of earlier runs in US dollars, with what they may have cost.

        All that the journal holds of the candidates of this run counts, failures too. What is of unknown cost counts as
        the most that it can have cost; so does a request that was sent by a run with a budget, and has no answer.
        """
        return self._bill.total

    @property
    def empty(self) -> list[CellKey]:
        """Cells whose answer has no text, although there may be tokens to pay for."""
        return [cell for cell, answer in self.answers.items() if is_empty(answer["response"], answer["output_tokens"])]

    def ask(self, budget: Budget, on_cell: OnCell | None = None, progress: bool = True) -> Asking:
        """Ask for what is left, with a bar of cells, rate, time left, spend and failures.

        Args:
            budget: Budget of the run.
            on_cell: Called with each cell that is answered, from several threads.
            progress: Whether to show the bar.

        Returns:
            The asking: what ended that of an LLM, and whether the budget did.

        Raises:
            KeyboardInterrupt: After Ctrl-C, once the answers under way are in.
        """
        failed = empty = 0
        total = len(self._asked)
        with tqdm(total=total, initial=len(self.answers), unit="cell", disable=not progress) as bar:

            def take(llm: LLM, request: Request, answer: Answer) -> None:
                nonlocal failed, empty
                self.add(llm, request, answer)
                if on_cell and isinstance(answer, Completion):
                    on_cell(cell_key(answer.key))
                with self._lock:
                    failed += not isinstance(answer, Completion)
                    empty += isinstance(answer, Completion) and is_empty(answer.text, answer.output_tokens)
                    state = f"${budget.spent:.4f}, {failed} failed" + (f", {empty} empty" if empty else "")
                    bar.set_postfix_str(state, refresh=False)
                    bar.update()

            stopping = partial(bar.write, STOPPING, file=sys.stderr)
            asking = Asking(self.left(), take, budget, stopping, self.add_try)
            asking.run()
        return asking
