"""What the sandbox lets through, and what crosses between the code and its tests."""

import json
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fusion.sandbox import Limits, run_tests, runner
from fusion.sandbox.inside.confine import can_filter
from fusion.sandbox.inside.wire import pack, unpack

ADD = "def add(a, b):\n    return a + b\n"
needs_filter = pytest.mark.skipif(not can_filter(), reason="this system cannot filter system calls")
both = pytest.mark.parametrize("seccomp", [True, False], ids=["seccomp", "audit"])


@both
def test_right_code_passes_and_wrong_code_does_not(seccomp):
    assert run_tests(ADD, "assert add(1, 2) == 3", ["add"], seccomp=seccomp).passed
    verdict = run_tests(ADD, "assert add(1, 2) == 3\nassert add(1, 2) == 4", ["add"], seccomp=seccomp)
    assert (verdict.passed, verdict.reason) == (False, "AssertionError:  at assert add(1, 2) == 4")


@both
def test_ordinary_programs_run(seccomp):
    code = (
        "from __future__ import annotations\nimport collections, dataclasses, heapq, itertools, math, random, re, typing\n"
        "import numpy as np\n@dataclasses.dataclass\nclass P:\n    x: int\n"
        "print('noise')\ndef f(x):\n    print(x)\n    return np.int64(P(x).x) + np.arange(3).sum()\n"
    )
    verdict = run_tests(code, "assert f(1) == 4", ["f"], seccomp=seccomp)
    assert verdict.passed, verdict.reason


@needs_filter
def test_threads_run():
    code = "from concurrent.futures import ThreadPoolExecutor\ndef f(x):\n    with ThreadPoolExecutor(2) as p:\n        return list(p.map(abs, x))"
    assert run_tests(code, "assert f([-1, 2]) == [1, 2]", ["f"]).passed


VALUES = [
    "None", "True", "12345678901234567890123", "-(10**5000)", "1.5", "float('inf')", "1 + 2j", "'\\ud800 text \\0'", "b'\\xff'",
    "bytearray(b'x')", "[1, [2, (3,)]]", "(1, 'a')", "{1, 2}", "frozenset({1})", "{'a': [1], (1, 2): None}", "range(1, 9, 2)",
    "{'a': 1}.keys()", "int", "__import__('collections').deque([1])", "__import__('fractions').Fraction(1, 3)",
    "__import__('decimal').Decimal('1.10')",
]  # fmt: skip


def test_plain_values_cross_in_both_directions():
    tests = "\n".join(
        f"got = f({value})\nassert got == {value} and type(got) is type({value}), {value!r}" for value in VALUES
    )
    verdict = run_tests("def f(x):\n    return x", f"{tests}\nassert f(float('nan')) != 0", ["f"])
    assert verdict.passed, verdict.reason


def test_iterators_arrive_as_iterators():
    code = "def f(n):\n    return (i * i for i in range(n))\ndef g(n):\n    return map(str, range(n))\ndef h(d):\n    return d.values()"
    tests = "assert list(f(3)) == [0, 1, 4]\nassert f(3) != [0, 1, 4]\nassert next(g(2)) == '0'\nassert sorted(h({1: 2})) == [2]"
    assert run_tests(code, tests, ["f", "g", "h"]).passed


def test_subclasses_arrive_as_the_plain_type():
    code = "from collections import Counter, OrderedDict, namedtuple\nP = namedtuple('P', 'x y')\ndef f():\n    return [Counter('aab'), OrderedDict(a=1), P(1, 2)]"
    tests = "assert f() == [{'a': 2, 'b': 1}, {'a': 1}, (1, 2)]\nassert [type(x) for x in f()] == [dict, dict, tuple]"
    assert run_tests(code, tests, ["f"]).passed


def test_objects_of_the_code_are_used_from_afar():
    code = (
        "class Node:\n    def __init__(self, value):\n        self.value, self.left = value, None\n    def twice(self):\n        return 2 * self.value\n"
        "def height(node):\n    return 0 if node is None else 1 + height(node.left)\nLIMIT = 3\ndef make(n):\n    return lambda x: x + n\n"
    )
    tests = (
        "root = Node(1)\nroot.left = Node(2)\nassert height(root) == 2\nassert root.left.value == 2\nassert root.twice() == 2\n"
        "assert max(map(height, [root, root.left])) == 2\nassert LIMIT == 3\nassert make(2)(3) == 5\nassert root != Node(1)"
    )
    verdict = run_tests(code, tests, ["Node", "height", "LIMIT", "make"])
    assert verdict.passed, verdict.reason


def test_exceptions_cross_by_their_built_in_type():
    code = "def f(x):\n    if x < 0:\n        raise ValueError('negative')\n    return {}[x]"
    tests = (
        "for value, kind in ((-1, ValueError), (1, KeyError)):\n    try:\n        f(value)\n    except kind:\n        continue\n"
        "    raise AssertionError('nothing raised')"
    )
    assert run_tests(code, tests, ["f"]).passed


