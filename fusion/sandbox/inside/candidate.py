"""The process with the code under test: runs it, and answers calls. It never sees the tests."""

from __future__ import annotations

import io
import os
import sys
import types
from typing import Any

from .wire import Closed, Known, Line, pack, unpack

MOST_OUTPUT = 1 << 20


class Sink(io.RawIOBase):
    """Takes what the code prints, and ends the process when that is more than a MiB."""

    def __init__(self) -> None:
        self.room = MOST_OUTPUT

    def writable(self) -> bool:
        """Return True."""
        return True

    def write(self, data: Any) -> int:
        """Count and forget."""
        self.room -= len(data)
        if self.room < 0:
            os._exit(1)
        return len(data)


class CandidateCode:
    """Runs code and answers requests about what it defined."""

    def __init__(self) -> None:
        self.module = types.ModuleType("candidate")
        self.objects: list[Any] = []

    def refer(self, value: Any) -> list[Any]:
        """Keep an object here and return its number, and whether it can be called."""
        self.objects.append(value)
        return [len(self.objects) - 1, callable(value)]

    def answer(self, kind: str, *parts: Any) -> list[Any]:
        """Do what is asked for, and return the result and what the code did to the arguments, packed."""
        known = Known()
        value = self.do(known, kind, *parts)
        packed = pack(value, self.refer, known)
        return [packed, [[number, pack(now, self.refer, known)] for number, now in known.changes()]]

    def do(self, known: Known, kind: str, *parts: Any) -> Any:
        """Do what is asked for."""
        if kind == "load":
            sys.modules["candidate"] = self.module  # dataclasses look there
            exec(compile(parts[0], "<candidate>", "exec"), self.module.__dict__)
            return sorted(name for name in vars(self.module) if isinstance(name, str))
        if kind == "get":
            return getattr(self.module, parts[0])
        target = self.objects[parts[0]]
        if kind == "attribute":
            return getattr(target, parts[1])
        if kind == "assign":
            return setattr(target, parts[1], self.unpack(parts[2]))
        args, kwargs = self.unpack(parts[1], known), self.unpack(parts[2], known)
        known.remember()
        return target(*args, **kwargs)

    def unpack(self, data: Any, known: Known | None = None) -> Any:
        """Return the value that was sent."""
        return unpack(data, lambda reference: self.objects[reference], known)


def serve(line: Line) -> None:
    """Answer requests until there are none, or the code ends the process."""
    sys.stdout = sys.stderr = io.TextIOWrapper(io.BufferedWriter(Sink()), encoding="utf-8")
    sys.stdin = io.StringIO()
    candidate = CandidateCode()
    while True:
        try:
            request = line.receive()
        except Closed:
            return
        try:
            reply = ["ok", *candidate.answer(*request)]
        except BaseException as error:  # SystemExit, too, is no answer
            reply = ["error", type(error).__name__, str(error)[:200]]
        line.send(reply)
