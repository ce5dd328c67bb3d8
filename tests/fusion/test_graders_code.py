"""Code in responses: where it is found, how a prompt is completed, and that the tests decide."""

import json
from itertools import combinations

import pytest

from fusion.tasks.base import Example
from fusion.tasks.graders.code import complete, extract_code, pass_at_1, pass_at_k

ADD = Example("1", "?", json.dumps({"tests": "assert add(1, 2) == 3\nassert add(-1, 1) == 0", "names": ["add"]}))
GOOD = "def add(a, b):\n    return a + b\n"
BAD = "def add(a, b):\n    return a - b\n"
PROMPT = 'import math\n\n\ndef helper(x):\n    return x\n\n\ndef add(a, b):\n    """Add.\n\n    >>> add(1, 2)\n    3\n    """\n'
COMPLETE = Example(
    "1",
    "?",
    json.dumps(
        {
            "prompt": PROMPT,
            "tests": "def check(candidate):\n    assert candidate(1, 2) == helper(3)\n    assert math.isclose(candidate(0.1, 0.2), 0.3)\n"
            "\ncheck(add)",
            "names": ["add"],
        }
    ),
)
MARKED = [
    (GOOD, 1),
    (f"```python\n{GOOD}```", 1),
    (f"```\n{GOOD}```", 1),
    (f"Here is the code:\n\n```python\n{GOOD}```\nIt adds.\n\n```python\nprint(add(1, 2))\n```", 1),
    (f"First try:\n```python\n{BAD}```\nThat subtracts. Again:\n```python\n{GOOD}```", 1),
    (f"```python\nimport math\n```\nthen\n```python\n{GOOD}```", 1),
    (f"```python\n{GOOD}", 1),
    (f"~~~python\n{GOOD}~~~", 1),
    (f"[BEGIN]\n{GOOD}[DONE]", 1),
    (f"Sure! Here it is:\n{GOOD}\nThis function adds two numbers.", 1),
    ("```python\nadd = lambda a, b: a + b\n```", 1),
    ("```python\nimport operator\nadd = operator.add\n```", 1),
    ("```python\nclass Adder:\n    def __call__(self, a, b):\n        return a + b\nadd = Adder()\n```", 1),
    ("- Use this:\n  ```python\n  def add(a, b):\n      return a + b\n  ```", 1),
    (f"```bash\npip install add\n```\n```python\n{GOOD}```", 1),
    (f"{GOOD}\nif __name__ == '__main__':\n    print(add(int(input()), 1))", 1),
    (BAD, 0),
    (f"```python\n{BAD}```", 0),
    (f"```python\n{GOOD}```\nBetter:\n```python\n{BAD}```", 0),
    ("```python\ndef plus(a, b):\n    return a + b\n```", 0),
    ("def add(a, b)\n    return a + b", 0),
    ("I cannot write code.", 0),
    ("", 0),
    ("```python\nimport add_from_nowhere\n```", 0),
    ("def add(a, b):\n    raise ValueError(a)", 0),
]
COMPLETIONS = [
    ("    return a + b", 1),
    ("return a + b", 1),
    ("\n    return a + b\n", 1),
    ("c = a\n    return c + b", 1),
    ("if a:\n        return a + b\n    return b", 1),
    ("if a:\n    return a + b\nreturn b", 1),
    ("if a:\n    return a + b", 1),
    ("```text\nFirst I think.\n```\n```python\n    return a + b\n```", 1),
    ("```python\n    return helper(a) + b\n```", 1),
    (f"```python\n{PROMPT}    return a + b\n```", 1),
    ("```python\ndef add(a, b):\n    return math.fsum([a, b])\n```", 1),
    ("```python\nfrom typing import List\n\ndef add(a, b):\n    return helper(a) + b\n```", 1),
    ("    return a - b", 0),
    ("    pass", 0),
    ("def add(a, b):\n    pass", 0),
    ("", 0),
    ("I am not sure.", 0),
]


@pytest.mark.parametrize(("response", "right"), MARKED)
def test_agrees_with_hand_marked_answers(response, right):
    assert pass_at_1(response, ADD).performance == right


@pytest.mark.parametrize(("response", "right"), COMPLETIONS)
def test_completions_agree_with_hand_marked_answers(response, right):
    assert pass_at_1(response, COMPLETE).performance == right


def test_says_why_code_does_not_pass():
    assert pass_at_1(BAD, ADD).prediction == "AssertionError:  at assert add(1, 2) == 3"
    assert pass_at_1(GOOD, ADD).prediction == "passed"


def test_fences_within_the_text_of_a_line_are_none():
    assert extract_code("Use ``` to fence.\n" + GOOD, ["add"]) == GOOD


def test_an_empty_completion_stays_empty():
    assert complete(PROMPT, " \n", ["add"]) == " \n"


@pytest.mark.parametrize(("draws", "passed", "k"), [(5, 0, 1), (5, 2, 1), (5, 2, 3), (5, 5, 2), (6, 3, 4), (4, 1, 4)])
def test_pass_at_k_is_the_chance_that_one_of_k_draws_passes(draws, passed, k):
    outcomes = [number < passed for number in range(draws)]
    taken = list(combinations(outcomes, k))
    assert pass_at_k(draws, passed, k) == pytest.approx(sum(map(any, taken)) / len(taken))


@pytest.mark.parametrize(("draws", "passed", "k"), [(5, 6, 1), (5, 2, 6), (5, 2, 0), (5, -1, 1)])
def test_pass_at_k_refuses_impossible_counts(draws, passed, k):
    with pytest.raises(ValueError, match="must hold"):
        pass_at_k(draws, passed, k)
