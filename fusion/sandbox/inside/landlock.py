"""Takes from a process the right to read files, but for those that Python itself needs (Landlock, Linux 5.13 and later).

The kernel also keeps a process under Landlock from looking into any process outside: its environment, memory, open files.
"""

from __future__ import annotations

import os
import struct
import sys
from collections.abc import Iterable

CREATE_RULESET, ADD_RULE, RESTRICT_SELF = 444, 445, 446  # the same numbers on every architecture
VERSION_FLAG, PATH_BENEATH = 1, 1
READ_FILE, READ_DIR = 1 << 2, 1 << 3
FILE_RIGHTS = {1: 13, 2: 14, 3: 15, 4: 15}
"""Kinds of access to files that each version of Landlock knows, as bits from the lowest on; 16 from version 5 on."""
NETWORK_SINCE, SCOPES_SINCE = 4, 6


def landlock_version() -> int:
    """Return the version of Landlock that this system has, 0 where it has none."""
    if sys.platform != "linux":
        return 0
    return max(0, _call(CREATE_RULESET, None, 0, VERSION_FLAG))


def make_ruleset(readable: Iterable[str], listable: Iterable[str]) -> int:
    """Return the descriptor of rules that allow reading of some files and folders and nothing else.

    Args:
        readable: Files, and folders with all that is below them; those that are absent are left out.
        listable: Folders whose names of files may be listed, and those below.

    Raises:
        OSError: If the kernel refuses.
    """
    version = landlock_version()
    fields = [(1 << FILE_RIGHTS.get(version, 16)) - 1]
    fields += [0b11] if version >= NETWORK_SINCE else []
    fields += [0b01] if version >= SCOPES_SINCE else []  # abstract sockets; the judge must be able to end its child
    about = struct.pack(f"={len(fields)}Q", *fields)
    ruleset = _call(CREATE_RULESET, about, len(about), 0)
    if ruleset < 0:
        raise OSError("the kernel takes no Landlock rules")
    for path in readable:
        folder = os.path.isdir(path)  # noqa: PTH112 - pathlib takes long to import
        _allow(ruleset, path, READ_FILE | READ_DIR if folder else READ_FILE)
    for path in listable:
        _allow(ruleset, path, READ_DIR)
    return ruleset


def _allow(ruleset: int, path: str, rights: int) -> None:
    try:
        place = os.open(path, os.O_PATH | os.O_CLOEXEC)
    except OSError:
        return
    if _call(ADD_RULE, ruleset, PATH_BENEATH, struct.pack("=Qi", rights, place), 0):
        raise OSError(f"the kernel takes no Landlock rule for {path}")
    os.close(place)


def restrict(ruleset: int) -> None:
    """Put this process under the rules for good, and close them. No new privileges must be set before.

    Raises:
        OSError: If the kernel refuses.
    """
    if _call(RESTRICT_SELF, ruleset, 0):
        raise OSError("the kernel takes no Landlock rules for this process")
    os.close(ruleset)


def _call(number: int, *arguments: int | bytes | None) -> int:
    import ctypes

    libc = ctypes.CDLL(None)
    given = [ctypes.c_char_p(value) if isinstance(value, bytes) else ctypes.c_void_p(value) for value in arguments]
    return int(ctypes.c_long(libc.syscall(ctypes.c_long(number), *given)).value)
