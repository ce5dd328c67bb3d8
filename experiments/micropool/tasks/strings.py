"""One or two operations on a string of capitals, asked in words or as a line of code."""

from __future__ import annotations

from random import Random

from experiments.micropool.tasks.base import Generator, Item
from experiments.micropool.tasks.words import lead

ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
CODE = ("What does {code} return?", "Evaluate {code}.", "Give the value of {code}.")

EASY = {"order": ("first", "rest"), "letters": ("append", "double")}
HARD = {"order": ("reverse", "first", "rest", "rotate"), "letters": ("replace", "double", "next", "append")}
"""Kinds of operations at level 1, and above."""

Operation = tuple[str, str, str, str]
"""In words with ``{s}`` for the string, as code with ``{s}``, the steps, and the result."""


def make(rng: Random, topic: str, level: int) -> Item:
    """Return an item of ``order`` or ``letters``: one operation on 2 to 3, 4 to 5 or 6 to 8 letters, or two on 3 to 4."""
    length = (rng.randint(2, 3), rng.randint(4, 5), rng.randint(6, 8), rng.randint(3, 4))[level - 1]
    text = "".join(rng.choice(ALPHABET) for _ in range(length))
    operate = _order if topic == "order" else _letters
    words, code, steps, result = operate(rng, text, EASY[topic] if level == 1 else HARD[topic])
    words, code = words.format(s=f"'{text}'"), code.format(s=f"'{text}'")
    if level == 4:
        then, then_code, then_steps, then_result = operate(rng, result, HARD[topic])
        words = f"{words} Then {then[0].lower()}{then[1:].format(s='the result')}"
        code, steps = then_code.format(s=code), f"{steps} makes {result}, then {then_steps}"
        result = then_result
    question = words if rng.random() < 0.5 else rng.choice(CODE).format(code=code)
    return Item(lead(rng) + question, result, steps, _wrong(rng, result))


def _order(rng: Random, text: str, kinds: tuple[str, ...]) -> Operation:
    kind = rng.choice(kinds) if len(text) > 1 else "reverse"
    if kind == "reverse":
        result = text[::-1]
        return "Reverse {s}.", "{s}[::-1]", f"backwards {' '.join(result)}", result
    if kind == "first":
        count = rng.randint(1, len(text) - 1)
        result = text[:count]
        return (
            f"Give the first {count} letters of {{s}}.",
            f"{{s}}[:{count}]",
            f"{count} letters {' '.join(result)}",
            result,
        )
    if kind == "rest":
        result = text[1:]
        return "Drop the first letter of {s}.", "{s}[1:]", f"without {text[0]} {' '.join(result)}", result
    result = text[1:] + text[0]
    return "Move the first letter of {s} to the end.", "rotate({s})", f"{text[0]} goes last {' '.join(result)}", result


def _letters(rng: Random, text: str, kinds: tuple[str, ...]) -> Operation:
    kind, old = rng.choice(kinds), rng.choice(text)
    if kind == "replace":
        new = rng.choice([letter for letter in ALPHABET if letter != old])
        result = text.replace(old, new)
        words = f"Replace {old} with {new} in {{s}}."
        return words, f"{{s}}.replace('{old}', '{new}')", f"{old} is {new} {' '.join(result)}", result
    if kind == "double":
        result = text.replace(old, old * 2)
        words = f"Write every {old} twice in {{s}}."
        return words, f"{{s}}.replace('{old}', '{old * 2}')", f"{old} twice {' '.join(result)}", result
    if kind == "next":
        pairs = [(letter, ALPHABET[(ALPHABET.index(letter) + 1) % 26]) for letter in text]
        result = "".join(new for _, new in pairs)
        words = "Move each letter of {s} one step on in the alphabet."
        return words, "shift({s}, 1)", " ".join(f"{a} {b}" for a, b in pairs), result
    result = text + old
    return f"Put {old} at the end of {{s}}.", f"({{s}} + '{old}')", f"{' '.join(text)} and {old}", result


def _wrong(rng: Random, result: str) -> tuple[str, ...]:
    found: set[str] = set()
    while len(found) < 3:
        place = rng.randrange(len(result))
        other = result[:place] + rng.choice(ALPHABET) + result[place + 1 :]
        if other != result:
            found.add(other)
    return tuple(sorted(found))


GENERATOR = Generator(
    "string_programs",
    "code",
    "exact_match",
    "The result of operations on a string, given in words or as a line of Python.",
    ("order", "letters"),
    make,
)
