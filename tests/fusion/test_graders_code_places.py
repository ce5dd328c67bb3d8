"""Where in a response its code stands, and where it ends, on responses marked by hand."""

import json
import time

import pytest

from fusion.tasks.base import Example
from fusion.tasks.graders.code import extract_code, pass_at_1

TESTS = "assert add_up([1, 2]) == 3\nassert add_up([]) == 0"
DOCSTRING = 'from typing import List\n\n\ndef add_up(xs: List[int]) -> int:\n    """Add up.\n\n    >>> add_up([1, 2])\n    3\n    """\n'
PROMPTS = {
    "none": "",
    "docstring": DOCSTRING,
    "signature": "def add_up(xs):\n",
    "tabs": 'def add_up(xs):\n\t"""Add."""\n',
}
BODY = "    total = 0\n    for x in xs:\n        total += x\n    return total\n"
GOOD = "def add_up(xs):\n    return sum(xs)\n"
BAD = "def add_up(xs):\n    return 1\n"
STUB = 'def add_up(xs):\n    """Add."""\n'
MARKED = [
    ("docstring", BODY + "\n\ndef other():\n    pass\n", 1),
    ("signature", BODY + "\n\ndef other():\n    pass\n", 1),
    ("tabs", BODY.replace("    ", "\t") + "\n\ndef other():\n\tpass\n", 1),
    ("tabs", BODY + "\n\ndef other():\n    pass\n", 1),
    ("docstring", BODY + "\n# test\nprint(add_up([1]))\nassert add_up([1])==2\n", 1),
    ("docstring", BODY + "\nif __name__ == '__main__':\n    import doctest\n    doctest.testmod()\n", 1),
    ("docstring", BODY + "\nThis function adds all the numbers.\n", 1),
    ("docstring", BODY + "```\nThis function adds all the numbers.\n", 1),
    ("docstring", BODY + "\n\ndef add_up(xs):\n    return 7\n", 1),
    ("docstring", "   total = 0\n    for x in xs:\n        total += x\n    return total\n", 1),
    ("docstring", " total = 0\n    for x in xs:\n        total += x\n    return total\n", 1),
    ("docstring", "total = 0\n    for x in xs:\n        total += x\n    return total\n\ndef other():\n    pass", 1),
    ("docstring", "total = 0\nfor x in xs:\n    total += x\nreturn total\n", 1),
    ("docstring", "  total = 0\n  for x in xs:\n    total += x\n  return total\n", 1),
    ("docstring", "\ttotal = 0\n\tfor x in xs:\n\t\ttotal += x\n\treturn total\n", 1),
    ("docstring", "    total = 0\n\tfor x in xs:\n\t\ttotal += x\n\treturn total\n", 1),
    ("docstring", "        return sum(xs)\n", 1),
    ("docstring", "```python\n" + BODY + "```", 1),
    ("docstring", "```python\n" + BODY + "\n\ndef other():\n    pass\n```", 1),
    ("docstring", "Sure:\n```\n" + BODY + "```\nDone.", 1),
    ("docstring", '    """text\nat column 0\n"""\n    return sum(xs)\n\ndef other(): pass', 1),
    ("docstring", "    return sum(\n[x for x in xs]\n)\n\nprint(1)", 1),
    ("docstring", "    return 1\n", 0),
    ("docstring", DOCSTRING + BODY, 1),
    ("docstring", DOCSTRING + BODY + "\n\nThis is it.", 1),
    ("none", "    def add_up(xs):\n        return sum(xs)\n", 1),
    ("none", "    def add_up(xs):\n        return sum(xs)\n\nIt adds.", 1),
    (
        "none",
        "```python\ndef help(xs):\n    return sum(xs)\n```\n\nand\n\n```python\ndef add_up(xs):\n    return help(xs)\n```",
        1,
    ),
    (
        "docstring",
        "```python\ndef help(xs):\n    return sum(xs)\n```\n\nand\n\n```python\ndef add_up(xs):\n    return help(xs)\n```",
        1,
    ),
    (
        "none",
        "```python\ndef add_up(xs):\n    return helper(xs)\n```\n\nwhere\n\n```python\ndef helper(xs):\n    return sum(xs)\n```",
        1,
    ),
    (
        "none",
        "```python\nimport functools\nSTART = 0\n```\nthen\n```python\ndef add_up(xs):\n    return functools.reduce(lambda a, b: a + b, xs, START)\n```",
        1,
    ),
    (
        "none",
        "```python\nfrom math import fsum as f\n```\nthen\n```python\ndef h(xs):\n    return f(xs)\n```\nthen\n```python\ndef add_up(xs):\n    return int(h(xs))\n```",
        1,
    ),
    ("none", "First:\n```python\n" + BAD + "assert add_up([1,2])==3\n```\nFixed:\n```python\n" + GOOD + "```", 1),
    ("none", "```python\n" + GOOD + "```\nUsage:\n```python\nresult = add_up([1])\nprint(result)\n```", 1),
    ("none", "```python\n" + GOOD + "```\nOr worse:\n```python\n" + BAD + "```", 0),
    ("none", "```python\n" + GOOD + "```\nOr:\n```python\ndef add_up(xs):\n    total = 0\n    for x in (", 1),
    (
        "none",
        '```python\ndef add_up(xs):\n    """Add.\n\n    ```\n    add_up([1])\n    ```\n    """\n    return sum(xs)\n```',
        1,
    ),
    (
        "none",
        '```python\ndef add_up(xs):\n    """Add.\n\n    ```python\n    add_up([1])\n    ```\n    """\n    return sum(xs)\n```\nDone.',
        1,
    ),
    (
        "none",
        '```python\ndef add_up(xs):\n    """Add.\n\n    Example:\n```\nadd_up([1])\n```\n    """\n    return sum(xs)\n```\nIt works.',
        1,
    ),
    ("none", "> Here:\n>\n> ```python\n> def add_up(xs):\n>     return sum(xs)\n> ```", 1),
    ("none", "> def add_up(xs):\n>     return sum(xs)\n", 1),
    ("none", ">```python\n>def add_up(xs):\n>    return sum(xs)\n>```", 1),
    ("none", "def add_up(xs):\n\xa0\xa0\xa0\xa0return sum(xs)\n", 1),
    ("none", "```python\ndef add_up(xs):\n\xa0 \xa0 return sum(xs)\n```", 1),
    ("docstring", "\xa0\xa0\xa0\xa0return sum(xs)\n", 1),
    ("none", "Here is the code:\n\ndef add_up(xs):\n    return sum(xs)\n```\nThis adds all.", 1),
    ("none", "Here is the code:\n\ndef add_up(xs):\n    return sum(xs)\n```", 1),
    ("none", "Here is the code:\n\n" + GOOD + "\nThis adds all: sum is builtin.\nGood luck.", 1),
    ("none", "from the list we take all. \nimport is not needed.\n\n" + GOOD + "\nIt works (I think).", 1),
    ("none", "~~~\n" + GOOD + "~~~", 1),
    ("none", "```python3\n" + GOOD + "```", 1),
    ("none", "```py\n" + GOOD + "```", 1),
    ("none", '```Python title="x.py"\n' + GOOD + "```", 1),
    ("none", "``` python\n" + GOOD + "```", 1),
    ("none", "```{.python}\n" + GOOD + "```", 1),
    ("none", "```python {1,3}\n" + GOOD + "```", 1),
    ("none", "```PYTHON\n" + GOOD + "```", 1),
    ("none", "````python\n" + GOOD + "````", 1),
    ("none", "```text\n" + GOOD + "```", 1),
    ("none", "```plaintext\n" + GOOD + "```", 1),
    ("none", "```javascript\nfunction add_up(xs) {}\n```\n```python\n" + GOOD + "```", 1),
    ("none", "```python\n" + GOOD, 1),
    ("none", "```python\n" + GOOD + "\nprint(add_up([1,", 1),
    ("none", "```\n" + GOOD + "```python\nprint(1)\n```", 1),
    ("none", "```python\ndef h(xs):\n    return sum(xs)\n```python\ndef add_up(xs):\n    return h(xs)\n```", 1),
    ("none", "```python def add_up(xs):\n    return sum(xs)\n```", 1),
    ("none", "```def add_up(xs): return sum(xs)```", 1),
    ("none", "```python\ndef add_up(xs):\n    return sum(xs)```", 1),
    ("none", "`def add_up(xs): return sum(xs)`", 0),
    ("none", GOOD + "\nassert add_up([1, 2]) == 4", 1),
    ("none", "```python\n" + GOOD + "\nassert add_up([1, 2]) == 4\n```", 1),
    ("none", "```python\n" + GOOD + "\nn = int(input())\nprint(add_up([n]))\n```", 1),
    ("none", "```python\n" + GOOD + "\nif __name__ == '__main__':\n    main()\n```", 1),
    ("none", "```python\n" + GOOD + "\nclass TestAdd(unittest.TestCase):\n    pass\n```", 0),
    ("none", ">>> def add_up(xs):\n...     return sum(xs)\n...\n>>> add_up([1])\n1", 1),
    ("none", "```python\n>>> def add_up(xs):\n...     return sum(xs)\n...\n>>> add_up([1])\n1\n```", 1),
    ("none", "```pycon\n>>> def add_up(xs):\n...     return sum(xs)\n```", 1),
    ("none", "```python\nclass Solution:\n    def add_up(self, xs):\n        return sum(xs)\n```", 0),
    (
        "none",
        "```python\nclass Solution:\n    def add_up(self, xs):\n        return sum(xs)\n\nadd_up = Solution().add_up\n```",
        1,
    ),
    (
        "none",
        "```python\nimport functools\n\n@functools.lru_cache\ndef h(n):\n    return n\n\ndef add_up(xs):\n    return sum(map(h, xs))\n```",
        1,
    ),
    ("none", "[PYTHON]\n" + GOOD + "[/PYTHON]\n[TESTS]\n# Test case 1:\nassert add_up([1,2]) == 3\n[/TESTS]", 1),
    ("none", " \n[PYTHON]\n" + GOOD + "[/PYTHON]", 1),
    ("none", " [BEGIN]\n" + GOOD + "[Done]", 1),
    ("docstring", " [BEGIN]\n    return sum(xs)\n[Done]", 1),
    ("docstring", "[BEGIN]\nreturn sum(xs)\n[Done]", 1),
    ("docstring", "[BEGIN]\ntotal = 0\nfor x in xs:\n    total += x\nreturn total\n[Done]", 1),
    ("none", "[BEGIN]\n```python\n" + GOOD + "```\n[DONE]", 1),
    ("none", "[BEGIN]\ndef add\\_up(xs):\n    return sum(xs)\n[Done]", 1),
    ("none", "```python\ndef add\\_up(xs):\n    return sum(xs)\n```", 1),
    ("none", "```python\ndef add_up(xs):\n    return sum(x for x in xs if x &gt; 0)\n```", 1),
    ("none", "```python\ndef add_up(xs):\n    print(“a”)\n    return sum(xs)\n```", 1),
    ("none", "1. Write:\n\n   ```python\n   def add_up(xs):\n       return sum(xs)\n   ```\n2. Done.", 1),
    ("none", "\r\n```python\r\ndef add_up(xs):\r\n    return sum(xs)\r\n```\r\n", 1),
    ("none", "```python\nadd_up = lambda xs: sum(xs)\n```", 1),
    ("none", "```python\nadd_up: object = sum\n```", 1),
    (
        "none",
        "```python\nfrom functools import reduce as add_up_\ndef add_up(xs): return add_up_(lambda a,b:a+b, xs, 0)\n```",
        1,
    ),
    ("none", "<code>\n" + GOOD + "</code>", 1),
    ("none", "```bash\npip install x\n```\n" + GOOD, 1),
    ("none", "The function:\n```python\n" + GOOD + "```\n```\nOutput: 3\n```", 1),
    ("none", "I cannot write it.", 0),
    ("docstring", "I cannot write it.", 0),
    ("none", "```python\n```", 0),
    ("docstring", "Here is the completed function:\n\n    return sum(xs)\n", 1),
    ("docstring", "Here is the completed function:\n\n" + DOCSTRING + BODY, 1),
    ("none", "```python\n" + GOOD + "```\nThe part given was:\n```python\n" + STUB + "```", 1),
    ("none", "```python\n" + GOOD + "\n# Example usage:\nresult = add_up([1])\nprint(result)\n```", 1),
    ("none", GOOD + "\nxs=[1]\nresult = add_up(xs)\nprint(result)  # Output", 1),
    ("none", GOOD + "\ntotal = 0\nfor x in [[1],[2]]:\n    total += add_up(x)\nprint(total)", 1),
    ("none", "def add_up(xs):\n    return sum(xs) + OFFSET\n\nOFFSET = 0\nprint(add_up([1]))", 1),
    ("none", "T = {}\ndef add_up(xs):\n    return sum(xs) + T[0]\n\nfor i in range(3):\n    T[i] = i\n", 1),
    (
        "none",
        "import sys\nsys.setrecursionlimit(5000)\ndef add_up(xs):\n    return xs[0] + add_up(xs[1:]) if xs else 0\n",
        1,
    ),
    ("none", "def memo(f):\n    return f\ndef add_up(xs):\n    return sum(xs)\nadd_up = memo(add_up)\n", 1),
    ("docstring", "```python\n" + STUB + "    # your code\n    pass\n```", 0),
]


@pytest.mark.parametrize(("prompt", "response", "right"), MARKED)
def test_code_is_found_wherever_it_stands(prompt, response, right):
    gold = {"tests": TESTS, "names": ["add_up"], **({"prompt": PROMPTS[prompt]} if prompt != "none" else {})}
    assert pass_at_1(response, Example("1", "?", json.dumps(gold))).performance == right


@pytest.mark.parametrize(
    "odd",
    [
        "-" * 90_000,
        "(" * 90_000,
        "a." * 45_000,
        "1+" * 45_000,
        "f" + "(1)" * 30_000,
        "lambda:" * 9_000,
        "[" * 90_000,
        "x = (\n" * 9_000,
    ],
)
def test_code_that_is_hard_to_read_is_given_up_in_time(odd):
    begin = time.process_time()
    extract_code(f"```python\n{GOOD}\n{odd}\n```", ["add_up"])
    extract_code(f"{GOOD}\n{odd}\n", ["add_up"])
    assert time.process_time() - begin < 5
