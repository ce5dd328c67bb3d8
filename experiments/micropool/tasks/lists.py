"""Questions about a list of numbers or of words; its length decides how hard they are."""

from __future__ import annotations

from random import Random

from experiments.micropool.tasks.base import Generator, Item, near_numbers
from experiments.micropool.tasks.words import GROUPS, THINGS, lead

WORDS = tuple(THINGS) + tuple(word for group in GROUPS.values() for word in group)
LENGTHS = (2, 4, 6, 8)
ORDINALS = ("first", "second", "third", "fourth", "fifth", "sixth", "seventh")
SHOW = ("The list is {text}. {ask}", "{ask} List: {text}.", "Look at this list: {text}. {ask}")


def make(rng: Random, topic: str, level: int) -> Item:
    """Return an item of ``numbers`` (largest, smallest, total, how many) or ``words`` (by place, neighbours)."""
    ask, shown, answer, steps, wrong = (_numbers if topic == "numbers" else _words)(rng, level)
    question = rng.choice(SHOW).format(text=", ".join(shown), ask=ask)
    return Item(lead(rng) + question, answer, steps, wrong)


def _numbers(rng: Random, level: int) -> tuple[str, list[str], str, str, tuple[str, ...]]:
    numbers = [rng.randint(1, 9 if level == 1 else 99 if level == 4 else 30) for _ in range(LENGTHS[level - 1])]
    kind = rng.choice(("largest", "smallest") if level == 1 else ("largest", "smallest", "total", "above"))
    if kind == "total":
        numbers = [number % 10 + 1 for number in numbers]
        sums = [sum(numbers[: end + 1]) for end in range(len(numbers))]
        ask, answer, steps = "What is the sum of the numbers?", sums[-1], ", ".join(map(str, sums))
    elif kind == "above":
        bound = rng.choice(numbers)
        kept = [number for number in numbers if number > bound]
        ask = f"How many numbers are larger than {bound}?"
        answer, steps = len(kept), f"larger: {', '.join(map(str, kept)) or 'none'}"
    else:
        best = max if kind == "largest" else min
        passed = [best(numbers[: end + 1]) for end in range(len(numbers))]
        ask, answer, steps = f"What is the {kind} number?", passed[-1], ", ".join(map(str, passed))
    return ask, [str(number) for number in numbers], str(answer), steps, near_numbers(rng, answer)


def _words(rng: Random, level: int) -> tuple[str, list[str], str, str, tuple[str, ...]]:
    words = rng.sample(WORDS, LENGTHS[level - 1])
    place = rng.randrange(len(words) - 1)
    kind = rng.choice(("place", "last", "after", "before")) if level > 1 else rng.choice(("first", "last"))
    if kind in ("place", "first"):
        place = 0 if kind == "first" else place
        ask, answer = f"What is the {ORDINALS[place]} word?", words[place]
        steps = ", ".join(f"{number + 1} {word}" for number, word in enumerate(words[: place + 1]))
    elif kind == "last":
        ask, answer, steps = "What is the last word?", words[-1], f"{words[-2]} then {words[-1]}"
    else:
        pair = words[place], words[place + 1]
        given, answer = pair if kind == "after" else reversed(pair)
        ask, steps = f"Which word comes right {kind} {given}?", f"{pair[0]} then {pair[1]}"
    return ask, words, answer, steps, tuple(rng.sample([word for word in WORDS if word != answer], 3))


GENERATOR = Generator(
    "list_reasoning",
    "commonsense",
    "exact_match",
    "Questions about a list: the largest or smallest number, the sum, how many, and words by their place.",
    ("numbers", "words"),
    make,
)
