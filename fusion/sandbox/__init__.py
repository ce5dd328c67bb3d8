"""Sandbox for Python that an LLM wrote: runs it against tests, and says whether they passed.

.. code-block:: python

    from fusion.sandbox import Limits, run_tests
    verdict = run_tests("def add(a, b): return a + b", "assert add(1, 2) == 3", ["add"], limits=Limits(wall_s=10))
    verdict.passed, verdict.reason

`runner` starts two processes for each run and waits for them. ``inside`` is what these run, on the standard library alone: `judge` has
the tests; `candidate`, its child, has the code and nothing else; plain data crosses between them (`wire`). Both give up their
powers (`confine`, `landlock`, `syscalls`) before they see any code. ``docs/sandbox.md`` says what holds on which system, what
was tried against it, and what it does not withstand: bugs of the kernel, side channels such as timing, and, without seccomp
or Landlock, code that is written to break out of Python; a warning then says so once.
"""

from .runner import Limits, Verdict, run_tests

__all__ = ["Limits", "Verdict", "run_tests"]
