"""The process with the tests: runs them against the candidate's code, which runs in a child of this process.

Only this process can write a result, and it writes it with the token that came with the tests, which the child
was started without.
"""

from __future__ import annotations

import builtins
import json
import os
import sys
from typing import Any

from .candidate import serve
from .confine import Settings, can_filter, confine
from .landlock import landlock_version, make_ruleset
from .wire import Closed, Known, Line, pack, unpack


class Failed(Exception):
    """The candidate's process has gone, or gave what is no answer."""


class Remote:
    """An object of the candidate's process. It is called and asked for attributes there; it equals nothing but itself."""

    def __init__(self, candidate: CandidateProcess, number: int, can_call: bool) -> None:
        self.__dict__.update(_candidate=candidate, _number=number, _can_call=can_call)

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Call it over there."""
        if not self._can_call:
            raise TypeError("the candidate's object cannot be called")
        known = Known()
        sent = pack([*args], _number, known), pack(kwargs, _number, known)
        return self._candidate.ask("call", self._number, *sent, known=known)

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        return self._candidate.ask("attribute", self._number, name)

    def __setattr__(self, name: str, value: Any) -> None:
        self._candidate.ask("assign", self._number, name, pack(value, _number))


def _number(value: Any) -> int:
    if not isinstance(value, Remote):
        raise TypeError(f"a test cannot hand a {type(value).__name__} to the code: only plain data crosses")
    number: int = value._number
    return number


class CandidateProcess:
    """The candidate's process as seen from here."""

    def __init__(self, line: Line) -> None:
        self.line = line

    def ask(self, *request: Any, known: Known | None = None) -> Any:
        """Send a request and return the answer, as plain data or `Remote`.

        Args:
            request: The request.
            known: The lists, dictionaries and the like that were sent; what the code did to them is done to them here.

        Raises:
            Failed: If none comes.
            Exception: As raised there, if it is one of Python's own, else a RuntimeError.
        """
        try:
            self.line.send(request)
            outcome, *reply = self.line.receive()
            if outcome == "ok":
                known = known if known is not None else Known()
                value = unpack(reply[0], self._remote, known)
                for number, content in reply[1]:
                    known.replace(number, unpack(content, self._remote, known))
                return value
            name, text = str(reply[0]), str(reply[1])
        except (Closed, ValueError, TypeError, LookupError, AttributeError, RecursionError) as error:
            raise Failed("the code ended its process, or broke the connection") from error
        raise _as_raised(name, text)

    def _remote(self, reference: Any) -> Remote:
        return Remote(self, int(reference[0]), bool(reference[1]))


def _as_raised(name: str, text: str) -> Exception:
    """Return the built-in exception of a name. One that ends a loop would pass for the end of the data, so it is none."""
    kind = getattr(builtins, name, None)
    ends = (StopIteration, StopAsyncIteration)
    if not isinstance(kind, type) or not issubclass(kind, Exception) or issubclass(kind, ends):
        return RuntimeError(f"{name}: {text}")
    error = kind.__new__(kind)  # some, such as UnicodeDecodeError, cannot be made of a text
    error.args = (text,)
    return error


def run_tests(candidate: CandidateProcess, job: dict[str, Any]) -> tuple[bool, str]:
    """Run the tests of a job and return whether they passed, and why not."""
    namespace: dict[str, Any] = {"__name__": "tests"}
    try:
        exec(compile(job["setup"], "<setup>", "exec"), namespace)
        defined = set(candidate.ask("load", job["code"]))
        for name in defined.intersection(job["names"]):
            namespace[name] = candidate.ask("get", name)
        exec(compile(job["tests"], "<tests>", "exec"), namespace)
    except BaseException as error:  # whatever it is, the tests did not pass
        return False, _reason(error, job["tests"])
    return True, "passed"


def _reason(error: BaseException, tests: str) -> str:
    if isinstance(error, Failed):
        return str(error)
    trace, number = error.__traceback__, 0
    while trace:
        number = trace.tb_lineno if trace.tb_frame.f_code.co_filename == "<tests>" else number
        trace = trace.tb_next
    where = f" at {tests.splitlines()[number - 1].strip()}" if number else ""
    return f"{type(error).__name__}: {error}{where}"[:300]


def main() -> None:
    """Start the candidate's process, read the job from standard input, write the result to standard output."""
    settings = Settings(*json.loads(sys.argv[1]))
    settings = settings._replace(seccomp=settings.seccomp and can_filter())
    nothing, result = os.open(os.devnull, os.O_RDWR), os.dup(1)
    (requests, ask), (answers, reply) = os.pipe(), os.pipe()
    rules = make_ruleset([*settings.readable, "."], settings.listable) if landlock_version() else None
    child = os.fork()
    if child == 0:
        try:
            _be_candidate(settings, rules, nothing, requests, reply)
        finally:
            os._exit(0)
    os.dup2(nothing, 1)  # what tests print is no result
    os.close(requests)
    os.close(reply)
    os.write(result, f"{child}\n".encode())
    confine(settings, (os.getpid(), child), rules)
    job = json.loads(sys.stdin.buffer.read())
    passed, reason = run_tests(CandidateProcess(Line(answers, ask)), job)
    os.kill(child, 9)
    os.waitpid(child, 0)
    os.write(result, json.dumps([job["token"], passed, reason, settings.seccomp, rules is not None]).encode())
    os._exit(0)


def _be_candidate(settings: Settings, rules: int | None, nothing: int, requests: int, reply: int) -> None:
    for number in (0, 1, 2):
        os.dup2(nothing, number)
    kept = sorted(number for number in (requests, reply, rules) if number is not None)
    for low, high in zip((3, *(number + 1 for number in kept)), (*kept, 256), strict=True):
        os.closerange(low, high)
    line = Line(requests, reply)
    for name in [name for name in sys.modules if name.startswith("inside")]:
        del sys.modules[name]
    confine(settings, (os.getpid(),), rules)
    serve(line)
