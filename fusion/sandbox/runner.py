"""Starts a sandbox for each run, waits for its verdict no longer than allowed, and leaves no process behind."""

from __future__ import annotations

import contextlib
import functools
import json
import os
import re
import secrets
import signal
import subprocess
import sys
import sysconfig
import tempfile
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from .inside.confine import PR_SET_DUMPABLE
from .inside.landlock import landlock_version

HERE = Path(__file__).parent
START = (
    "import sys; sys.path[len(sys.path):] = {paths}; from inside.judge import main; sys.path.remove({here!r}); main()"
)

OWN = ("graphrouter", "fusion", "experiments")
"""Folders of installed packages that graded code cannot read."""
PACKAGES = ("site-packages", "dist-packages")
SYSTEM = (
    "/lib", "/lib64", "/usr/lib", "/usr/lib64", "/etc/ld.so.cache", "/etc/localtime", "/usr/share/zoneinfo",
    "/dev/null", "/dev/zero", "/dev/random", "/dev/urandom",
)  # fmt: skip
"""Shared libraries, time zones and random numbers."""
SECRET = re.compile(r"KEY|TOKEN|SECRET|PASS|CREDENTIAL|AUTH", re.IGNORECASE)
SHORTEST_SECRET = 8  # a shorter value may be a word like any other
NO_FILTER = (
    "this system cannot filter system calls, so code is graded behind Python's audit hook and resource limits only: "
    "they stop careless code, not code written to break out"
)
NO_LANDLOCK = (
    "this kernel has no Landlock (Linux 5.13 and later), so code that is graded can read what this user can read, other "
    "processes' environments and command lines among it, though not this process's memory; grade as a user who owns no keys"
)


@dataclass(frozen=True)
class Limits:
    """How much a run may use.

    Attributes:
        wall_s: Seconds by the clock, the start of the interpreter included.
        cpu_s: Seconds of CPU time of the code, and as many of the tests.
        memory_mb: Address space in MiB; resident memory where the system does not limit the former.
    """

    wall_s: float = 10.0
    cpu_s: float = 8.0
    memory_mb: int = 512


@dataclass(frozen=True)
class Verdict:
    """The outcome of a run.

    Attributes:
        passed: Whether every test passed.
        reason: ``passed``, or why not, in one line.
    """

    passed: bool
    reason: str


def run_tests(
    code: str,
    tests: str,
    names: Sequence[str],
    setup: str = "",
    limits: Limits | None = None,
    seccomp: bool = True,
) -> Verdict:
    """Run tests against untrusted code. May be called from several threads at once.

    Args:
        code: Python that nobody has read. It runs as a module that is not ``__main__``.
        tests: Python that raises where the code is wrong.
        names: Names of the code that the tests use, such as its function. They see nothing else of it.
        setup: Python that runs before the tests and beside the code: imports and helpers of the tests.
        limits: How much the run may use; None for the defaults.
        seccomp: Whether to filter system calls where the system can; False leaves the weaker isolation only.

    Returns:
        The verdict. Code that cannot be run, is stopped, or ends early has not passed.
    """
    limits = limits or Limits()
    _hide_this_process()
    token = secrets.token_hex(16)
    job = {"code": code, "tests": tests, "names": list(names), "setup": setup, "token": token}
    settings = json.dumps([limits.cpu_s, limits.wall_s, limits.memory_mb, seccomp, *_visible()])
    with tempfile.TemporaryDirectory(prefix="sandbox-") as folder:
        output = _run([*_command(), settings], json.dumps(job).encode(), folder, limits.wall_s)
    if output is None:
        return Verdict(False, f"stopped after {limits.wall_s:g} s")
    try:
        given, passed, reason, filtered, hidden = json.loads(output.partition(b"\n")[2])
    except ValueError:
        return Verdict(False, "the tests ended without a verdict")
    if given != token:
        return Verdict(False, "the verdict is forged")
    if seccomp and not filtered:
        _warn_once(NO_FILTER)
    elif seccomp and not hidden:
        _warn_once(NO_LANDLOCK)
    return Verdict(passed, without_secrets(reason))


