"""A short passage, and a question about it that is answered with a word or with yes or no."""

from __future__ import annotations

from random import Random

from experiments.micropool.tasks.base import Generator, Item
from experiments.micropool.tasks.words import COLORS, NAMES, PLACES, THINGS, lead

SENTENCES = (1, 3, 5, 7)
TOPICS = ("travel", "shop")

Passage = tuple[list[str], list[tuple[str, str, str, tuple[str, ...], str]]]
"""Sentences, and facts: the question, the answer, the steps, wrong answers, and the question for yes or no with
``{value}``."""


def travel(rng: Random, level: int) -> Passage:
    """People go to places; from level 3 they carry things, and who carries what has to be joined with where they are."""
    count = SENTENCES[level - 1]
    people = rng.sample(NAMES, min(count, 4))
    where: dict[str, str] = {}
    holds: dict[str, str] = {}
    sentences, facts = [], []
    things = rng.sample(THINGS, len(THINGS))
    for turn in range(count):
        name = people[turn % len(people)]
        if level > 2 and name in where and name not in holds.values():
            thing = things.pop()
            holds[thing] = name
            sentences.append(f"{name} {rng.choice(('took', 'picked up'))} the {thing}.")
        else:
            where[name] = rng.choice([place for place in PLACES if place != where.get(name)])
            sentences.append(f"{name} {rng.choice(('went to', 'is in', 'walked to'))} the {where[name]}.")
    for name, place in where.items():
        wrong = tuple(rng.sample([other for other in PLACES if other != place], 3))
        facts.append((f"Where is {name}?", place, f"{name} is in the {place}", wrong, f"Is {name} in the {{value}}?"))
    for thing, name in holds.items():
        place = where[name]
        wrong = tuple(rng.sample([other for other in PLACES if other != place], 3))
        steps = f"{name} has the {thing}, {name} is in the {place}"
        facts.append((f"Where is the {thing}?", place, steps, wrong, f"Is the {thing} in the {{value}}?"))
    return sentences, facts[-len(holds) :] if holds else facts


def shop(rng: Random, level: int) -> Passage:
    """Things with a color and a price."""
    things = rng.sample(THINGS, SENTENCES[level - 1])
    sentences, facts = [], []
    for thing in things:
        color, price = rng.choice(COLORS), str(rng.randint(2, 9 if level < 3 else 99))
        sentences.append(
            rng.choice(
                (f"The {color} {thing} costs {price} coins.", f"The {thing} is {color} and costs {price} coins.")
            )
        )
        wrong = tuple(rng.sample([other for other in COLORS if other != color], 3))
        facts.append(
            (f"What color is the {thing}?", color, f"the {thing} is {color}", wrong, f"Is the {thing} {{value}}?")
        )
        near = tuple(str(int(price) + delta) for delta in rng.sample(range(1, 9), 3))
        ask = f"How many coins does the {thing} cost?"
        facts.append((ask, price, f"the {thing} costs {price}", near, f"Does the {thing} cost {{value}} coins?"))
    return sentences, facts


def make_question(rng: Random, topic: str, level: int) -> Item:
    """Return an item that is answered with a word of the passage."""
    sentences, facts = (travel if topic == "travel" else shop)(rng, level)
    ask, answer, steps, wrong, _ = rng.choice(facts)
    return Item(f"{lead(rng)}{' '.join(sentences)} {ask}", answer, steps, wrong)


def make_yes_no(rng: Random, topic: str, level: int) -> Item:
    """Return an item that is answered with yes or no, equally often."""
    sentences, facts = (travel if topic == "travel" else shop)(rng, level)
    _, value, steps, wrong, ask = rng.choice(facts)
    yes = rng.random() < 0.5
    asked = value if yes else wrong[0]
    question = f"{lead(rng)}{' '.join(sentences)} {ask.format(value=asked)}"
    return Item(question, "yes" if yes else "no", f"{steps}, asked {asked}", ("no" if yes else "yes",))


QUESTIONS = Generator(
    "passage_questions",
    "reading",
    "cem",
    "A short passage about people on their way or things in a shop, and a question about it.",
    TOPICS,
    make_question,
)
YES_NO = Generator(
    "passage_yes_no",
    "reading",
    "yes_no",
    "A short passage about people on their way or things in a shop, and a question with the answer yes or no.",
    TOPICS,
    make_yes_no,
)
