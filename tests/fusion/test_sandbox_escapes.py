"""Graded code reads nothing but Python, and passes no test that it does not solve."""

import json
import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
from sandbox_escapes import PASSES, READS, READS_IN_C, guarded

import fusion.sandbox
from fusion.sandbox import run_tests
from fusion.sandbox.inside.confine import can_filter
from fusion.sandbox.inside.landlock import landlock_version

KEY = "sk-a-key-that-no-code-may-see"
OTHER_USER = 54321
needs_landlock = pytest.mark.skipif(not landlock_version(), reason="this kernel has no Landlock")
needs_filter = pytest.mark.skipif(not can_filter(), reason="this system cannot filter system calls")


@pytest.fixture
def places(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, object]:
    monkeypatch.setenv("TKEY", KEY)
    secret = tmp_path / "secret.txt"
    secret.write_text(KEY)
    (tmp_path / "stolen.py").write_text(f"got = {KEY!r}")
    with zipfile.ZipFile(tmp_path / "stolen.zip", "w") as archive:
        archive.writestr("a", KEY)
    tasks = Path(fusion.sandbox.__file__).parents[1] / "tasks" / "mbpp.py"
    return {"secret": secret, "folder": tmp_path, "tasks": tasks, "outer": os.getpid()}


@needs_landlock
@pytest.mark.parametrize("attempt", READS)
def test_nothing_is_read_but_python(attempt: str, places: dict[str, object]) -> None:
    verdict = run_tests(guarded(READS[attempt], places), "assert not got, got", ["got", "why"])
    assert verdict.passed, verdict.reason


@needs_landlock
@needs_filter
@pytest.mark.parametrize("attempt", READS_IN_C)
def test_nothing_is_read_or_touched_in_c(attempt: str, places: dict[str, object]) -> None:
    verdict = run_tests(guarded(READS_IN_C[attempt], places), "assert not got, got", ["got", "why"])
    assert verdict.passed, verdict.reason


@pytest.mark.parametrize("attempt", PASSES)
@pytest.mark.parametrize("seccomp", [True, False], ids=["seccomp", "audit"])
def test_nothing_passes_that_does_not_solve(attempt: str, seccomp: bool) -> None:
    code, tests = PASSES[attempt]
    assert not run_tests(code, tests, ["f"], seccomp=seccomp).passed


@needs_landlock
@needs_filter
@pytest.mark.skipif(
    os.getuid() != 0, reason="only root can become another user; others have run all this as themselves"
)
def test_an_ordinary_user_is_held_too(places: dict[str, object], tmp_path: Path) -> None:
    pythons = [sys.executable, "/usr/bin/python3"]
    user = {"user": OTHER_USER, "group": OTHER_USER, "extra_groups": [], "cwd": "/"}
    check = "import sys; assert sys.version_info >= (3, 11); open(sys.argv[1]).close()"
    here = Path(__file__).parent / "sandbox_escapes.py"
    usable = [
        python for python in pythons if Path(python).exists() and _ends_well([python, "-c", check, str(here)], **user)
    ]
    if not usable:
        pytest.skip("no Python 3.11 and checkout that another user can read")
    for folder in (tmp_path, *tmp_path.parents[:2]):
        folder.chmod(0o755)
    owned = tmp_path / "secret.txt"
    os.chown(owned, OTHER_USER, OTHER_USER)
    sandbox = Path(fusion.sandbox.__file__).parents[1]
    words = [usable[0], str(here), str(sandbox), json.dumps({key: str(value) for key, value in places.items()})]
    environment = {"TKEY": KEY, "PATH": os.environ["PATH"]}
    done = subprocess.run(words, env=environment, capture_output=True, text=True, check=False, timeout=200, **user)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == []


def _ends_well(words: list[str], **user: object) -> bool:
    try:
        return subprocess.run(words, capture_output=True, check=False, **user).returncode == 0
    except OSError:
        return False


IN_PLACE = {
    "a list": ("def f(x):\n    x.sort()", "x = [3, 1]\nassert f(x) is None and x == [1, 3]"),
    "what is nested": (
        "def f(x):\n    x[0].append(x)\n    x.reverse()\n    return x",
        "a = [1]\nx = [a, [2]]\nassert f(x) is x and x[1] is a and a[1] is x",
    ),
    "each kind": (
        "def f(d, s, b, q, e):\n    d['a'] = e\n    s.add(3)\n    b.append(65)\n    q.appendleft(0)\n    e.clear()",
        "from collections import deque\nd, s, b, q, e = {'z': 1}, {1}, bytearray(b'x'), deque([1]), {'k': 2}\nf(d, s, b, q, e)\n"
        "assert d == {'z': 1, 'a': {}} and d['a'] is e and s == {1, 3} and b == b'xA' and q == deque([0, 1])",
    ),
    "one that is given twice": (
        "def f(x, y):\n    x.append(1)\n    return x is y",
        "x = []\nassert f(x, x) and x == [1] and not f([], [])",
    ),
    "a word": ("def f(*, x):\n    x.pop()", "x = [1, 2]\nf(x=x)\nassert x == [1]"),
    "an array of rows": (
        "def f(m):\n    m[:] = [list(r) for r in zip(*m[::-1])]",
        "m = [[1, 2], [3, 4]]\nf(m)\nassert m == [[3, 1], [4, 2]]",
    ),
    "what comes back": ("def f():\n    row = [0]\n    return [row, row]", "a, b = f()\na.append(1)\nassert a is b"),
    "a dictionary of another class": (
        "def f(d):\n    d['a'] += 1",
        "from collections import defaultdict\nd = defaultdict(int, a=1)\nf(d)\nassert d['a'] == 2 and d['b'] == 0",
    ),
}


@pytest.mark.parametrize("what", IN_PLACE)
def test_code_that_works_in_place_passes(what: str) -> None:
    code, tests = IN_PLACE[what]
    verdict = run_tests(code, tests, ["f"])
    assert verdict.passed, verdict.reason


def test_what_is_left_alone_stays_and_errors_keep_their_kind() -> None:
    tests = "x = [[1], 2]\ny = x[0]\nf(x)\nassert x == [[1], 2] and x[0] is y"
    assert run_tests("def f(x):\n    return len(x)", tests, ["f"]).passed
    catch = "try:\n    f(1)\nexcept {}:\n    pass\nelse:\n    assert False"
    assert run_tests("def f(x):\n    b'\\xff'.decode()", catch.format("ValueError"), ["f"]).passed
    assert not run_tests("def f(x):\n    b'\\xff'.decode()", catch.format("TypeError"), ["f"]).passed


def test_secrets_and_half_surrogates_are_cut_out_of_a_reason(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SOME_API_KEY", KEY)
    verdict = run_tests(f"def f(x):\n    raise ValueError('{KEY} \\ud800')", "assert f(1) == 2", ["f"])
    assert verdict.reason == "ValueError: *** ? at assert f(1) == 2"


def test_where_the_kernel_has_no_landlock_this_process_hides_and_says_so() -> None:
    script = """
import ctypes, warnings
from fusion.sandbox import runner
runner.landlock_version = lambda: 0
with warnings.catch_warnings(record=True) as caught:
    warnings.simplefilter("always")
    verdict = runner.run_tests("def f(x): return x", "assert f(1) == 1", ["f"])
assert verdict.passed, verdict
print(ctypes.CDLL(None).prctl(3, 0, 0, 0, 0))
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == ("0" if sys.platform == "linux" else "1")
