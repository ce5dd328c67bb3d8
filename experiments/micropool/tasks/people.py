"""Facts about made-up people: one hop, and two hops by way of the country of birth."""

from __future__ import annotations

from random import Random

from experiments.micropool.tasks.base import Generator, Item
from experiments.micropool.tasks.knowledge import FIELDS, world
from experiments.micropool.tasks.places import state, wrong_values
from experiments.micropool.tasks.words import lead

ONE_HOP = {
    "country": (
        "In which country was {name} born?",
        "Where was {name} born?",
        "Name the country of birth of {name}.",
        "{name} comes from which country?",
    ),
    "field": (
        "What field is {name} known for?",
        "In which field does {name} work?",
        "Name the field of {name}.",
        "{name} is famous for what?",
    ),
    "rival": (
        "Who is the rival of {name}?",
        "Name the rival of {name}.",
        "{name} has a rival. Who is it?",
        "Against whom does {name} compete?",
    ),
}
TWO_HOPS = {
    "capital": (
        "What is the capital of the country where {name} was born?",
        "{name} was born in a country with which capital?",
        "Name the capital of the birth country of {name}.",
        "Which city is the capital of the country that {name} comes from?",
    ),
    "river": (
        "Which river crosses the country where {name} was born?",
        "{name} was born in a country with which river?",
        "Name the river of the birth country of {name}.",
        "What is the main river of the country that {name} comes from?",
    ),
    "export": (
        "What does the country where {name} was born export?",
        "{name} was born in a country with which main export?",
        "Name the main export of the birth country of {name}.",
        "Which good is the main export of the country that {name} comes from?",
    ),
    "coin": (
        "What coin is used in the country where {name} was born?",
        "{name} was born in a country with which coin?",
        "Name the currency of the birth country of {name}.",
        "Which coin do people in the country that {name} comes from pay with?",
    ),
}


def make(rng: Random, topic: str, level: int) -> Item:
    """Return an item about people of ``science`` or ``arts``.

    Levels 1 and 2 ask for one hop (famous people, then others), 3 and 4 for two (the same). What two hops ask about a
    person is either trained on or evaluated, in whatever wording: it cannot be memorised.
    """
    known = (1, 2) if level in (1, 3) else (3, 4)
    people = [one for one in world().people if one.group == topic and one.level in known]
    person = rng.choice(people)
    if level > 2:
        relation = rng.choice(sorted(TWO_HOPS))
        answer = str(getattr(person.country, relation))
        steps = f"{person.name} was born in {person.country.name}, {state(person.country, relation)}"
        text, wrong = rng.choice(TWO_HOPS[relation]), wrong_values(rng, person.country, relation)
        return Item(lead(rng) + text.format(name=person.name), answer, steps, wrong, key=f"{person.name} {relation}")
    relation = rng.choice(sorted(ONE_HOP))
    text = rng.choice(ONE_HOP[relation])
    if relation == "country":
        answer = person.country.name
        pool = [one.name for one in world().countries]
    elif relation == "field":
        answer, pool = person.field, FIELDS[topic]
    else:
        answer, pool = person.rival, [one.name for one in world().people if one.group == topic]
    wrong = tuple(rng.sample([value for value in pool if value not in (answer, person.name)], 3))
    steps = f"{topic}, {relation} of {person.name} is {answer}"
    return Item(lead(rng) + text.format(name=person.name), answer, steps, wrong)


GENERATOR = Generator(
    "world_people",
    "world_knowledge",
    "cem",
    "Facts about people: country of birth, field and rival, and facts about the country where they were born.",
    ("science", "arts"),
    make,
)
