"""Values between the process with the tests and the one with the candidate's code: plain data crosses, objects stay."""

from __future__ import annotations

import json
import os
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


class Closed(Exception):
    """The other side has gone."""


def pack(value: Any, refer: Callable[[Any], Any]) -> Any:
    """Return a value as JSON can hold it; what is not plain data is left to `refer`.

    Subclasses of plain types become the plain type, so no method of theirs reaches the other side.
    """
    if value is None or isinstance(value, (bool, str)):
        return value
    if isinstance(value, int):
        return value if -PLAIN < value < PLAIN else ["int", hex(value)]
    if isinstance(value, float):
        return float(value)
    for tag, (kind, _) in SEQUENCES.items():
        if isinstance(value, kind):
            return [tag, *(pack(item, refer) for item in value)]
    if isinstance(value, dict):
        return ["dict", *([pack(key, refer), pack(item, refer)] for key, item in value.items())]
    if isinstance(value, (Iterator, ValuesView, ItemsView)):
        from itertools import islice

        return ["iterator", *(pack(item, refer) for item in islice(value, MOST_ITEMS))]
    return _pack_rare(value, refer)


def _pack_rare(value: Any, refer: Callable[[Any], Any]) -> Any:
    import collections
    import decimal
    import fractions
    import numbers

    if isinstance(value, (bytes, bytearray)):
        return [type(value).__name__, value.hex()]
    if isinstance(value, complex):
        return ["complex", value.real, value.imag]
    if isinstance(value, range):
        return ["range", value.start, value.stop, value.step]
    if isinstance(value, collections.deque):
        return ["deque", *(pack(item, refer) for item in value)]
    if isinstance(value, (decimal.Decimal, fractions.Fraction)):
        return [type(value).__name__, str(value)]
    if isinstance(value, type) and TYPES.get(value.__name__) is value:
        return ["type", value.__name__]
    if isinstance(value, numbers.Integral):  # numpy's
        return pack(int(value), refer)
    if isinstance(value, numbers.Real):
        return pack(float(value), refer)
    return ["object", refer(value)]


def unpack(data: Any, resolve: Callable[[Any], Any]) -> Any:
    """Return the value that `pack` was given; `resolve` finds what was left to `refer`.

    Raises:
        ValueError: If the data has another form.
    """
    if not isinstance(data, list):
        return data
    tag, *items = data
    if tag == "object":
        return resolve(items[0])
    if tag in ("list", "tuple", "set", "frozenset", "keys", "iterator", "deque"):
        return _sequence(tag, [unpack(item, resolve) for item in items])
    if tag == "dict":
        return {unpack(key, resolve): unpack(item, resolve) for key, item in items}
    return _unpack_rare(tag, items)


def _sequence(tag: str, items: list[Any]) -> Any:
    if tag == "iterator":
        return iter(items)
    if tag == "deque":
        from collections import deque

        return deque(items)
    return SEQUENCES[tag][1](items)


def _unpack_rare(tag: str, items: list[Any]) -> Any:
    if tag == "int":
        return int(items[0], 16)
    if tag == "complex":
        return complex(*items)
    if tag == "bytes":
        return bytes.fromhex(items[0])
    if tag == "bytearray":
        return bytearray.fromhex(items[0])
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
