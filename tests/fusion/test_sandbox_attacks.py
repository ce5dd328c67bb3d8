"""Code that would harm or cheat is stopped and scores 0. Each piece of code here would pass if nothing stopped it."""

import os
import socket
import subprocess
import time
from pathlib import Path

import pytest

from fusion.sandbox import Limits, run_tests
from fusion.sandbox.inside.confine import can_filter

both = pytest.mark.parametrize("seccomp", [True, False], ids=["seccomp", "audit"])
needs_filter = pytest.mark.skipif(not can_filter(), reason="this system cannot filter system calls")
TIGHT = Limits(wall_s=10, cpu_s=1, memory_mb=256)
GOOD = "\ndef f(x):\n    return x + 1\n"
TEST = "assert f(1) == 2"

ATTACKS = {
    "forks": "import os\nif os.fork() == 0:\n    os._exit(0)",
    "forks in C": "import os\nif os.forkpty()[0] == 0:\n    os._exit(0)",
    "starts a program": "import subprocess\nsubprocess.run(['true'])",
    "starts a shell": "import os\nos.system('true')",
    "spawns": "import os\nos.posix_spawn('/bin/true', ['true'], {})",
    "multiprocessing": "import multiprocessing as m\np = m.get_context('fork').Process(target=abs, args=(1,))\np.start()\np.join()",
    "allocates at once": "x = bytearray(1 << 30)",
    "allocates bit by bit": "x = [bytearray(1 << 20) for _ in range(1024)]",
    "maps memory": "import mmap\nx = mmap.mmap(-1, 1 << 30)\nfor i in range(0, 1 << 30, 4096):\n    x[i] = 1",
    "spins": "import time\nwhile time.process_time() < 2.5:\n    pass",
    "prints a gigabyte": "for _ in range(1024):\n    print('x' * (1 << 20))",
    "writes a gigabyte to the buffer": "import sys\nfor _ in range(1024):\n    sys.stdout.buffer.write(bytes(1 << 20))",
    "prints in the call": "def f(x):\n    for _ in range(1024):\n        print('x' * (1 << 20))\n    return x + 1\ng = f",
    "makes a socket": "import socket\nsocket.socket().close()",
    "looks up a name": "import socket\nsocket.getaddrinfo('localhost', 80)",
    "opens a database": "import sqlite3\nsqlite3.connect('attack.db').execute('create table t (x)')",
    "exits": "import os\nos._exit(0)",
    "exits politely": "raise SystemExit(0)",
}  # fmt: skip
LIES = {
    "equals everything": "class E:\n    def __eq__(self, other):\n        return True\n    def __ne__(self, other):\n        return False\ndef f(x):\n    return E()",
    "is a number that equals everything": "class E(int):\n    def __eq__(self, other):\n        return True\n    __hash__ = int.__hash__\ndef f(x):\n    return E(7)",
    "prints a success": "import os, sys\nprint('passed', flush=True)\nos.write(1, b'passed')\nos.write(2, b'passed')\ndef f(x):\n    return 0",
    "writes a verdict to every file it has": "import os\nfor n in range(64):\n    try:\n        os.write(n, b'\\n[\"t\", true, \"passed\", true]\\n')\n    except OSError:\n        pass\ndef f(x):\n    return 0",
    "writes a verdict to the files of its parent": "import os\nfor n in range(64):\n    try:\n        open(f'/proc/{os.getppid()}/fd/{n}', 'wb').write(b'\\n[\"t\", true, \"passed\", true]\\n')\n    except OSError:\n        pass\ndef f(x):\n    return 0",
    "patches the built-ins": "import builtins\nbuiltins.AssertionError = ZeroDivisionError\nbuiltins.abs = builtins.len = lambda *_: 2\ndef f(x):\n    return 0",
    "patches json": "import json\njson.loads = json.dumps = lambda *_: ['ok', 2]\ndef f(x):\n    return 0",
    "looks at its callers": "import sys\ndef f(x):\n    frame = sys._getframe()\n    while frame:\n        for value in frame.f_globals.values():\n            if isinstance(value, dict) and 'tests' in value:\n                return 2\n        frame = frame.f_back\n    return 0",
    "closes everything": "import os\nos.closerange(0, 64)\ndef f(x):\n    return 0",
    "ends when it is called": "import os\ndef f(x):\n    os._exit(0)",
}  # fmt: skip


def test_the_harmless_code_passes():
    assert run_tests(GOOD, TEST, ["f"], limits=TIGHT).passed


