"""Grades answers beside the asking, and writes the grades down."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from concurrent.futures import Future, ThreadPoolExecutor

from fusion.answers import Answers, CellKey
from fusion.collect.plan import Cell
from fusion.journal import Journal
from fusion.tasks.base import Grade
from fusion.text import encodable
from graphrouter.typing import Record

WORKERS = 4
"""Threads that grade. Most graders take microseconds; code runs in processes of its own."""


class Grading:
    """Grades of a plan's answers.

    Args:
        cells: By key; each knows its task's grader.
        answers: Answers to grade. Those without a grade in the journal are graded from the start.
        journal: Open. Holds the grades of earlier runs.

    Attributes:
        grades: By cell.
    """

    def __init__(self, cells: Mapping[CellKey, Cell], answers: Answers, journal: Journal) -> None:
        self.grades: dict[CellKey, Grade] = {}
        self._cells = cells
        self._answers = answers
        self._journal = journal
        self._lock = threading.Lock()
        self._pool = ThreadPoolExecutor(WORKERS)
        self._running: list[Future[None]] = []
        self._read()
        for key in answers.answers.keys() - self.grades.keys():
            self.submit(key)

    def _read(self) -> None:
        for entry in self._journal.entries():
            key = (entry["query_id"], entry["llm"], entry["draw"])
            answer = self._answers.answers.get(key)
            if answer and answer["asked"] == entry["asked"]:
                self.grades[key] = Grade(entry["performance"], _mended(entry["prediction"]))

    def submit(self, key: CellKey) -> None:
        """Have the answer of a cell graded."""
        with self._lock:
            self._running.append(self._pool.submit(self._grade, key))

    def _grade(self, key: CellKey) -> None:
        question, answer = self._cells[key].question, self._answers.answers[key]
        grade = question.task.grade(answer["response"], question.example)
        grade = Grade(grade.performance, _mended(grade.prediction))
        entry: Record = {name: answer[name] for name in ("query_id", "llm", "draw", "asked")}
        self._journal.append(entry | {"performance": grade.performance, "prediction": grade.prediction})
        with self._lock:
            self.grades[key] = grade

    def finish(self) -> None:
        """Wait until all that was handed in is graded; raise what a grader raised."""
        self._pool.shutdown(wait=True)
        for grading in self._running:
            grading.result()


def _mended(prediction: str | None) -> str | None:
    """Mend what a grader quotes of a response or of code that it ran."""
    return prediction if prediction is None else encodable(prediction)