def test_tests_see_only_the_names_that_they_are_given():
    code = "def f():\n    return 1\ndef sorted(x):\n    return [1]\n"
    assert run_tests(code, "assert sorted([2, 1]) == [1, 2]", ["f"]).passed
    assert run_tests(code, "assert sorted([2, 1]) == [1]", ["sorted"]).passed
    assert run_tests("", "f()", ["f"]).reason.startswith("NameError")


def test_setup_runs_beside_the_code_and_before_the_tests():
    setup = "import math\ndef f():\n    return 0\ndef twice(x):\n    return 2 * x"
    assert run_tests("def f():\n    return math.pi", "assert f() == twice(3)", ["f"], setup).passed is False
    assert run_tests("def f():\n    return 6.0", "assert math.isclose(f(), twice(3))", ["f"], setup).passed


def test_code_that_does_not_compile_says_so():
    assert run_tests("def f(:", "assert f()", ["f"]).reason.startswith("SyntaxError")


def test_many_threads_may_call_it_and_nothing_is_left(tmp_path, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    with ThreadPoolExecutor(8) as pool:
        verdicts = list(pool.map(lambda n: run_tests(ADD, f"assert add({n}, 1) == {n + n % 2}", ["add"]), range(16)))
    assert [verdict.passed for verdict in verdicts] == [n % 2 == 1 for n in range(16)]
    assert list(tmp_path.iterdir()) == []


def test_the_working_directory_is_empty_and_the_environment_has_no_keys(monkeypatch):
    monkeypatch.setenv("SOME_API_KEY", "secret")
    code = "import os\ndef f():\n    return os.listdir('.'), [name for name in os.environ if 'KEY' in name]"
    assert run_tests(code, "assert f() == ([], [])", ["f"]).passed


def test_the_code_has_no_file_but_its_connection():
    code = "import os\ndef f():\n    count = 0\n    for n in range(256):\n        try:\n            os.fstat(n)\n            count += 1\n        except OSError:\n            pass\n    return count"
    assert run_tests(code, "assert f() == 5", ["f"]).passed  # input, output, errors, requests, replies


def test_what_tests_print_is_no_verdict():
    assert run_tests(ADD, "print('noise', flush=True)\nassert add(1, 2) == 3", ["add"]).passed


def test_a_database_in_memory_is_no_file():
    code = "def f():\n    import sqlite3\n    return sqlite3.connect(':memory:').execute('select 1').fetchall()"
    assert run_tests(code, "assert f() == [(1,)]", ["f"]).passed == can_filter()


def test_the_weaker_isolation_is_told_once(monkeypatch):
    start = runner.START.replace("main()", "import inside.judge as judge; judge.can_filter = lambda: False; main()")
    monkeypatch.setattr(runner, "START", start)
    runner._command.cache_clear()
    runner._warn_once.cache_clear()
    try:
        with pytest.warns(UserWarning, match="cannot filter system calls") as told:
            verdicts = [run_tests(ADD, "assert add(1, 2) == 3", ["add"]) for _ in range(2)]
        assert [verdict.passed for verdict in verdicts] == [True, True]
        assert len(told) == 1
    finally:
        runner._command.cache_clear()
        runner._warn_once.cache_clear()


def test_a_verdict_needs_the_token(monkeypatch):
    monkeypatch.setattr(runner, "_run", lambda *_: b'1\n["guess", true, "passed", true, true]')
    assert run_tests(ADD, "assert False", ["add"], limits=Limits()).reason == "the verdict is forged"


PLAIN = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text() | st.binary() | st.fractions(),
    lambda inner: st.lists(inner) | st.tuples(inner, inner) | st.dictionaries(st.text() | st.integers(), inner),
    max_leaves=20,
)


@given(PLAIN)
def test_packing_and_unpacking_gives_the_same(value):
    packed = json.loads(json.dumps(pack(value, repr)))
    assert unpack(packed, str) == value
    assert pack(unpack(packed, str), repr) == packed


def test_a_fraction_stays_exact():
    assert unpack(json.loads(json.dumps(pack(Fraction(1, 3), repr))), str) == Fraction(1, 3)


def test_a_large_process_outside_does_not_use_up_the_memory_of_the_weaker_isolation():
    code = "import sys; from fusion.sandbox import Limits, run_tests\nlarge = b'x' * (200 << 20)\n"
    run = "print(run_tests('def f(): return 1', 'assert f() == 1', ['f'], limits=Limits(memory_mb=100), seccomp=False))"
    done = subprocess.run([sys.executable, "-c", code + run], capture_output=True, text=True)
    assert "passed=True" in done.stdout, done.stdout + done.stderr
