"""Words that the generators fill their templates with."""

from __future__ import annotations

from random import Random

NAMES = [
    "Ada",
    "Ben",
    "Cleo",
    "Dan",
    "Eva",
    "Finn",
    "Gus",
    "Hana",
    "Ivo",
    "June",
    "Kai",
    "Lena",
    "Max",
    "Nina",
    "Omar",
    "Pia",
    "Quin",
    "Rosa",
    "Sam",
    "Tara",
    "Uma",
    "Vito",
    "Wes",
    "Yara",
    "Zoe",
]
PLACES = ["kitchen", "garden", "office", "library", "market", "station", "museum", "school", "bakery", "harbor"]
COLORS = ["red", "blue", "green", "black", "white", "yellow", "brown", "purple"]
GROUPS = {
    "fruits": ["plum", "fig", "pear", "kiwi", "mango", "lemon", "peach", "cherry"],
    "animals": ["cat", "dog", "horse", "goat", "sheep", "otter", "rabbit", "camel"],
    "tools": ["hammer", "saw", "drill", "wrench", "shovel", "rake", "axe", "chisel"],
    "clothes": ["hat", "coat", "scarf", "glove", "sock", "shirt", "belt", "boot"],
    "vehicles": ["car", "bus", "train", "boat", "truck", "bike", "tram", "plane"],
    "furniture": ["chair", "table", "shelf", "sofa", "bed", "desk", "stool", "bench"],
}
THINGS = ["ball", "lamp", "map", "book", "cup", "key", "drum", "kite", "bell", "coin", "ring", "flute"]
COUNTED = ["shells", "stamps", "marbles", "apples", "pens", "cards", "beads", "nuts"]
LEADS = ("", "", "Quick question: ", "Please help me. ", "Here is a task. ", "I need an answer. ")


def lead(rng: Random) -> str:
    """Return an opening, often empty, such as people put before a question."""
    return rng.choice(LEADS)


def plural(word: str) -> str:
    """Return the plural of a word of `GROUPS`."""
    if word in ("sheep", "clothes", "furniture"):
        return word
    if word.endswith(("s", "x", "ch", "sh")):
        return word + "es"
    if word.endswith("y") and word[-2] not in "aeiou":
        return word[:-1] + "ies"
    return {"shelf": "shelves", "scarf": "scarves"}.get(word, word + "s")


def listing(words: list[str]) -> str:
    """Return ``a, b and c``."""
    return f"{', '.join(words[:-1])} and {words[-1]}" if len(words) > 1 else words[0]