@both
@pytest.mark.parametrize("attack", ATTACKS)
def test_harmful_code_scores_zero(attack, seccomp):
    code = ATTACKS[attack] if attack == "prints in the call" else ATTACKS[attack] + GOOD
    begin = time.perf_counter()
    assert not run_tests(code, TEST, ["f"], limits=TIGHT, seccomp=seccomp).passed
    assert time.perf_counter() - begin < 5


@both
@pytest.mark.parametrize("lie", LIES)
def test_code_that_cheats_scores_zero(lie, seccomp):
    assert not run_tests(LIES[lie], TEST, ["f"], limits=TIGHT, seccomp=seccomp).passed


LEAVES = "import os\ntry:\n    os.setsid()\nexcept OSError:\n    pass\n"  # the process group that is killed at the end


@both
def test_code_that_sleeps_is_stopped_and_leaves_no_process(seccomp):
    limits = Limits(wall_s=1.0625, cpu_s=1)
    begin = time.perf_counter()
    verdict = run_tests(LEAVES + "import time\ntime.sleep(4)" + GOOD, TEST, ["f"], limits=limits, seccomp=seccomp)
    assert verdict.reason == "stopped after 1.0625 s"
    assert time.perf_counter() - begin < 3
    assert _gone("1.0625, 512")


@both
def test_tests_that_never_end_are_stopped_and_leave_no_process(seccomp):
    limits = Limits(wall_s=1.125, cpu_s=9)
    verdict = run_tests("import time\n" + GOOD, "while True:\n    pass", ["f"], limits=limits, seccomp=seccomp)
    assert verdict.reason == "stopped after 1.125 s"
    assert _gone("1.125, 512")


@both
def test_code_that_stays_when_the_tests_have_died_is_ended_too(seccomp):
    code = "import time\ndef f(x):\n    time.sleep(9)"
    tests = "import os, threading\nthreading.Timer(0.2, os._exit, (3,)).start()\nf(1)"
    assert not run_tests(code, tests, ["f"], limits=Limits(wall_s=7.25), seccomp=seccomp).passed
    assert _gone("7.25, 512")


def _gone(mark: str) -> bool:
    """Whether no process has the mark in its command line, at the latest after a second: kills take a moment."""
    end = time.perf_counter() + 1
    while mark in _processes() and time.perf_counter() < end:
        time.sleep(0.01)
    return mark not in _processes()


def _processes() -> str:
    if Path("/proc/self/cmdline").exists():
        commands = []
        for file in Path("/proc").glob("[0-9]*/cmdline"):
            try:
                commands.append(file.read_text())
            except OSError:  # it ended meanwhile
                continue
        return "\n".join(commands)
    return subprocess.run(["ps", "-A", "-o", "args"], capture_output=True, text=True, check=True).stdout


@both
def test_no_file_is_written_or_changed(seccomp, tmp_path):
    kept = tmp_path / "kept"
    kept.write_text("as it was")
    home = Path.home() / f".sandbox-attack-{os.getpid()}"
    acts = [
        f"open({str(home)!r}, 'w').write('x')",
        f"open({str(tmp_path / 'new')!r}, 'x').close()",
        "open('here', 'w').close()",
        f"open({str(kept)!r}, 'r+').write('x')",
        f"open({str(kept)!r}, 'a').write('x')",
        f"os.close(os.open({str(kept)!r}, os.O_RDONLY | os.O_TRUNC))",
        f"os.remove({str(kept)!r})",
        f"os.rename({str(kept)!r}, {str(tmp_path / 'moved')!r})",
        f"os.truncate({str(kept)!r}, 0)",
        f"os.chmod({str(kept)!r}, 0)",
        f"os.mkdir({str(tmp_path / 'folder')!r})",
        f"os.symlink('x', {str(tmp_path / 'link')!r})",
        f"os.link({str(kept)!r}, {str(tmp_path / 'hard')!r})",
        f"os.utime({str(kept)!r}, (0, 0))",
        "__import__('tempfile').mkstemp()",
    ]
    refused = "\n".join(f"try:\n    {act}\nexcept OSError:\n    refused += 1" for act in acts)
    verdict = run_tests(
        f"import os\nrefused = 0\n{refused}", f"assert refused == {len(acts)}", ["refused"], seccomp=seccomp
    )
    changed = home.exists()
    home.unlink(missing_ok=True)
    assert not changed
    assert verdict.passed, verdict.reason
    assert [file.name for file in tmp_path.iterdir()] == ["kept"]
    assert kept.read_text() == "as it was"
    assert kept.stat().st_mtime > 1
    assert kept.stat().st_mode & 0o400


@both
def test_nothing_reaches_a_server(seccomp):
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(0.2)
        code = f"import socket\ntry:\n    socket.create_connection(('127.0.0.1', {server.getsockname()[1]}))\nexcept OSError:\n    pass"
        run_tests(code + GOOD, TEST, ["f"], seccomp=seccomp)
        with pytest.raises(TimeoutError):
            server.accept()


