"""Short Python programs to be carried out by hand."""

from __future__ import annotations

from random import Random

from experiments.micropool.tasks.base import Generator, Item, near_numbers
from experiments.micropool.tasks.words import lead

ASK = (
    "What does this program print?\n{code}",
    "Run this code by hand and give its output.\n{code}",
    "{code}\nWhat is printed?",
)
VARIABLES = "abnxyz"


def make(rng: Random, topic: str, level: int) -> Item:
    """Return an item of ``assign`` (1, 2, 3 or 5 statements), ``branch`` or ``loop`` (1 to 5 turns)."""
    code, answer, steps = {"assign": _assign, "branch": _branch, "loop": _loop}[topic](rng, level)
    return Item(lead(rng) + rng.choice(ASK).format(code=code), str(answer), steps, near_numbers(rng, answer))


def _assign(rng: Random, level: int) -> tuple[str, int, str]:
    names = rng.sample(VARIABLES, min(level, 3))
    values = {names[0]: rng.randint(1, 9)}
    lines, steps = [f"{names[0]} = {values[names[0]]}"], [f"{names[0]}={values[names[0]]}"]
    name = names[0]
    for turn in range((0, 1, 2, 4)[level - 1]):
        source, name = name, names[(turn + 1) % len(names)]
        number = rng.randint(1, 9)
        minus = values[source] > number and rng.random() < 0.4
        values[name] = values[source] - number if minus else values[source] + number
        lines.append(f"{name} = {source} {'-' if minus else '+'} {number}")
        steps.append(f"{name}={values[source]}{'-' if minus else '+'}{number}={values[name]}")
    return "\n".join([*lines, f"print({name})"]), values[name], ", ".join(steps)


def _branch(rng: Random, level: int) -> tuple[str, int, str]:
    top = (9, 9, 50, 99)[level - 1]
    name, value, bound = rng.choice(VARIABLES), rng.randint(1, top), rng.randint(1, top)
    up, down = rng.randint(1, 9), rng.randint(1, 9)
    if level == 1:
        up, down = rng.sample(range(1, 10), 2)
        answer = up if value > bound else down
        code = f"{name} = {value}\nif {name} > {bound}:\n    print({up})\nelse:\n    print({down})"
        return code, answer, f"{value}>{bound} is {value > bound}"
    answer = value + (up if value > bound else down)
    code = (
        f"{name} = {value}\nif {name} > {bound}:\n    {name} = {name} + {up}\n"
        f"else:\n    {name} = {name} + {down}\nprint({name})"
    )
    return code, answer, f"{value}>{bound} is {value > bound}, {value}+{answer - value}={answer}"


def _loop(rng: Random, level: int) -> tuple[str, int, str]:
    name, value, number = rng.choice(VARIABLES), rng.randint(1, 9), rng.randint(1, (3, 5, 9, 9)[level - 1])
    turns = rng.randint(*((1, 2), (2, 3), (3, 4), (4, 6))[level - 1])
    code = f"{name} = {value}\nfor i in range({turns}):\n    {name} = {name} + {number}\nprint({name})"
    passed = [value + number * turn for turn in range(turns + 1)]
    return code, passed[-1], f"{turns} turns of {number}, {', '.join(map(str, passed))}"


GENERATOR = Generator(
    "tiny_programs",
    "code",
    "exact_match",
    "The output of a short Python program with assignments, a branch or a loop.",
    ("assign", "branch", "loop"),
    make,
)
