"""Takes from a process the power to harm: resource limits, a filter of system calls, and an audit hook behind it."""

from __future__ import annotations

import errno
import os
import struct
import sys
from collections.abc import Callable
from typing import Any, NamedTuple

from .syscalls import ARCHITECTURES, KNOWN_END, by_argument, denied

ALLOW, ERRNO, KILL = 0x7FFF0000, 0x00050000, 0x80000000
LOAD, EQUAL, AT_LEAST, ANY_BIT, RETURN = 0x20, 0x15, 0x35, 0x45, 0x06  # instructions of classic BPF
NUMBER, ARCHITECTURE, ARGUMENTS = 0, 4, 16  # offsets within the kernel's struct seccomp_data
WRITES = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC
CLONE_THREAD = 0x10000
PR_SET_PDEATHSIG, PR_SET_DUMPABLE, PR_GET_SECCOMP, PR_SET_SECCOMP, PR_SET_NO_NEW_PRIVS = 1, 4, 21, 22, 38
F_SETOWN, F_SETSIG, F_SETOWN_EX = 8, 10, 15  # with these the kernel signals a process of one's choice
SIGKILL, FILTER_MODE, CAPABILITIES_V3 = 9, 2, 0x20080522

DENIED_EVENTS = frozenset(
    [
        "os.fork",
        "os.forkpty",
        "os.posix_spawn",
        "os.exec",
        "os.spawn",
        "os.system",
        "os.startfile",
        "subprocess.Popen",
        "pty.spawn",
        "os.killpg",
        "signal.pthread_kill",
        "os.remove",
        "os.rename",
        "os.rmdir",
        "os.mkdir",
        "os.link",
        "os.symlink",
        "os.truncate",
        "os.chmod",
        "os.chown",
        "os.chflags",
        "os.utime",
        "os.setxattr",
        "os.removexattr",
    ]
)
DENIED_IMPORTS = frozenset(
    ["ctypes", "_ctypes", "_sqlite3", "_dbm", "_gdbm", "readline", "_posixshmem", "_multiprocessing", "_testcapi"]
)


class Settings(NamedTuple):
    """How a process is confined.

    Attributes:
        cpu_s: Seconds of CPU time.
        wall_s: Seconds by the clock.
        memory_mb: Address space in MiB; resident memory where the system does not limit the former.
        seccomp: Whether to filter system calls.
    """

    cpu_s: float
    wall_s: float
    memory_mb: int
    seccomp: bool


def confine(settings: Settings, may_signal: tuple[int, ...]) -> None:
    """Confine this process for good.

    Args:
        settings: How much it may use.
        may_signal: Ids of the processes that it may send a signal to.
    """
    _set_limits(settings)
    sys.addaudithook(_hook(may_signal, settings.seccomp))
    if settings.seccomp:
        _install_filter(may_signal)


