"""Attempts to read, hear or touch what graded code must not. Each leaves what it got in ``got``, or the error in ``why``.

Without third-party imports, so that another user's interpreter can run it too.
"""

import json
import sys

LIBC = "import ctypes\nlibc = ctypes.CDLL(None, use_errno=True)\n"
SHOW = """
def show(path):
    fd = libc.syscall(257, -100, path.encode(), 0, 0)
    if fd < 0:
        raise OSError(ctypes.get_errno(), path)
    buffer = ctypes.create_string_buffer(4096)
    size = libc.read(fd, buffer, 4096)
    return buffer.raw[:size]
"""
FAMILY = """
import os
p = os.getppid()
def parent_of(pid):
    return int(open(f'/proc/{pid}/stat').read().rsplit(')', 1)[1].split()[1])
"""
"""Numbers of system calls are those of x86-64; elsewhere the attempts fail for that reason."""

READS = {
    **{
        f"opens {path}": f"got = open({path!r}, 'rb').read(99)"
        for path in (
            "/etc/passwd",
            "/etc/hostname",
            "/etc/environment",
            "/proc/self/environ",
            "/proc/self/cmdline",
            "/proc/self/maps",
            "/proc/self/mountinfo",
            "/proc/1/cmdline",
            "/proc/version",
            "/sys/kernel/mm/transparent_hugepage/enabled",
            "/dev/mem",
            "/dev/kmsg",
            "{secret}",
            "{tasks}",
        )
    },
    "opens the outer process's command line": "got = open('/proc/{outer}/cmdline').read()",
    "opens the outer process's environment": "got = open('/proc/{outer}/environ').read()",
    "opens the outer process's memory map": "got = open('/proc/{outer}/maps').read()",
    "opens the outer process's memory": "got = open('/proc/{outer}/mem', 'rb')",
    "opens the outer process's files": "import os\ngot = [os.open(f'/proc/{outer}/fd/{n}', 0) for n in range(64)]",
    "lists the outer process's files": "import os\ngot = os.listdir('/proc/{outer}/fd')",
    "reads where the outer process is": "import os\ngot = os.readlink('/proc/{outer}/cwd')",
    "reads which program it is": "import os\ngot = os.readlink('/proc/{outer}/exe')",
    "finds its grandparent": FAMILY + "got = open(f'/proc/{parent_of(p)}/environ').read()",
    "looks through all processes": "import os\ngot = [n for n in os.listdir('/proc') if n.isdigit()]",
    "scans a folder": "import os\ngot = [e.name for e in os.scandir('/')]",
    "walks a folder": "import os\ngot = list(os.walk('{folder}'))",
    "globs": "import glob\ngot = glob.glob('{folder}/*')",
    "reads by pathlib": "import pathlib\ngot = pathlib.Path('{secret}').read_text()",
    "reads by a link upward": "got = open('../../../../../../{secret}').read()",
    "reads a line cache": "import linecache\ngot = linecache.getlines('{secret}')",
    "reads as a tokenised source": "import tokenize\ngot = tokenize.open('{secret}').read()",
    "reads as fileinput": "import fileinput\ngot = list(fileinput.input('{secret}'))",
    "reads by mmap": "import mmap, os\nfd = os.open('{secret}', 0)\ngot = mmap.mmap(fd, 0, prot=1).read()",
    "reads by numpy": "import numpy as np\ngot = np.fromfile('{secret}', dtype='u1').tobytes()",
    "maps by numpy": "import numpy as np\ngot = bytes(np.memmap('{secret}', dtype='u1', mode='r'))",
    "imports it": "import sys\nsys.path.insert(0, '{folder}')\nimport stolen as got",
    "runs it": "import runpy\ngot = runpy.run_path('{folder}/stolen.py')",
    "loads it as a module": "from importlib.machinery import SourceFileLoader as L\ngot = L('stolen', '{folder}/stolen.py').load_module()",
    "asks for the users": "import pwd\ngot = pwd.getpwall()",
    "reads a zip": "import zipfile\ngot = zipfile.ZipFile('{folder}/stolen.zip').namelist()",
    "imports this project": "import graphrouter as got",
    "imports the tasks": "import fusion.tasks as got",
    "reads the environment": "import os\ngot = [k for k in os.environ if k.startswith('TKEY')]",
    "unpatches the hook": "import posixpath, os\nposixpath.realpath = os.path.realpath = lambda p, **_: '/dev/null'\nposixpath.join = lambda *_: '/dev/null'\nos.fsdecode = lambda _: '/dev/null'\ngot = open('{secret}').read()",
    "patches lstat under the hook": "import os, posixpath\nold = os.lstat\nos.readlink = posixpath.os.readlink = lambda *_, **__: '/dev/null'\nos.lstat = lambda *a, **k: old('/etc/localtime')\ngot = open('{secret}').read()",
}
READS_IN_C = {
    **{
        f"opens {path} in C": LIBC + SHOW + f"got = show({path!r})"
        for path in ("/etc/passwd", "/proc/self/environ", "/proc/{outer}/environ", "/proc/{outer}/cmdline", "{secret}")
    },
    "opens memory in C": LIBC + SHOW + "got = show('/proc/{outer}/mem')",
    "opens by another call": LIBC
    + "got = libc.syscall(2, b'{secret}', 0) if libc.syscall(2, b'{secret}', 0) >= 0 else None",
    "opens by openat2": LIBC
    + "how = (ctypes.c_uint64 * 3)(0, 0, 0)\nn = libc.syscall(437, -100, b'{secret}', how, 24)\ngot = n if n >= 0 else None",
    "opens by fopen": LIBC + "libc.fopen.restype = ctypes.c_void_p\ngot = libc.fopen(b'{secret}', b'r')",
    "reads another process's memory": LIBC
    + "n = libc.syscall(310, {outer}, 0, 0, 0, 0, 0)\ngot = n if n >= 0 else None",
    "traces": LIBC + "n = libc.ptrace(16, {outer}, 0, 0)\ngot = n if n >= 0 else None",
    "takes a file of another process": LIBC + "n = libc.syscall(434, {outer}, 0)\ngot = n if n >= 0 else None",
    "attaches System V memory": LIBC
    + "libc.shmat.restype = ctypes.c_long\ngot = [n for n in range(64) if libc.shmat(n, None, 0) not in (-1, 2**64 - 1)] or None",
    "removes System V memory": LIBC + "got = [n for n in range(64) if libc.shmctl(n, 0, None) == 0] or None",
    "makes System V memory": LIBC + "n = libc.shmget(0, 4096, 0o1600)\ngot = n if n >= 0 else None",
    "asks for messages": LIBC + "got = [n for n in range(64) if libc.msgctl(n, 0, None) == 0] or None",
    "asks for semaphores": LIBC + "got = [n for n in range(64) if libc.semctl(n, 0, 0, None) == 0] or None",
    "uses semaphores": LIBC
    + "buffer = (ctypes.c_short * 3)(0, 1, 0o4000)\ngot = [n for n in range(64) if libc.semop(n, buffer, 1) == 0] or None",
    "changes flags of a file": "import fcntl, os, struct, sysconfig\nfd = os.open(os.__file__, 0)\ngot = fcntl.ioctl(fd, 0x40086602, struct.pack('l', 0x80)) is not None",
    "reads flags of a file": "import fcntl, os, struct\nfd = os.open(os.__file__, 0)\ngot = fcntl.ioctl(fd, 0x80086601, struct.pack('l', 0)) is not None",
    "locks a file": "import fcntl, os\nfd = os.open(os.__file__, 0)\nfcntl.flock(fd, fcntl.LOCK_SH | fcntl.LOCK_NB)\ngot = True",
    "locks a range": "import fcntl, os\nfd = os.open(os.__file__, 0)\nfcntl.lockf(fd, fcntl.LOCK_SH | fcntl.LOCK_NB)\ngot = True",
    "takes a lease": "import fcntl, os\nfd = os.open(os.__file__, 0)\ngot = fcntl.fcntl(fd, 1024, fcntl.F_RDLCK) is not None",
    "watches a folder": LIBC
    + "fd = libc.inotify_init()\nn = libc.inotify_add_watch(fd, b'{folder}', 0xFFF)\ngot = n if n >= 0 else None",
    "mounts": LIBC + "n = libc.mount(b'none', b'/tmp', b'tmpfs', 0, None)\ngot = n if n >= 0 else None",
    "makes a namespace": LIBC + "n = libc.unshare(0x10000000)\ngot = n if n >= 0 else None",
    "becomes root": "import os\nos.setuid(0)\ngot = open('{secret}').read()",
    "gets capabilities back": LIBC
    + "import struct\nh = struct.pack('=Ii', 0x20080522, 0)\nn = libc.capset(h, b'\\xff' * 24)\ngot = n if n >= 0 else None",
    "becomes dumpable and looks": LIBC + SHOW + "libc.prctl(4, 1, 0, 0, 0)\ngot = show('/proc/self/mem')",
    "asks for the parent's files": LIBC + SHOW + "import os\ngot = show(f'/proc/{os.getppid()}/mem')",
    "signals its grandparent": "import os\nos.kill({outer}, 0)\ngot = True",
    "makes a socket in C": LIBC + "n = libc.socket(1, 1, 0)\ngot = n if n >= 0 else None",
}
PASSES = {
    "stops a map": ("def f(x):\n    raise StopIteration", "assert all(map(lambda p: f(p[0]) == p[1], [(1, 2)]))"),
    "stops a zip": ("def f(x):\n    raise StopIteration", "for got, want in zip(map(f, [1]), [2]):\n    assert got == want"),
    "stops an iter": ("def f():\n    raise StopIteration", "for got in iter(f, None):\n    assert got == 2\nassert f() == 2"),
    "stops by its own class": (
        "class StopIteration(Exception):\n    pass\ndef f(x):\n    raise StopIteration",
        "assert all(map(lambda p: f(p[0]) == p[1], [(1, 2)]))",
    ),
    "stops a filter": ("def f(x):\n    raise StopIteration", "assert not list(filter(lambda x: f(x) != 2, [1]))"),
    "stops a starmap": (
        "def f(x):\n    raise StopIteration",
        "from itertools import starmap\nassert all(r == 2 for r in starmap(f, [(1,)]))",
    ),
    "stops an accumulation": (
        "def f(a, b):\n    raise StopIteration",
        "from itertools import accumulate\nassert all(r < 9 for r in list(accumulate([1, 2], f))[1:])",
    ),
    "stops asynchronously": ("def f(x):\n    raise StopAsyncIteration", "assert all(map(lambda p: f(p[0]) == p[1], [(1, 2)]))"),
    "closes a generator": ("def f(x):\n    raise GeneratorExit", "assert all(map(lambda p: f(p[0]) == p[1], [(1, 2)]))"),
    "yields nothing": ("def f(x):\n    return iter(())", "assert list(f(1)) == [2]"),
    "has a length that lies": (
        "class L:\n    def __length_hint__(self):\n        return 0\n    def __iter__(self):\n        return iter([])\n    def __len__(self):\n        return 1\ndef f(x):\n    return L()",
        "assert len(f(1)) == 1 and list(f(1)) == [2]",
    ),
    "has a boolean that lies": ("class B:\n    def __bool__(self):\n        return True\ndef f(x):\n    return B()", "assert f(1) is True"),
    "is not what it is": ("class E(list):\n    def __eq__(self, o):\n        return True\ndef f(x):\n    return E()", "assert f(1) == [2]"),
    "has a hash that lies": ("class E(str):\n    def __hash__(self):\n        return hash('x')\n    __eq__ = lambda *_: True\ndef f(x):\n    return E('y')", "assert f(1) in {'x'}"),
    "raises an assertion": ("def f(x):\n    raise AssertionError", "assert f(1) == 2"),
    "takes the wrong index": ("def f(x):\n    raise IndexError", "class S:\n    def __getitem__(self, i):\n        return f(i)\nassert all(v == 2 for v in S()) and f(1) == 2"),
    "fails with attributes": ("def f(x):\n    raise AttributeError", "assert getattr(f(1), 'x', 2) == 2"),
    "fails with keys": ("def f(x):\n    raise KeyError", "assert {1: 2}[1] == f(1)"),
    "changes what it is given after the fact": (
        "import threading\ndef f(x):\n    threading.Timer(0.05, lambda: x.sort()).start()",
        "import time\nx = [2, 1]\nf(x)\ntime.sleep(0.2)\nassert x == [1, 2]",
    ),
    "answers with a number out of range": (
        "import sys\ndef f(x):\n    m = sys._getframe(1)\n    while 'known' not in m.f_locals:\n        m = m.f_back\n    m.f_locals['known'].numbers[id(x)] = 77\n    return x",
        "assert f([1]) == [1]",
    ),
    "answers for ever": ("def f(x):\n    import itertools\n    return itertools.count()", "assert next(f(1)) == 1"),
    "nests without end": ("def f(x):\n    y = ()\n    for _ in range(100000):\n        y = (y,)\n    return y", "assert f(1)"),
    "is a whole gigabyte": ("def f(x):\n    return '1' * (1 << 27)", "assert f(1) == 2"),
}  # fmt: skip


def guarded(code: str, places: dict[str, object]) -> str:
    """Return code that tries, and keeps what it got."""
    for name, value in places.items():
        code = code.replace("{" + name + "}", str(value))
    body = "\n".join(f"    {line}" for line in code.split("\n"))
    return f"got = why = None\ntry:\n{body}\nexcept BaseException as error:\n    why = repr(error)\n"


def main() -> None:
    """Try all as the user that runs this; print what got through as JSON. Takes the sandbox's folder and the places."""
    folder, places = sys.argv[1], json.loads(sys.argv[2])
    sys.path.insert(0, folder)
    from sandbox import run_tests  # type: ignore[import-not-found]

    through = []
    for name, code in {**READS, **READS_IN_C}.items():
        verdict = run_tests(guarded(code, places), "assert not got, got", ["got", "why"])
        through += [] if verdict.passed else [[name, verdict.reason]]
    for name, (code, tests) in PASSES.items():
        through += [[name, "passed"]] if run_tests(code, tests, ["f"]).passed else []
    print(json.dumps(through))


if __name__ == "__main__":
    main()