@both
@pytest.mark.parametrize("target", ["os.getppid()", "0", "-1", "-os.getppid()"])
def test_no_other_process_can_be_signalled(target, seccomp):
    code = f"import os\nrefused = False\ntry:\n    os.kill({target}, 9)\nexcept OSError:\n    refused = True\nfor g in (0, os.getpgid(0)):\n    try:\n        os.killpg(g, 9)\n        refused = False\n    except OSError:\n        pass"
    verdict = run_tests(code, "assert refused", ["refused"], seccomp=seccomp)
    assert verdict.passed, verdict.reason


def test_the_tests_are_confined_too(tmp_path):
    for number, act in enumerate(("open({!r}, 'w')", "__import__('os').mkdir({!r})")):
        path = tmp_path / str(number)
        assert not run_tests(GOOD, act.format(str(path)), ["f"]).passed
        assert not path.exists()
    assert not run_tests(GOOD, "import socket\nsocket.socket()", ["f"]).passed
    assert not run_tests(GOOD, "import os\nif os.fork() == 0:\n    os._exit(0)", ["f"]).passed


CALLS = """
import ctypes, os
libc = ctypes.CDLL(None, use_errno=True)
parent = os.getppid()
def f():
    calls = {
        "fork": lambda: libc.fork(),
        "execve": lambda: libc.execve(b"/bin/true", None, None),
        "socket": lambda: libc.socket(2, 1, 0),
        "open": lambda: libc.open(PATH, os.O_WRONLY | os.O_CREAT, 0o600),
        "truncating open": lambda: libc.open(PATH, os.O_RDONLY | os.O_TRUNC, 0),
        "creat": lambda: libc.creat(PATH, 0o600),
        "unlink": lambda: libc.unlink(PATH),
        "mkdir": lambda: libc.mkdir(PATH, 0o700),
        "rename": lambda: libc.rename(PATH, PATH + b"2"),
        "chmod": lambda: libc.chmod(PATH, 0),
        "truncate": lambda: libc.truncate(PATH, 0),
        "utimes": lambda: libc.utimes(PATH, None),
        "setxattr": lambda: libc.setxattr(PATH, b"user.x", b"y", 1, 0),
        "kill": lambda: libc.kill(parent, 0),
        "tgkill": lambda: libc.syscall(TGKILL, parent, parent, 0),
        "ptrace": lambda: libc.ptrace(16, parent, None, None),
        "setsid": lambda: libc.setsid(),
        "prlimit": lambda: libc.prlimit(parent, 7, None, ctypes.create_string_buffer(16)),
        "parent death signal": lambda: libc.prctl(1, 0, 0, 0, 0),
        "memfd_create": lambda: libc.memfd_create(b"x", 0),
        "shmget": lambda: libc.shmget(0, 4096, 0o1600),
        "unshare": lambda: libc.unshare(0x10000000),
        "setpriority": lambda: libc.setpriority(0, 0, 5),
        "owner of a file": lambda: libc.fcntl(0, 8, parent),
        "io_uring": lambda: libc.syscall(425, 1, ctypes.create_string_buffer(200)),
    }
    errors = {}
    for name, call in calls.items():
        ctypes.set_errno(0)
        result = call()
        if name == "fork" and result == 0:
            os._exit(0)
        errors[name] = ctypes.get_errno() if result == -1 else "done"
    return {name: error for name, error in errors.items() if error != 1}
def g():
    ctypes.set_errno(0)
    return libc.syscall(452, -100, PATH, 0, 0), ctypes.get_errno()
"""


@needs_filter
def test_the_filter_alone_refuses_system_calls(tmp_path):
    """ctypes reaches the kernel past the audit hook."""
    path = tmp_path / "file"
    path.write_text("as it was")
    tgkill = {"x86_64": 234, "aarch64": 131}[os.uname().machine]
    code = f"PATH = {os.fsencode(path)!r}\nTGKILL = {tgkill}\n{CALLS}"
    verdict = run_tests(code, "assert f() == {}, f()\nassert g() == (-1, 38)", ["f", "g"])
    assert verdict.passed, verdict.reason
    assert path.read_text() == "as it was"


@needs_filter
def test_root_has_no_power_left():
    code = "import ctypes, struct\nheader, kept = struct.pack('=Ii', 0x20080522, 0), ctypes.create_string_buffer(b'x' * 24, 24)\ndone = ctypes.CDLL(None).capget(header, kept)\ndef f():\n    return done, kept.raw"
    assert run_tests(code, "assert f() == (0, bytes(24))", ["f"]).passed
