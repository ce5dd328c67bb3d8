"""Takes from a process the power to harm: resource limits, a filter of system calls, and an audit hook behind it."""

from __future__ import annotations

import errno
import os
import struct
import sys
from collections.abc import Callable
from typing import Any, NamedTuple

from .landlock import restrict
from .syscalls import ARCHITECTURES, KNOWN_END, by_argument, denied

ALLOW, ERRNO, KILL = 0x7FFF0000, 0x00050000, 0x80000000
LOAD, EQUAL, AT_LEAST, ANY_BIT, RETURN = 0x20, 0x15, 0x35, 0x45, 0x06  # instructions of classic BPF
NUMBER, ARCHITECTURE, ARGUMENTS = 0, 4, 16  # offsets within the kernel's struct seccomp_data
WRITES = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC
CLONE_THREAD = 0x10000
PR_SET_PDEATHSIG, PR_SET_DUMPABLE, PR_GET_SECCOMP, PR_SET_SECCOMP, PR_SET_NO_NEW_PRIVS = 1, 4, 21, 22, 38
F_SETOWN, F_SETSIG, F_SETOWN_EX = 8, 10, 15  # with these the kernel signals a process of one's choice
F_SETLK, F_SETLKW, F_OFD_SETLK, F_OFD_SETLKW, F_SETLEASE, F_NOTIFY = 6, 7, 37, 38, 1024, 1026  # locks and their like
HARMLESS_IOCTLS = (0x5401, 0x5413, 0x541B, 0x5421, 0x5450, 0x5451)  # TCGETS, TIOCGWINSZ, FIONREAD, FIONBIO, FIO(N)CLEX
DENIED_FCNTLS = (F_SETOWN, F_SETSIG, F_SETOWN_EX, F_SETLK, F_SETLKW, F_OFD_SETLK, F_OFD_SETLKW, F_SETLEASE, F_NOTIFY)
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
        readable: Files and folders that Python needs to read; it may read no others.
        listable: Folders whose names of files it may list.
    """

    cpu_s: float
    wall_s: float
    memory_mb: int
    seccomp: bool
    readable: list[str]
    listable: list[str]


def confine(settings: Settings, may_signal: tuple[int, ...], ruleset: int | None) -> None:
    """Confine this process for good.

    Args:
        settings: How much it may use.
        may_signal: Ids of the processes that it may send a signal to.
        ruleset: From `landlock.make_ruleset`, or None where the system has no Landlock.
    """
    _set_limits(settings)
    if sys.platform == "linux":
        _hide(ruleset)
    sys.addaudithook(_hook(may_signal, settings))
    if settings.seccomp:
        _install_filter(may_signal)


def _hide(ruleset: int | None) -> None:
    """Drop all privileges, and let no process of the same user look into this one, nor this one into others."""
    import ctypes

    libc = ctypes.CDLL(None, use_errno=True)
    capabilities = struct.pack("=Ii", CAPABILITIES_V3, 0)
    libc.capset(capabilities, bytes(24))  # root becomes a user like any other; for others there is nothing to drop
    libc.prctl(PR_SET_DUMPABLE, 0, 0, 0, 0)
    libc.prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0)
    if libc.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0):
        raise OSError(ctypes.get_errno(), "the kernel does not let a process give up new privileges")
    if ruleset is not None:
        restrict(ruleset)


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
    if sys.platform != "darwin":  # which takes this limit and ignores it
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


def _hook(may_signal: tuple[int, ...], settings: Settings) -> Callable[[str, tuple[Any, ...]], None]:
    """Return an audit hook that refuses what the filter refuses, with a readable error, as far as Python tells of it."""
    events, imports, writes = DENIED_EVENTS, DENIED_IMPORTS, WRITES  # in a closure, away from code that looks for them
    real, decode, here = os.path.realpath, os.fsdecode, os.getcwd()  # noqa: PTH109 - pathlib takes long to import
    filtered = settings.seccomp
    readable = tuple(path + "/" for path in (*settings.readable, here))
    listable = (*readable, *(path + "/" for path in settings.listable))

    def hidden(path: Any, visible: tuple[str, ...]) -> bool:
        # a number is a file that is open already
        return not isinstance(path, int) and not (real(decode("." if path is None else path)) + "/").startswith(visible)

    def refuse(event: str, args: tuple[Any, ...]) -> None:
        bad = event in events or event.startswith("socket.")
        if event == "open":
            bad = not isinstance(args[0], int) and (bool(args[2] & writes) or hidden(args[0], readable))
        elif event in ("os.listdir", "os.scandir"):
            bad = hidden(args[0], listable)
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

    class FilterProgram(ctypes.Structure):
        _fields_ = [("length", ctypes.c_ushort), ("code", ctypes.c_void_p)]

    libc = ctypes.CDLL(None, use_errno=True)
    code = b"".join(struct.pack("=HBBI", *step) for step in program(may_signal))
    buffer = ctypes.create_string_buffer(code, len(code))
    steps = FilterProgram(len(code) // 8, ctypes.cast(buffer, ctypes.c_void_p))
    if libc.prctl(PR_SET_SECCOMP, FILTER_MODE, ctypes.byref(steps), 0, 0):
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
        ("fcntl", 1, [(EQUAL, 1, 0, command) for command in DENIED_FCNTLS], False),
        ("ioctl", 1, [(EQUAL, 1, 0, command) for command in HARMLESS_IOCTLS], True),
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