def _set_limits(settings: Settings) -> None:
    import resource
    import signal

    signal.setitimer(signal.ITIMER_REAL, settings.wall_s + 2)  # the end, should the process outside have died
    seconds = int(-(-settings.cpu_s // 1))
    for which, value in (
        (resource.RLIMIT_CPU, seconds),
        (resource.RLIMIT_FSIZE, 0),
        (resource.RLIMIT_CORE, 0),
        (resource.RLIMIT_NOFILE, 64),
    ):
        resource.setrlimit(which, (value, value))
    if sys.platform != "darwin":  # which takes this limit and does not heed it
        resource.setrlimit(resource.RLIMIT_AS, (settings.memory_mb << 20, settings.memory_mb << 20))
    if not settings.seccomp:
        _watch_memory(settings.memory_mb)
        resource.setrlimit(resource.RLIMIT_NPROC, (0, 0))  # no forks; root is exempt, and threads count on Linux


def _watch_memory(memory_mb: int) -> None:
    """End this process soon after it has used more.

    The peak that the system tells begins with that of the process that started this one, which may be larger.
    """
    import resource
    import threading
    import time

    unit = 1 if sys.platform == "darwin" else 1024

    def peak() -> int:
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit

    limit = max(memory_mb << 20, peak())

    def watch() -> None:
        while peak() <= limit:
            time.sleep(0.01)
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


def _hook(may_signal: tuple[int, ...], filtered: bool) -> Callable[[str, tuple[Any, ...]], None]:
    """Return an audit hook that refuses what the filter refuses, with a readable error, as far as Python tells of it."""
    events, imports, writes = DENIED_EVENTS, DENIED_IMPORTS, WRITES  # in a closure, away from code that looks for them

    def refuse(event: str, args: tuple[Any, ...]) -> None:
        bad = event in events or event.startswith("socket.")
        if event == "open":
            bad = not isinstance(args[0], int) and bool(args[2] & writes)  # a number is a file that is open already
        elif event == "os.kill":
            bad = args[0] not in may_signal
        elif event == "import" and not filtered and args[0] in imports:
            raise ImportError(f"the sandbox does not have {args[0]}")
        if bad:
            raise PermissionError(f"the sandbox does not allow {event}")

    return refuse


def can_filter() -> bool:
    """Return whether this system can filter system calls."""
    if sys.platform != "linux" or os.uname().machine not in ARCHITECTURES:
        return False
    try:
        import ctypes
    except ImportError:
        return False
    return bool(ctypes.CDLL(None).prctl(PR_GET_SECCOMP, 0, 0, 0, 0) == 0)


def _install_filter(may_signal: tuple[int, ...]) -> None:
    import ctypes

    class Program(ctypes.Structure):
        _fields_ = [("length", ctypes.c_ushort), ("code", ctypes.c_void_p)]

    libc = ctypes.CDLL(None, use_errno=True)
    code = b"".join(struct.pack("=HBBI", *step) for step in program(may_signal))
    buffer = ctypes.create_string_buffer(code, len(code))
    capabilities = struct.pack("=Ii", CAPABILITIES_V3, 0)
    libc.capset(capabilities, bytes(24))  # root becomes a user like any other; for others there is nothing to drop
    libc.prctl(PR_SET_DUMPABLE, 0, 0, 0, 0)  # no process of the same user can look into this one
    libc.prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0)
    steps = Program(len(code) // 8, ctypes.cast(buffer, ctypes.c_void_p))
    done = libc.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0
    if not done or libc.prctl(PR_SET_SECCOMP, FILTER_MODE, ctypes.byref(steps), 0, 0):
        raise OSError(ctypes.get_errno(), "the kernel takes no filter of system calls")


Step = tuple[int, int, int, int]


def program(may_signal: tuple[int, ...]) -> list[Step]:
    """Return the filter as BPF instructions (code, steps to skip if true, if false, value).

    Denied calls get EPERM, and calls that are newer than this file ENOSYS. Threads can be started, processes cannot;
    files can be opened for reading only.
    """
    column, architecture = ARCHITECTURES[os.uname().machine]
    calls = by_argument(column)
    refuse: Step = (RETURN, 0, 0, ERRNO | errno.EPERM)
    missing: Step = (RETURN, 0, 0, ERRNO | errno.ENOSYS)
    steps: list[Step] = [
        (LOAD, 0, 0, ARCHITECTURE),
        (EQUAL, 1, 0, architecture),
        (RETURN, 0, 0, KILL),
        (LOAD, 0, 0, NUMBER),
        *((AT_LEAST, 0, 1, KNOWN_END), missing),  # those of the x32 interface, too
        *((EQUAL, 0, 1, calls["clone3"]), missing),  # its flags are out of a filter's reach; libc falls back to clone
    ]
    for number in denied(column):
        steps += [(EQUAL, 0, 1, number), refuse]
    for name, argument, test, good in (
        ("open", 1, [(ANY_BIT, 1, 0, WRITES)], False),
        ("openat", 2, [(ANY_BIT, 1, 0, WRITES)], False),
        ("clone", 0, [(ANY_BIT, 1, 0, CLONE_THREAD)], True),
        ("kill", 0, [(EQUAL, 1, 0, pid) for pid in may_signal], True),
        ("tgkill", 0, [(EQUAL, 1, 0, pid) for pid in may_signal], True),
        ("prlimit64", 0, [(EQUAL, 1, 0, 0)], True),
        ("prctl", 0, [(EQUAL, 1, 0, PR_SET_PDEATHSIG)], False),
        ("fcntl", 1, [(EQUAL, 1, 0, command) for command in (F_SETOWN, F_SETSIG, F_SETOWN_EX)], False),
    ):
        if name in calls:
            steps += _if_argument(calls[name], argument, test, good, refuse)
    return [*steps, (RETURN, 0, 0, ALLOW)]


def _if_argument(number: int, argument: int, tests: list[Step], good: bool, refuse: Step) -> list[Step]:
    """Refuse a call unless one of the tests holds (``good``), or refuse it if one does."""
    allow: Step = (RETURN, 0, 0, ALLOW)
    steps = [(code, len(tests) - i, 0, value) for i, (code, _, _, value) in enumerate(tests)]
    ends = [refuse, allow] if good else [allow, refuse]
    return [(EQUAL, 0, len(steps) + 3, number), (LOAD, 0, 0, ARGUMENTS + 8 * argument), *steps, *ends]
