r"""The grader for mathematical expressions (math): is what stands in ``\boxed{}`` equal to the gold answer?

Equality is decided by ``math-verify`` (https://github.com/huggingface/Math-Verify). Its own time limits work by signals, which
only the main thread gets, and cannot interrupt a large power that is being computed. So it runs in worker processes, which are
killed when they take too long, and which any thread can use.
"""

from __future__ import annotations

import atexit
import contextlib
import json
import os
import queue
import re
import selectors
import subprocess
import sys
import threading
from itertools import accumulate, pairwise
from pathlib import Path

from fusion.tasks.base import Example, Grade
from fusion.tasks.graders.answers import aliases, announced, boxed, last_line
from fusion.tasks.graders.math_compare import same_answer
from fusion.tasks.graders.math_numbers import MATHEMATICAL
from fusion.tasks.graders.reading import grader
from graphrouter.errors import UserError

TIME_LIMIT_S = 5.0
START_LIMIT_S = 120.0
MOST_WORKERS = 4
LONGEST = 2000
DEEPEST = 40
"""Brackets within brackets; the parser takes seconds over more, and no answer has them."""
WORKER = Path(__file__).with_name("math_worker.py")
ROOT = Path(__file__).parents[3]
"""Where the worker imports this project from."""


@grader("math_equal", needs="an expression with closed braces", response=r"\boxed{{{}}}")
def math_equal(response: str, example: Example) -> Grade:
    r"""1 where the boxed answer equals the ground truth as mathematics.

    The answer is the content of the last ``\boxed{}``, else what follows the last ``The answer is`` or the like, else what the
    last line says that something is, else the whole response where it is one line of mathematics without words; any other gets
    nothing. A comparison that takes longer than 5 s, or more than 2 GiB, counts as unequal.
    """
    answer = boxed(response)
    if answer is None:
        answer = next(filter(None, map(_cut, announced(response))), None) or _concluded(response) or _alone(response)
    if not answer:
        return Grade(0.0)
    return Grade(float(any(same_maths(boxed(gold) or gold, answer) for gold in aliases(example))), answer[:200])


_FORMULA = re.compile(r"\$\$?([^$]+)\$\$?|\\\((.+?)\\\)|\\\[(.+?)\\\]")
_SENTENCE = re.compile(
    r"\.(?:\s|$)|\s(?:because|since|which|where|so|as|but|for|when|if|given|that|using|between)\s|,\s(?:because|since|as)\s"
)
_LEADING = re.compile(r"(?:(?:[A-Za-z][a-z']+|[Aa]),?\s)+(?=[\d($\[{\\+-])")
_COUNTED = re.compile(
    r"-?\d(?:[\d,]*\d)?(?:\.\d+)?(?:,\s(?=[a-z]{3})(?!and\b)|\s(?!sin|cos|tan|log|exp|sqrt)[a-z]{3,}(?=[\s,]))"
)  # 12 ways to ...
_MATHS = r"[\d$\\(\[{+\u2212-]"
_IS = re.compile(
    rf"\b(?:is|are|equals|be)(?:\s(?:equal\sto|about|approximately|exactly|therefore|thus|also))?:?\s+(?={_MATHS})"
)
_SO = re.compile(r"\W{0,5}(?:so|therefore|thus|hence|finally|then|consequently|in conclusion)\b", re.IGNORECASE)
_CONCLUDED = re.compile(
    rf"(?:\b(?:is|are|equals)(?:\s(?:equal\sto|about|approximately|exactly))?:?\s+(?={_MATHS})|=\s*(?={_MATHS}))(?!.*(?:\bis\b|=))(.+)"
)


def _cut(part: str) -> str:
    """Return the answer that follows an announcement: what its sentence says that it is, the formulas, or the sentence."""
    part = _SENTENCE.split(part, maxsplit=1)[0].strip(" .")
    said = [match.end() for match in _IS.finditer(part)]
    part = part[said[-1] :] if said else part
    counted = _COUNTED.match(part)
    if counted and not MATHEMATICAL.search(counted[0]):
        return counted[0].rstrip(" ,")
    formulas = list(_FORMULA.finditer(part))
    if formulas:
        first = formulas[0]
        end = next((one for one, two in pairwise(formulas) if len(part[one.end() : two.start()]) > 8), formulas[-1])
        return (
            part[first.start() : end.end()] if first.end() < end.end() else next(filter(None, first.groups())).strip()
        )
    words = _LEADING.match(part)
    return part if words is None or MATHEMATICAL.search(words[0]) else part[words.end() :]


