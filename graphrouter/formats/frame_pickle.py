"""Tables from pickles of pandas DataFrames, without pandas and without running anything that a pickle names.

A pickle is a program: whoever loads it calls whatever it names. Here every name must be one of `KINDS`, and what such a
name stands for is never imported: an inert node takes its place and only records what it was given. The table is then
read off the tree of nodes. So neither a harmful name nor a harmful use of a harmless one can run, and pickles of every
pandas from 1.3 on are read alike (the layout of ``BlockManager.__reduce__``; checked with 1.5, 2.0, 2.3 and 3.1).

Why pandas does not read them under a list of allowed names: ``numpy.dtype``, ``numpy.ndarray`` and ``_reconstruct`` would have to be
on it, and a pickle of these alone gives an array bytes first and the type 'object' afterwards, which makes of the bytes
pointers of the pickle's own choice (NumPy 2 ends with a segmentation fault, and a better choice of bytes is worse).
"""

from __future__ import annotations

import pickle
import re
from pathlib import Path
from typing import Any

import numpy as np

from graphrouter.errors import UserError

NUMBERS = re.compile(r"[fiub][1248]")
KINDS = {
    "frame": ("pandas.core.frame.DataFrame", "pandas.DataFrame"),
    "manager": ("pandas.core.internals.managers.BlockManager",),
    "block": ("pandas._libs.internals._unpickle_block",),
    "index": ("pandas.core.indexes.base._new_Index",),
    "index class": (
        "pandas.core.indexes.base.Index",
        "pandas.core.indexes.range.RangeIndex",
        "pandas.core.indexes.numeric.Int64Index",
        "pandas.Index",
        "pandas.RangeIndex",
    ),
    "array": ("numpy.core.multiarray._reconstruct", "numpy._core.multiarray._reconstruct"),
    "buffer": ("numpy.core.numeric._frombuffer", "numpy._core.numeric._frombuffer"),
    "scalar": ("numpy.core.multiarray.scalar", "numpy._core.multiarray.scalar"),
    "array class": ("numpy.ndarray",),
    "dtype": ("numpy.dtype",),
    "slice": ("builtins.slice", "__builtin__.slice"),
    "byte array": ("builtins.bytearray", "__builtin__.bytearray", "builtins.bytes", "__builtin__.bytes"),
    "missing": ("pandas.NA", "pandas._libs.missing.NA"),
    "encoded": ("_codecs.encode",),
    "strings": ("pandas.arrays.ArrowStringArray", "pandas.core.arrays.string_arrow.ArrowStringArray"),
    "object strings": ("pandas._libs.arrays.__pyx_unpickle_NDArrayBacked",),
    "object string class": ("pandas.arrays.StringArray", "pandas.core.arrays.string_.StringArray"),
    "string class": ("pandas.StringDtype", "pandas.core.arrays.string_.StringDtype"),
    "arrow array": ("pyarrow.lib._restore_array",),
    "arrow chunks": ("pyarrow.lib.chunked_array",),
    "arrow type": ("pyarrow.lib.type_for_alias",),
    "arrow bytes": ("pyarrow.lib.py_buffer",),
}
"""Global names in a pickled DataFrame of texts and numbers, by their meaning here."""

STRINGS = ("strings", "object strings")
"""pandas 3's columns of texts, with pyarrow and without; each is a block of its own, of one dimension."""


class Refused(pickle.UnpicklingError):
    """A name that a table does not need."""


class _Node:
    """Stands for an object: what it was made from, and the state that it was given. A pickle can set nothing else."""

    __slots__ = ("args", "state")
    kind = ""
    args: tuple[Any, ...]
    state: Any

    def __new__(cls, *args: Any, **_: Any) -> _Node:
        node = super().__new__(cls)
        node.args, node.state = args, None
        return node

    def __setstate__(self, state: Any) -> None:
        self.state = state


NODES = {name: type(kind, (_Node,), {"kind": kind, "__slots__": ()}) for kind, names in KINDS.items() for name in names}


