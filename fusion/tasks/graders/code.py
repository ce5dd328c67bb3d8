"""The grader for Python code that tests decide on (mbpp, human_eval), and pass@k."""

from __future__ import annotations

import json
import math
import re
import textwrap
from collections.abc import Iterator

from fusion.tasks.base import Example, Grade
from fusion.tasks.graders.code_blocks import (
    LONGEST,
    bare,
    fenced,
    from_code,
    is_python,
    mend,
    prefixes,
    tagged,
    tree,
    trimmed,
    typed,
    unquoted,
)
from fusion.tasks.graders.code_program import defined_by, is_stub, with_helpers, without_runs
from fusion.tasks.graders.reading import code_part, grader


@grader("pass@1", reads=code_part, gold="code")
def pass_at_1(response: str, example: Example) -> Grade:
    """1 where the code of the response passes every test, in the sandbox.

    The ground truth is JSON with ``tests`` and the ``names`` that they use, and optionally ``setup``, which runs before the
    tests, and the ``prompt`` that the code completes, which is also a setup. What the response itself runs with the tested
    functions, its own tests and ``if __name__`` included, is left out.
    """
    from fusion.sandbox import run_tests

    gold = json.loads(example.ground_truth)
    code = complete(gold.get("prompt", ""), extract_code(response, gold["names"]), gold["names"])
    if not code.strip():
        return Grade(0.0)
    verdict = run_tests(
        without_runs(code, gold["names"]),
        gold["tests"],
        gold["names"],
        gold.get("setup", _whole(gold.get("prompt", ""))),
    )
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

    That is the last fenced block that defines one of the names, of those that are Python where one is, with what it needs
    from other blocks; else what stands between tags such as ``[BEGIN]`` and ``[DONE]``; else all fenced blocks of Python; else,
    of a response that begins indented, all of it; else the lines of bare code without the prose around them.
    """
    response = typed(unquoted(response))
    blocks = [(is_python(language), mend(textwrap.dedent(typed(body)))) for language, body in fenced(response)]
    defining = [place for place, (_, body) in enumerate(blocks) if defines(body, names)]
    if defining:
        valid = [place for place in defining if tree(blocks[place][1]) and not is_stub(blocks[place][1], names)]
        last = (valid or defining)[-1]
        others = [body for place, (python, body) in enumerate(blocks) if place != last and python]
        return with_helpers(_valid(blocks[last][1], names), others)
    between = tagged(response)
    if between is not None:
        return extract_code(between, names) if fenced(between) else mend(trimmed(between))
    programs = [body for python, body in blocks if python and (module := tree(body)) and module.body]
    if programs:
        return "\n".join(programs)
    if trimmed(response)[:1].isspace():
        return _indented_program(mend(trimmed(response)), names)
    found = [mend(typed(code)) for code in bare(response) if defines(code, names)] or [""]
    code = next((code for code in (_valid(code, names) for code in found) if tree(code)), found[0])
    return code or from_code(response)


def _indented_program(code: str, names: list[str]) -> str:
    """Return code that begins indented at column 0, where it begins with a function of its own and is no body."""
    straight = textwrap.dedent(re.split(r"\n(?=\S)", code, maxsplit=1)[0])
    module = tree(straight)
    return straight if module and module.body and defined_by(module.body[0]) & set(names) else code


def defines(code: str, names: list[str]) -> bool:
    """Return whether code defines one of the names, as far as can be told without reading it as Python."""
    named = "|".join(map(re.escape, names))
    return bool(
        re.search(
            rf"^[ \t>]*(?:(?:async[ \t]+)?def|class)[ \t]+(?:{named})\b|^(?:{named})[ \t]*=",
            code.replace("\\_", "_"),
            re.MULTILINE,
        )
    )


def _valid(code: str, names: list[str]) -> str:
    """Return the code, without what follows the last line up to which it is Python that defines a name."""
    if len(code) > LONGEST:
        return code
    return next((part for part in prefixes(code) if tree(part) and defines(part, names)), code)


def complete(prompt: str, code: str, names: list[str]) -> str:
    """Return a whole program: the prompt, then the code as a program of its own or as the body of the prompt's function.

    Of a body that begins indented, a line at column 0 is the end, as soon as what precedes it is Python.
    """
    if not prompt or not code.strip():
        return code
    code = trimmed(code)
    if defines(code, names) and not code[0].isspace():
        return f"{_whole(prompt)}\n{code}"
    bodies = [f"{prompt.rstrip()}\n{body}" for body in _bodies(code, prompt)]
    return next((body for body in bodies if tree(body)), bodies[0])


def _whole(prompt: str) -> str:
    """Return a prompt as a program; one that ends with a signature gets a body."""
    return prompt if not prompt or tree(prompt) else f"{prompt.rstrip()}\n    pass\n"


def _bodies(code: str, prompt: str) -> Iterator[str]:
    """Yield what the body of the prompt's function may be, the likeliest first."""
    margin = _margin(prompt)
    parts = list(prefixes(code))
    if code[0].isspace():
        parts = [*parts[:0:-1], parts[0]]  # the shortest first
    for part in parts:
        if part[0].isspace():
            yield part
        for expanded in dict.fromkeys((part, part.expandtabs(4), part.expandtabs(8))):
            for body in _indented(expanded):
                yield mend(textwrap.indent(body, margin), lambda body: f"{prompt.rstrip()}\n{body}")


def _margin(prompt: str) -> str:
    """Return the indent of the body of the prompt's function, which its docstring has."""
    last = prompt.rstrip().rpartition("\n")[2]
    return last[: len(last) - len(last.lstrip())] or "    "


def _indented(body: str) -> Iterator[str]:
    """Yield the body at column 0. Its first line may have lost its indent, or a part of it."""
    first, _, rest = body.partition("\n")
    margins = [len(line) - len(line.lstrip()) for line in rest.split("\n") if line.strip()]
    opens = first.rstrip().endswith(":")
    straight = textwrap.dedent(body)
    if not margins or min(margins) <= len(first) - len(first.lstrip()) or (opens and margins[0] != 8):
        yield straight
    for margin in dict.fromkeys((min(margins, default=0), 4)):
        yield textwrap.dedent(f"{' ' * margin}{first.lstrip()}\n{rest}")
    yield straight
