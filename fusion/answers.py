"""The answers to a set of requests, kept in a journal, so that a later run asks only for what is missing."""

from __future__ import annotations

import hashlib
import json
import sys
import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from tqdm import tqdm

from fusion.asking import Asking, Budget, Job
from fusion.engines import find_engine
from fusion.engines.base import Answer, Completion, Request
from fusion.journal import Entry, Journal
from fusion.llms import LLM
from graphrouter.errors import UserError

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


@dataclass(frozen=True)
class Told:
    """What came of asking one LLM.

    Attributes:
        answers: By cell, those of earlier runs included.
        failures: The reason, for each cell that got no answer.
        spent: US dollars, earlier runs included.
        over_budget: Whether the budget ended the asking.
        ended: What ended it early, or None.
    """

    answers: Mapping[CellKey, Entry]
    failures: Mapping[CellKey, str]
    spent: float
    over_budget: bool
    ended: UserError | None


def ask_one(
    llm: LLM, requests: Sequence[Request], file: Path, *, budget: float | None, wanted: str, progress: bool = True
) -> Told:
    """Ask one LLM for what its journal does not hold yet.

    Args:
        llm: Who is asked.
        requests: In the order in which they are asked; their keys are those of `request_key`.
        file: Of the journal.
        budget: US dollars, earlier runs included; None for no limit.
        wanted: What it must do at the least, for the error.
        progress: Whether to show a bar.

    Raises:
        UserError: If the journal holds answers to other prompts, or there is no answer at all.
        KeyboardInterrupt: After Ctrl-C; what is answered is in the journal.
    """
    with Journal(file) as journal:
        answers = Answers([Job(llm, requests)], journal)
        purse = Budget(budget, answers.spent())
        asking = answers.ask(purse, progress=progress)
    ended = next(iter(asking.problems.values()), None)
    if not answers.answers:
        reason = ended or next(iter(answers.failures.values()), "there was nothing to ask, or no budget for it")
        raise UserError(f"{llm.name} must {wanted}, but {reason}")
    return Told(answers.answers, answers.failures, purse.spent, asking.over_budget, ended)


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

    def __init__(self, jobs: Iterable[Job], journal: Journal) -> None:
        self.answers: dict[CellKey, Entry] = {}
        self.failures: dict[CellKey, str] = {}
        self._jobs = list(jobs)
        self._asked = {
            cell_key(request.key): (job.llm, digest(job.llm, request)) for job in self._jobs for request in job.requests
        }
        self._journal = journal
        self._lock = threading.Lock()
        self._read()

    def _read(self) -> None:
        other: list[CellKey] = []
        for entry in self._journal.entries():
            cell = (entry["query_id"], entry["llm"], entry["draw"])
            if cell not in self._asked:
                continue
            if entry["asked"] != self._asked[cell][1]:
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

    def add(self, answer: Answer) -> None:
        """Write down an answer, or why there is none."""
        cell = cell_key(answer.key)
        _, asked = self._asked[cell]
        entry: dict[str, Any] = {"query_id": cell[0], "llm": cell[1], "draw": cell[2], "asked": asked}
        if isinstance(answer, Completion):
            entry |= {
                "response": answer.text,
                "reasoning": answer.reasoning,
                "input_tokens": answer.input_tokens,
                "output_tokens": answer.output_tokens,
                "latency_s": round(answer.latency_s, 4),
                "finish_reason": answer.finish_reason,
            }
        else:
            entry |= {"failed": answer.reason}
        self._journal.append(entry)
        with self._lock:
            if isinstance(answer, Completion):
                self.answers[cell] = entry
                self.failures.pop(cell, None)
            else:
                self.failures[cell] = answer.reason

    def left(self) -> list[Job]:
        """Return what is not answered. What failed in an earlier run is asked again."""
        jobs = [
            Job(job.llm, [request for request in job.requests if cell_key(request.key) not in self.answers])
            for job in self._jobs
        ]
        return [job for job in jobs if job.requests]

    def cost(self, cell: CellKey) -> float | None:
        """Return what an answer has cost in US dollars, or None where tokens or prices are unknown."""
        answer, (llm, _) = self.answers[cell], self._asked[cell]
        return llm.price(answer["input_tokens"], answer["output_tokens"])

    def spent(self) -> float:
        """Return what all answers have cost, in US dollars; those of unknown cost count nothing."""
        return sum(self.cost(cell) or 0.0 for cell in self.answers)

    def ask(self, purse: Budget, told: OnCell | None = None, progress: bool = True) -> Asking:
        """Ask for what is left, with a bar of cells, rate, time left, spend and failures.

        Args:
            purse: What may be spent.
            told: Hears of each cell that is answered, from several threads.
            progress: Whether to show the bar.

        Returns:
            The asking: what ended that of an LLM, and whether the budget did.

        Raises:
            KeyboardInterrupt: After Ctrl-C, once the answers under way are in.
        """
        failed = 0
        total = len(self._asked)
        with tqdm(total=total, initial=len(self.answers), unit="cell", disable=not progress) as bar:

            def take(llm: LLM, answer: Answer) -> None:
                nonlocal failed
                self.add(answer)
                if told and isinstance(answer, Completion):
                    told(cell_key(answer.key))
                with self._lock:
                    failed += not isinstance(answer, Completion)
                    bar.set_postfix_str(f"${purse.spent:.4f}, {failed} failed", refresh=False)
                    bar.update()

            asking = Asking(self.left(), take, purse, lambda: bar.write(STOPPING, file=sys.stderr))
            asking.run()
        return asking