class _TableUnpickler(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> Any:
        try:
            return NODES[f"{module}.{name}"]
        except KeyError:
            raise Refused(f"it names {module}.{name}, which a table of texts and numbers does not need") from None


def read_frame(file: Path) -> dict[str, list[Any]]:
    """Read a pickled DataFrame.

    Args:
        file: As ``DataFrame.to_pickle`` writes it, not compressed.

    Returns:
        The cells by column, in the order of the columns. Missing cells are None or NaN.

    Raises:
        UserError: If it is anything but a DataFrame of texts and numbers. Nothing that it names is run.
    """
    try:
        with file.open("rb") as stream:
            return _table(_TableUnpickler(stream).load())
    except OSError as error:
        raise UserError(f"{file} must be a file that can be read, but {error.strerror or error}") from None
    except Refused as error:
        raise UserError(
            f"{file} must hold a pickled table and nothing else, but {error}; nothing of it was run. Where you trust it, "
            "save the table as CSV or Parquet"
        ) from None
    except Exception as error:  # a broken or hostile pickle can fail in any way
        reason = f"{type(error).__name__}: {error}".strip().splitlines()[0]
        raise UserError(
            f"{file} must be a DataFrame as pandas pickles it, but cannot be read ({reason}); fetch it again, or save it "
            "as CSV or Parquet"
        ) from None


def _table(frame: Any) -> dict[str, list[Any]]:
    manager = _of("frame", frame).state["_mgr"]
    blocks, axes = _of("manager", manager).args
    columns = [str(name) for name in _values(_of("index", axes[0]).args[1]["data"])]
    cells: dict[str, list[Any]] = {}
    for block in blocks if isinstance(blocks, tuple | list) else ():
        values, place = _of("block", block).args[:2]
        rows = [_values(values)] if _kind(values) in STRINGS else _values(values)
        places = range(*place.args) if _kind(place) == "slice" else _values(place)
        for row, at in zip(rows, places, strict=True):
            cells[columns[at]] = row
    if len(cells) != len(columns) or len({len(row) for row in cells.values()}) > 1:
        raise ValueError("its blocks do not fit its columns")
    return {name: [_cell(value) for value in cells[name]] for name in columns}


def _kind(value: Any) -> str:
    return value.kind if isinstance(value, _Node) else type(value).__name__


def _of(kind: str, value: Any) -> _Node:
    if _kind(value) != kind:
        raise ValueError(f"a {kind} is expected where it has a {_kind(value)}")
    return value  # type: ignore[no-any-return]


def _values(node: Any) -> list[Any]:
    """Return an array of one or two dimensions as a list, or a list of lists."""
    values: list[Any]
    if _kind(node) == "strings":
        return _strings(node)
    if _kind(node) == "object strings":
        return _values(node.state[1])
    if _kind(node) == "buffer":
        data, dtype, shape, order = node.args
    else:
        _, shape, dtype, fortran, data = _of("array", node).state
        order = "F" if fortran else "C"
    if str(_of("dtype", dtype).args[0])[0] != "O":
        values = np.frombuffer(_bytes(data), _dtype(dtype)).reshape(shape, order=order).tolist()
        return values
    array = np.empty(len(data), dtype=object)
    for at, value in enumerate(data):  # an assignment of the whole list would spread lists over cells
        array[at] = value
    values = array.reshape(shape).tolist()  # objects are listed row by row, whatever the order in memory was
    return values


def _dtype(node: _Node) -> np.dtype[Any]:
    code = str(node.args[0])
    if not NUMBERS.fullmatch(code):
        raise ValueError(f"a column has the type {code!r}, which is neither text nor a number")
    return np.dtype(">" + code if node.state and node.state[1] == ">" else "<" + code)


def _bytes(value: Any) -> bytes:
    kind = _kind(value)
    if kind == "encoded":  # protocols 0 to 2 write bytes as text
        text, encoding = value.args
        if encoding != "latin1":
            raise ValueError(f"bytes are encoded as {encoding!r}")
        return str(text).encode("latin1")
    if kind in ("byte array", "arrow bytes"):
        return _bytes(value.args[0]) if value.args else b""
    if not isinstance(value, bytes | bytearray):
        raise ValueError(f"bytes are expected where it has a {kind}")
    return bytes(value)


def _cell(value: Any) -> Any:
    if value is None or isinstance(value, str | float):
        return value
    if _kind(value) == "scalar":
        dtype, data = value.args
        return np.frombuffer(_bytes(data), _dtype(dtype))[0].item()
    if value in (NODES["pandas.NA"], NODES["pandas._libs.missing.NA"]):
        return None
    if isinstance(value, _Node | type):
        raise ValueError(f"a cell holds a {_kind(value)}")
    return value


def _strings(node: Any) -> list[str | None]:
    """Return the texts of pandas 3's string columns, which are Arrow arrays."""
    state = node.state
    array = state["_pa_array"] if isinstance(state, dict) else state[0]
    if _kind(array) == "arrow chunks":
        return [text for chunk in array.args[0] for text in _arrow_texts(chunk)]
    return _arrow_texts(array)


def _arrow_texts(node: Any) -> list[str | None]:
    """Decode an Arrow string array: validity bits, offsets, bytes.

    Source: https://arrow.apache.org/docs/format/Columnar.html.
    """
    kind, length, _, start, buffers, *_ = _of("arrow array", node).args[0]
    width = {"string": "<i4", "large_string": "<i8"}[_of("arrow type", kind).args[0]]
    if not length:
        return []
    valid, offsets, data = (None if buffer is None else _bytes(buffer) for buffer in buffers)
    bounds = np.frombuffer(offsets or b"", width)[start : start + length + 1].tolist()
    here = [1] * (len(bounds) - 1)
    if valid is not None:
        here = np.unpackbits(np.frombuffer(valid, np.uint8), bitorder="little")[start : start + length].tolist()
    if len(bounds) != length + 1 or len(here) != length:
        raise ValueError("a column of texts is shorter than it says")
    whole = data or b""
    ends = zip(bounds, bounds[1:], here, strict=False)
    return [whole[low:high].decode("utf-8") if there else None for low, high, there in ends]
