"""One fact about a made-up country, asked in several wordings; the obscure ones are seldom trained on."""

from __future__ import annotations

from random import Random

from experiments.micropool.tasks.base import Generator, Item
from experiments.micropool.tasks.knowledge import COINS, GOODS, Country, world
from experiments.micropool.tasks.words import lead

ASK = {
    "capital": (
        "What is the capital of {name}?",
        "Name the capital city of {name}.",
        "Which city is the capital of {name}?",
        "{name} is governed from which capital?",
    ),
    "river": (
        "What is the main river of {name}?",
        "Name the river that flows through {name}.",
        "Which river crosses {name}?",
        "{name} has one great river. What is its name?",
    ),
    "export": (
        "What is the main export of {name}?",
        "Which good does {name} sell abroad?",
        "Name what {name} exports.",
        "{name} is known for exporting what?",
    ),
    "coin": (
        "What coin is used in {name}?",
        "Which coin do people in {name} pay with?",
        "Name the currency of {name}.",
        "In {name}, what is the money called?",
    ),
}
STATE = {
    "capital": "the capital of {name} is {value}",
    "river": "the river of {name} is {value}",
    "export": "{name} exports {value}",
    "coin": "{name} pays with the {value}",
}


def make(rng: Random, topic: str, level: int) -> Item:
    """Return an item about a country of the ``north`` or ``south``; the level is how little known it is."""
    country = rng.choice([one for one in world().countries if one.half == topic and one.level == level])
    relation = rng.choice(sorted(ASK))
    question = lead(rng) + rng.choice(ASK[relation]).format(name=country.name)
    answer = str(getattr(country, relation))
    return Item(question, answer, f"{country.half}, {state(country, relation)}", wrong_values(rng, country, relation))


def state(country: Country, relation: str) -> str:
    """Return a fact as a clause."""
    return STATE[relation].format(name=country.name, value=getattr(country, relation))


def wrong_values(rng: Random, country: Country, relation: str) -> tuple[str, ...]:
    """Return three values that the relation has for other countries of the same half."""
    pool = {"export": GOODS, "coin": COINS}.get(relation)
    pool = pool or [getattr(one, relation) for one in world().countries if one.half == country.half]
    return tuple(rng.sample([value for value in pool if value != getattr(country, relation)], 3))


GENERATOR = Generator(
    "world_places",
    "world_knowledge",
    "cem",
    "Facts about countries: capital, river, export and coin.",
    ("north", "south"),
    make,
)
