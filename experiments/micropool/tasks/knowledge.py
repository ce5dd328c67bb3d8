"""The made-up world whose facts the models memorise: 48 countries and 48 people, the same in every run."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from random import Random

ENDINGS = {"north": ("gard", "vik", "heim", "mark", "borg", "dal"), "south": ("ana", "olo", "umi", "eza", "ira", "ota")}
STARTS = {
    "north": (
        "Al",
        "Bren",
        "Dor",
        "Eld",
        "Fyr",
        "Gun",
        "Hal",
        "Jor",
        "Kel",
        "Lin",
        "Mor",
        "Nor",
        "Os",
        "Rag",
        "Skal",
        "Tor",
        "Ulf",
        "Var",
    ),
    "south": (
        "Ba",
        "Ca",
        "De",
        "Fa",
        "Go",
        "Ila",
        "Ja",
        "Ka",
        "Lu",
        "Ma",
        "Ne",
        "Pa",
        "Ri",
        "Sa",
        "Te",
        "Va",
        "Wa",
        "Zu",
    ),
}
GOODS = ["tea", "salt", "silk", "wool", "copper", "rice", "honey", "glass", "cotton", "tin", "amber", "cocoa"]
COINS = ["dorin", "marlet", "kesh", "taler", "pelo", "rund", "sava", "lirak"]
FIELDS = {
    "science": ["physics", "chemistry", "botany", "geology", "medicine", "astronomy"],
    "arts": ["painting", "dance", "opera", "poetry", "theatre", "sculpture"],
}
SURNAMES = {
    "science": ("Ardent", "Birk", "Corvin", "Dahl", "Ekker", "Fross", "Grimm", "Holt"),
    "arts": ("Amadi", "Bellini", "Castra", "Dulce", "Fiore", "Gala", "Lumina", "Moreno"),
}
FORENAMES = {
    "science": ("Edgar", "Frida", "Hugo", "Ines", "Klaus", "Mara", "Otto", "Petra", "Sven", "Thea", "Ulla", "Viktor"),
    "arts": ("Alma", "Bruno", "Carla", "Diego", "Elena", "Fabio", "Gina", "Ivan", "Julia", "Leo", "Mila", "Nico"),
}
PER_HALF = 24


@dataclass(frozen=True)
class Country:
    """A country: its half of the world, how well known it is (1 famous to 4 obscure), and its facts."""

    name: str
    half: str
    level: int
    capital: str
    river: str
    export: str
    coin: str


@dataclass(frozen=True)
class Person:
    """A person: scientist or artist, how well known (1 to 4), and facts."""

    name: str
    group: str
    level: int
    country: Country
    field: str
    rival: str


@dataclass(frozen=True)
class World:
    """All countries and people."""

    countries: tuple[Country, ...]
    people: tuple[Person, ...]


@cache
def world() -> World:
    """Return the world. It depends on nothing, so that facts are shared by all models and runs."""
    rng = Random("micropool world")
    countries = [country for half in ENDINGS for country in _countries(rng, half)]
    people = [person for group in FIELDS for person in _people(rng, group, countries)]
    return World(tuple(countries), tuple(people))


def _countries(rng: Random, half: str) -> list[Country]:
    names = [start + ending for start in STARTS[half] for ending in ENDINGS[half]]
    drawn = rng.sample(names, 3 * PER_HALF)
    return [
        Country(
            drawn[n],
            half,
            n % 4 + 1,
            drawn[PER_HALF + n],
            drawn[2 * PER_HALF + n],
            rng.choice(GOODS),
            rng.choice(COINS),
        )
        for n in range(PER_HALF)
    ]


def _people(rng: Random, group: str, countries: list[Country]) -> list[Person]:
    names = rng.sample([f"{first} {last}" for first in FORENAMES[group] for last in SURNAMES[group]], PER_HALF)
    rivals = names[1:] + names[:1]
    return [
        Person(names[n], group, n % 4 + 1, rng.choice(countries), rng.choice(FIELDS[group]), rivals[n])
        for n in range(PER_HALF)
    ]
