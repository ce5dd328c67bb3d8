"""Values between the process with the tests and the one with the candidate's code: plain data crosses, objects stay."""

from __future__ import annotations

import json
import operator
import os
from collections import deque
from collections.abc import Callable, ItemsView, Iterator, KeysView, ValuesView
from typing import Any

LONGEST_LINE = 64 << 20
PLAIN = 2**53
TYPES: dict[str, type] = {
    kind.__name__: kind for kind in (int, float, str, bytes, bool, complex, list, tuple, set, frozenset, dict)
}
SEQUENCES: dict[str, tuple[Any, Callable[[Any], Any]]] = {
    "list": (list, list),
    "tuple": (tuple, tuple),
    "set": (set, set),
    "frozenset": (frozenset, frozenset),
    "keys": (KeysView, lambda items: dict.fromkeys(items).keys()),
}
MOST_ITEMS = 1_000_000
EMPTY: dict[str, type] = {kind.__name__: kind for kind in (list, dict, set, bytearray, deque)}
CHANGEABLE = tuple(EMPTY.values())


class Closed(Exception):
    """The other side has gone."""


class Known:
    """Lists, dictionaries, sets and the like that both sides of a call have, numbered in the order in which they are met.

    So one that occurs twice stays one, and what the code does to its arguments can be told.
    """

    def __init__(self) -> None:
        self.values: list[Any] = []
        self.numbers: dict[int, int] = {}
        self.before: list[Any] = []

    def __len__(self) -> int:
        return len(self.values)

    def add(self, value: Any) -> None:
        """Give a value the next number."""
        self.numbers[id(value)] = len(self.values)
        self.values.append(value)

    def at(self, number: Any) -> Any:
        """Return the value of a number.

        Raises:
            ValueError: If there is none.
        """
        if not isinstance(number, int) or not 0 <= number < len(self.values):
            raise ValueError(f"no value has the number {number!r}")
        return self.values[number]

    def remember(self) -> None:
        """Note what each holds now."""
        self.before = [_content(value) for value in self.values]

    def changes(self) -> list[tuple[int, Any]]:
        """Return the numbers of those that hold something else now, and what."""
        now = [_content(value) for value in self.values[: len(self.before)]]
        pairs = zip(self.before, now, strict=True)
        return [(number, new) for number, (old, new) in enumerate(pairs) if not _same(old, new)]

    def replace(self, number: int, content: Any) -> None:
        """Let a value hold something else.

        Raises:
            TypeError: If it cannot hold that.
        """
        value = self.at(number)
        if isinstance(value, (list, bytearray)):
            value[:] = content
        elif isinstance(value, dict):
            pairs = list(zip(content[::2], content[1::2], strict=True))
            value.clear()
            value.update(pairs)
        else:
            value.clear()
            (value.extend if hasattr(value, "extend") else value.update)(content)


def _content(value: Any) -> Any:
    if isinstance(value, bytearray):
        return bytes(value)
    return [part for pair in value.items() for part in pair] if isinstance(value, dict) else list(value)


def _same(old: Any, new: Any) -> bool:
    """Whether two contents are made of the very same objects: what is equal need not be the same to a test."""
    if isinstance(old, bytes):
        return bool(old == new)
    return len(old) == len(new) and all(map(operator.is_, old, new))


def pack(value: Any, refer: Callable[[Any], Any], known: Known | None = None) -> Any:
    """Return a value as JSON can hold it; what is not plain data is left to `refer`.

    Subclasses of plain types become the plain type, so no method of theirs reaches the other side.

    Args:
        value: Value to pack.
        refer: Takes what is not plain data, and returns what stands for it.
        known: Objects that both sides have; mutable objects that are met here are added.
    """
    if value is None or isinstance(value, (bool, str)):
        return value
    if known is not None and isinstance(value, CHANGEABLE):
        if id(value) in known.numbers:
            return ["known", known.numbers[id(value)]]
        known.add(value)
    if isinstance(value, int):
        return value if -PLAIN < value < PLAIN else ["int", hex(value)]
    if isinstance(value, float):
        return float(value)
    for tag, (kind, _) in SEQUENCES.items():
        if isinstance(value, kind):
            return [tag, *(pack(item, refer, known) for item in value)]
    if isinstance(value, dict):
        return ["dict", *([pack(key, refer, known), pack(item, refer, known)] for key, item in value.items())]
    if isinstance(value, (Iterator, ValuesView, ItemsView)):
        from itertools import islice

        return ["iterator", *(pack(item, refer, known) for item in islice(value, MOST_ITEMS))]
    return _pack_rare(value, refer, known)