def _concluded(response: str) -> str | None:
    """Return the value in the last line's statement, as in ``Therefore, the value of $c$ is $3$.``, or None."""
    line = last_line(response)[-LONGEST:]
    if line.endswith("?") or not (_SO.match(line) or "\n" in response.strip()):
        return None  # a question, or a statement that nothing precedes
    match = _CONCLUDED.search(line)
    return _cut(match[1]) or None if match else None


def _alone(response: str) -> str | None:
    """Return a response that is an answer and nothing else, such as ``$2/3$``, or None."""
    line = response.strip()
    words = re.search(r"[A-Za-z]{3}", re.sub(r"\\[A-Za-z]+", "", line))
    whole = line.count("{") == line.count("}") and "\n" not in line and len(line) <= LONGEST
    return _cut(line) or None if whole and not words else None


def same_maths(gold: str, answer: str) -> bool:
    """Return whether two answers are equal, as text or as mathematics."""
    if len(answer) > LONGEST or _depth(answer) > DEEPEST:
        return False
    try:
        same = same_answer(gold, answer, lambda *_: None)
    except RecursionError:  # thousands of brackets
        return False
    return POOL.ask([gold, answer]) if same is None else same


def _depth(text: str) -> int:
    """Return how many brackets are open at most."""
    steps = ((character in "([{") - (character in ")]}") for character in text)
    return max(accumulate(steps), default=0)


class Worker:
    """A process that compares expressions."""

    def __init__(self) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-P", str(WORKER)],
            env={**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")])},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            start_new_session=True,  # Ctrl-C is for the process that asks
        )
        if self._answer(START_LIMIT_S) != b"ready\n":
            self.kill()
            raise UserError(
                "grading mathematics needs math-verify, but it cannot be imported; install the package again"
            )

    def ask(self, pair: list[str]) -> bool | None:
        """Return whether gold and answer are equal, or None where that took too long.

        Raises:
            OSError: If the process has died, before or of the question.
        """
        assert self.process.stdin
        self.process.stdin.write(json.dumps(pair).encode() + b"\n")
        self.process.stdin.flush()
        answer = self._answer(TIME_LIMIT_S)
        if answer == b"":
            raise OSError("the worker has died")
        return None if answer is None else answer == b"1\n"

    def _answer(self, limit_s: float) -> bytes | None:
        assert self.process.stdout
        with selectors.DefaultSelector() as selector:
            selector.register(self.process.stdout, selectors.EVENT_READ)
            return self.process.stdout.readline() if selector.select(limit_s) else None

    def kill(self) -> None:
        """End the process."""
        self.process.kill()
        self.process.communicate()


class WorkerPool:
    """Workers that are started when needed, up to `MOST_WORKERS`, and used by any thread."""

    def __init__(self) -> None:
        self.idle: queue.SimpleQueue[Worker] = queue.SimpleQueue()
        self.room = threading.Semaphore(min(MOST_WORKERS, os.cpu_count() or 1))

    def ask(self, pair: list[str]) -> bool:
        """Return whether gold and answer are equal; False where that cannot be decided in time."""
        with self.room:
            try:
                return self._ask(self._idle() or Worker(), pair)
            except OSError:  # the worker may have been dead before, so the question is put once more, to a new one
                with contextlib.suppress(OSError):
                    return self._ask(Worker(), pair)
        return False

    def _ask(self, worker: Worker, pair: list[str]) -> bool:
        equal = None
        try:
            equal = worker.ask(pair)
        finally:
            if equal is None:
                worker.kill()
            else:
                self.idle.put(worker)
        return bool(equal)

    def _idle(self) -> Worker | None:
        try:
            return self.idle.get_nowait()
        except queue.Empty:
            return None

    def close(self) -> None:
        """End the idle workers."""
        while worker := self._idle():
            worker.kill()


POOL = WorkerPool()
atexit.register(POOL.close)
