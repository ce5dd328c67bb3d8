"""The grader for Python code that tests decide on (mbpp, human_eval), and pass@k."""

from __future__ import annotations

import json
import math
import re
import textwrap

from fusion.tasks.base import Example, Grade
from fusion.tasks.graders.reading import reads_code

FENCE = re.compile(r"^[ \t]*(?:```|~~~)[ \t]*([\w+-]*)[^\n]*\n(.*?)(?:^[ \t]*(?:```|~~~)|\Z)", re.MULTILINE | re.DOTALL)
TAGGED = re.compile(r"\[BEGIN\](.*?)(?:\[DONE\]|\Z)", re.DOTALL | re.IGNORECASE)
PYTHON = ("", "python", "python3", "py", "py3")
_STARTS = re.compile(r"(?:def|class|import|from|async|@)\b|@\w")
_CONTINUES = re.compile(
    r"\s|#|@|[\])}\"']|(?:def|class|import|from|async|if|elif|else|for|while|try|except|finally|with|return|assert|print|raise|pass)"
    r"\b|[A-Za-z_][\w.]*\s*(?:[=(\[.:,]|[-+*/|&]=)"
)


@reads_code
def pass_at_1(response: str, example: Example) -> Grade:
    """1 where the code of the response passes every test, in the sandbox.

    The ground truth is JSON with ``tests`` and the ``names`` that they use, and optionally ``setup``, which runs before the
    tests, and the ``prompt`` that the code completes, which is also a setup.
    """
    from fusion.tasks.sandbox import run_tests

    gold = json.loads(example.ground_truth)
    code = complete(gold.get("prompt", ""), extract_code(response, gold["names"]), gold["names"])
    if not code.strip():
        return Grade(0.0)
    verdict = run_tests(code, gold["tests"], gold["names"], gold.get("setup", gold.get("prompt", "")))
    return Grade(float(verdict.passed), verdict.reason)


def pass_at_k(draws: int, passed: int, k: int) -> float:
    """Return the unbiased estimate of pass@k (Chen et al. 2021, arXiv:2107.03374, equation 1).

    Args:
        draws: Responses to a query, n.
        passed: How many of them pass, c.
        k: At most n.

    Returns:
        1 - C(n - c, k) / C(n, k): the chance that one of k of the draws, taken at random, passes.

    Raises:
        ValueError: Unless 1 <= k <= n and 0 <= c <= n.
    """
    if not (1 <= k <= draws and 0 <= passed <= draws):
        raise ValueError(f"1 <= k <= draws and 0 <= passed <= draws must hold, but {draws=}, {passed=}, {k=}")
    return 1.0 - math.comb(draws - passed, k) / math.comb(draws, k)


def extract_code(response: str, names: list[str]) -> str:
    """Return the code of a response.

    That is the last fenced block that defines one of the names, else all fenced blocks of Python one after the other, else
    what stands between ``[BEGIN]`` and ``[DONE]``, else the lines of bare code without the prose around them.
    """
    blocks = [body for language, body in FENCE.findall(response) if language.lower() in PYTHON]
    defining = [block for block in blocks if defines(block, names)]
    if defining:
        return textwrap.dedent(defining[-1])
    if blocks:
        return "\n".join(blocks)
    tagged = TAGGED.search(response)
    return tagged[1].strip("\n") if tagged else _bare(response)


def defines(code: str, names: list[str]) -> bool:
    """Return whether code defines one of the names."""
    named = "|".join(map(re.escape, names))
    return bool(
        re.search(rf"^[ \t]*(?:(?:async[ \t]+)?def|class)[ \t]+(?:{named})\b|^(?:{named})[ \t]*=", code, re.MULTILINE)
    )


def _bare(response: str) -> str:
    """Return the code of a response without fences: from its first line of code to the first line of prose after it."""
    lines = response.split("\n")
    first = next((i for i, line in enumerate(lines) if _STARTS.match(line)), 0)
    last = first
    while last < len(lines) and (not lines[last] or last == first or _CONTINUES.match(lines[last])):
        last += 1
    return "\n".join(lines[first:last])


def complete(prompt: str, code: str, names: list[str]) -> str:
    """Return a whole program: the prompt, then the code as a program of its own or as the body of the prompt's function."""
    if not prompt or not code.strip():
        return code
    return f"{prompt}\n{code}" if defines(code, names) else f"{prompt.rstrip()}\n{_indent(code)}"


def _indent(body: str) -> str:
    """Indent the body of a function by four spaces, where it is not; its first line may have lost its own."""
    lines = [line for line in body.split("\n") if line.strip()]
    margins = [len(line) - len(line.lstrip()) for line in lines]
    if margins[0]:
        return textwrap.indent(textwrap.dedent(body), "    ")
    opens = lines[0].rstrip().endswith(":") and margins[1:2] != [8]
    if min(margins[1:], default=0) == 0 or opens:
        return textwrap.indent(body, "    ")
    return "    " + body.lstrip()