def _run(command: list[str], job: bytes, folder: str, wall_s: float) -> bytes | None:
    """Return the sandbox's output, or None when it took too long. All its processes have ended then."""
    process = subprocess.Popen(
        command,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        cwd=folder,
        env=_environment(),
        start_new_session=True,
    )
    output = b""
    try:
        output, _ = process.communicate(job, wall_s)
        return output
    except subprocess.TimeoutExpired as late:
        output = late.stdout or b""
        return None
    finally:
        _end(process, output)


def _end(process: subprocess.Popen[bytes], output: bytes) -> None:
    """Kill what is left: the candidate's process first, while its parent still holds its id, then the group."""
    if process.returncode == 0:
        return  # its last act was to see the candidate's process end
    child = output.partition(b"\n")[0]
    if process.returncode is None and child.isdigit():
        _signal(os.kill, int(child))
    _signal(os.killpg, process.pid)
    process.communicate()


def _signal(send: Callable[[int, int], None], target: int) -> None:
    with contextlib.suppress(
        ProcessLookupError, PermissionError
    ):  # it ended meanwhile; macOS says so in the second way
        send(target, signal.SIGKILL)


@functools.cache
def _command() -> list[str]:
    packages = [sysconfig.get_path(which) for which in ("purelib", "platlib")]
    paths = [str(HERE), *dict.fromkeys(packages)]
    start = START.format(paths=paths, here=str(HERE))
    return [sys.executable, "-S", "-s", "-P", "-B", "-X", "utf8", "-c", start]


def _environment() -> dict[str, str]:
    """Return the environment that the interpreter needs to start, and nothing that could hold a key."""
    needed = {name: os.environ[name] for name in ("LD_LIBRARY_PATH", "PYTHONHOME") if name in os.environ}
    return {**needed, "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "PYTHONHASHSEED": "0"}


def without_secrets(text: str) -> str:
    """Cut values out of a text that this process has in environment variables named like a secret, and half surrogates.

    Graded code should never have seen them; a reason that is kept must not hold them if it has.
    """
    for name, value in os.environ.items():
        if SECRET.search(name) and len(value) >= SHORTEST_SECRET:
            text = text.replace(value, "***")
    return text.encode("utf-8", "replace").decode()


@functools.cache
def _hide_this_process() -> None:
    """Let no process of the same user look into this one, where the kernel has no Landlock to do it for the sandbox alone."""
    if sys.platform == "linux" and not landlock_version():
        import ctypes

        ctypes.CDLL(None).prctl(PR_SET_DUMPABLE, 0, 0, 0, 0)


@functools.cache
def _visible() -> tuple[list[str], list[str]]:
    """Return the paths that an interpreter needs: files and folders that it reads, and folders that it only lists.

    The standard library and the packages beside it, without this project's own, so that a log or a task that is installed
    among them cannot be read.
    """
    paths = (Path(sysconfig.get_path(which)).resolve() for which in ("stdlib", "platstdlib", "purelib", "platlib"))
    folders = [folder for folder in dict.fromkeys(paths) if folder.is_dir()]
    parts = [str(part) for folder in folders for part in _without_own(folder)]
    return list(dict.fromkeys(map(os.path.realpath, (*parts, *SYSTEM)))), list(map(str, folders))


def _without_own(folder: Path) -> list[Path]:
    """Return the folder itself where nothing of this project is installed in it, else its other entries."""
    entries = list(folder.iterdir())
    nested = {entry: _without_own(entry) for entry in entries if entry.name in PACKAGES and entry.is_dir()}
    if not any(entry.name in OWN for entry in entries) and all(parts == [entry] for entry, parts in nested.items()):
        return [folder]
    others = [entry for entry in entries if entry.name not in OWN and entry not in nested]
    return [*others, *(part for parts in nested.values() for part in parts)]


@functools.cache
def _warn_once(message: str) -> None:
    warnings.warn(message, stacklevel=4)