def _pack_rare(value: Any, refer: Callable[[Any], Any], known: Known | None) -> Any:
    import decimal
    import fractions
    import numbers

    if isinstance(value, (bytes, bytearray)):
        return [type(value).__name__, value.hex()]
    if isinstance(value, complex):
        return ["complex", value.real, value.imag]
    if isinstance(value, range):
        return ["range", value.start, value.stop, value.step]
    if isinstance(value, deque):
        return ["deque", *(pack(item, refer, known) for item in value)]
    if isinstance(value, (decimal.Decimal, fractions.Fraction)):
        return [type(value).__name__, str(value)]
    if isinstance(value, type) and TYPES.get(value.__name__) is value:
        return ["type", value.__name__]
    if isinstance(value, numbers.Integral):  # numpy's
        return pack(int(value), refer)
    if isinstance(value, numbers.Real):
        return pack(float(value), refer)
    return ["object", refer(value)]


def unpack(data: Any, resolve: Callable[[Any], Any], known: Known | None = None) -> Any:
    """Return the value that `pack` was given; `resolve` finds what was left to `refer`, and ``known`` is as there.

    Raises:
        ValueError: If the data has another form.
    """
    if not isinstance(data, list):
        return data
    tag, *items = data
    if tag == "object":
        return resolve(items[0])
    if tag == "known" and known is not None:
        return known.at(items[0])
    if tag in EMPTY:
        value = EMPTY[tag]()
        if known is not None:
            known.add(value)  # before what it holds, as in `pack`
        return _fill(value, items, resolve, known)
    if tag in ("tuple", "frozenset", "keys", "iterator"):
        parts = [unpack(item, resolve, known) for item in items]
        return iter(parts) if tag == "iterator" else SEQUENCES[tag][1](parts)
    return _unpack_rare(tag, items)


def _fill(value: Any, items: list[Any], resolve: Callable[[Any], Any], known: Known | None) -> Any:
    if isinstance(value, bytearray):
        value[:] = bytes.fromhex(items[0])
    elif isinstance(value, dict):
        for key, item in items:
            name = unpack(key, resolve, known)
            value[name] = unpack(item, resolve, known)
    else:
        (value.update if isinstance(value, set) else value.extend)(unpack(item, resolve, known) for item in items)
    return value


def _unpack_rare(tag: str, items: list[Any]) -> Any:
    if tag == "int":
        return int(items[0], 16)
    if tag == "complex":
        return complex(*items)
    if tag == "bytes":
        return bytes.fromhex(items[0])
    if tag == "range":
        return range(*items)
    if tag == "type":
        return TYPES[items[0]]
    if tag == "Decimal":
        from decimal import Decimal

        return Decimal(items[0])
    if tag == "Fraction":
        from fractions import Fraction

        return Fraction(items[0])
    raise ValueError(f"no value has the form {tag!r}")


class Line:
    """Messages to and from another process, one JSON value to a line.

    Args:
        source: File descriptor to read from.
        target: File descriptor to write to.
    """

    def __init__(self, source: int, target: int) -> None:
        self.source = os.fdopen(source, "rb")
        self.target = os.fdopen(target, "wb")

    def send(self, message: Any) -> None:
        """Send a message."""
        try:
            self.target.write(json.dumps(message).encode() + b"\n")
            self.target.flush()
        except OSError as error:
            raise Closed from error

    def receive(self) -> Any:
        """Wait for a message.

        Raises:
            Closed: If there will be none.
            ValueError: If it is not JSON, or longer than `LONGEST_LINE`.
        """
        line = self.source.readline(LONGEST_LINE)
        if not line:
            raise Closed
        return json.loads(line)
