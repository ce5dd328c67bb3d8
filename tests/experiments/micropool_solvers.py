"""Answers the micropool's questions from their text alone, by other means than the generators."""

import calendar
import contextlib
import io
import re
from fractions import Fraction

from experiments.micropool.tasks.knowledge import world

FACTORS = {
    ("hours", "minutes"): 60,
    ("minutes", "seconds"): 60,
    ("hours", "seconds"): 3600,
    ("days", "hours"): 24,
    ("days", "minutes"): 1440,
    ("weeks", "days"): 7,
    ("weeks", "hours"): 168,
    ("years", "months"): 12,
    ("years", "half months"): 24,
    ("dozens", "pieces"): 12,
    ("dozens", "halves"): 24,
    ("meters", "centimeters"): 100,
    ("kilograms", "grams"): 1000,
}
GROUPS = {
    "plum fig pear kiwi mango lemon peach cherry": "fruit",
    "cat dog horse goat sheep otter rabbit camel": "animal",
    "hammer saw drill wrench shovel rake axe chisel": "tool",
    "hat coat scarf glove sock shirt belt boot": "clothes",
    "car bus train boat truck bike tram plane": "vehicle",
    "chair table shelf sofa bed desk stool bench": "furniture",
}
KIND = {word: kind for words, kind in GROUPS.items() for word in words.split()}
ORDINALS = ("first", "second", "third", "fourth", "fifth", "sixth", "seventh")


def numbers_in(text):
    return [int(number) for number in re.findall(r"-?\d+", text)]


def arithmetic(text):
    a, b = (int(number) for number in re.findall(r"\d+", text))
    if re.search(r"\*|Multiply|each", text):
        return str(a * b)
    if "Take" in text:
        a, b = b, a
    return str(a - b if re.search(r" - |away", text) else a + b)


def equations(text):
    if found := re.search(r"(\d*)x(?: \+ (\d+))? = (?:(\d+)x \+ )?(\d+)", text):
        a, b, c, d = (int(part) if part else None for part in found.groups())
        return str(Fraction(d - (b or 0), (a or 1) - (c or 0)))
    rows = [numbers_in(text)]
    while len(set(rows[-1])) > 1:
        rows.append([after - before for before, after in zip(rows[-1], rows[-1][1:], strict=False)])
    return str(sum(row[-1] for row in rows))


def string_programs(text):
    shift = lambda s, n: "".join(chr((ord(c) - 65 + n) % 26 + 65) for c in s)  # noqa: E731
    if found := re.search(
        r"(?:return|Evaluate|value of|does) ?(.*?)(?: return\?|\.$)", text.replace("does ", "return ", 1)
    ):
        with contextlib.suppress(SyntaxError, NameError):
            return eval(found[1], {"shift": shift, "rotate": lambda s: s[1:] + s[0]})
    value = re.search(r"'([A-Z]+)'", text)[1]
    for part in re.split(r"\. Then ", text):
        if found := re.search(r"eplace ([A-Z]) with ([A-Z])", part):
            value = "".join(found[2] if letter == found[1] else letter for letter in value)
        elif found := re.search(r"rite every ([A-Z]) twice", part):
            value = "".join(letter * 2 if letter == found[1] else letter for letter in value)
        elif found := re.search(r"ut ([A-Z]) at the end", part):
            value += found[1]
        elif found := re.search(r"ive the first (\d) letters", part):
            value = value[: int(found[1])]
        elif "one step on" in part:
            value = shift(value, 1)
        elif "everse" in part:
            value = "".join(reversed(value))
        else:
            value = value[1:] + ("" if "rop the first" in part else value[0])
    return value


def tiny_programs(text):
    code = "\n".join(line for line in text.splitlines() if re.match(r"\s*(\w = |if |for |else:|print\()|\s+", line))
    with contextlib.redirect_stdout(io.StringIO()) as out:
        exec(code, {})
    return out.getvalue().strip()


def list_reasoning(text):
    shown = re.search(r"(?:list is|List:|list:) ([\w, ]+)\.", text)[1].split(", ")
    if "number" in text:
        values = [int(word) for word in shown]
        if found := re.search(r"larger than (\d+)", text):
            return str(len([value for value in values if value > int(found[1])]))
        return str(
            (sum if "sum" in text else sorted(values).__getitem__)(
                values if "sum" in text else -1 * ("largest" in text)
            )
        )
    if found := re.search(r"right (after|before) (\w+)", text):
        return shown[shown.index(found[2]) + (1 if found[1] == "after" else -1)]
    return shown[-1] if "last" in text else shown[ORDINALS.index(re.search(r"the (\w+) word", text)[1])]


def set_reasoning(text):
    if re.search("belong|odd one|unlike", text):
        words = re.search(r": ((?:\w+, )+\w+)[.?]", text)[1].split(", ")
        kinds = [KIND[word] for word in words]
        return next(word for word in words if kinds.count(KIND[word]) == 1)
    first, second = (
        set(re.split(", | and ", part)) for part in re.findall(r"(?:likes|owns|sells|draws) ([^.?]+)\.", text)
    )
    (answer,) = first & second if "both" in text else first - second
    return answer


def ordering(text):
    if "number" in text:
        return str((max if "largest" in text else min)(numbers_in(text)))
    pairs = [
        (a, b) if word in ("taller", "older", "faster") else (b, a)
        for a, word, b in re.findall(r"(\w+) is (\w+) than (\w+)", text)
    ]
    people = {name for pair in pairs for name in pair}
    order = []
    while people:
        (top,) = {name for name in people if all(low != name for high, low in pairs if high in people)}
        order.append(top)
        people.remove(top)
    second, word = re.search(r"the (second )?(\w+)(?: one)?[?.]$", text).groups()
    if word in ("shortest", "youngest", "slowest"):
        order.reverse()
    return order[1 if second else 0]


def units_calendar(text):
    if found := re.search(r"How many ([a-z ]+) are (?:in )?(\d+) (\w+)(?: and (\d+))?", text):
        small, count, big, extra = found.groups()
    elif found := re.search(r"Convert (\d+) (\w+)(?: and (\d+) \w+)? to ([a-z ]+)\.", text):
        count, big, extra, small = found.groups()
    elif found := re.search(r"has (\d+) (\w+)\. How many ([a-z ]+) is", text):
        (count, big, small), extra = found.groups(), None
    else:
        (start,) = (name for name in [*calendar.day_name, *list(calendar.month_name)[1:]] if name in text)
        cycle = list(calendar.day_name) if start in list(calendar.day_name) else list(calendar.month_name)[1:]
        sign = -1 if re.search("before|ago", text) else 1
        return cycle[(cycle.index(start) + sign * numbers_in(text)[0]) % len(cycle)]
    return str(int(count) * FACTORS[big, small] + int(extra or 0))


def _relation(text):
    for relation, words in {
        "capital": "capital",
        "river": "river",
        "export": "export|sell abroad",
        "coin": "coin|currency|money",
    }.items():
        if re.search(words, text):
            return relation
    raise ValueError(text)


def world_places(text):
    (country,) = (one for one in world().countries if re.search(rf"\b{one.name}\b", text))
    return getattr(country, _relation(text))


def world_people(text):
    (person,) = (one for one in world().people if one.name in text)
    if "rival" in text or "compete" in text:
        return person.rival
    if re.search("field|famous", text):
        return person.field
    with contextlib.suppress(ValueError):
        return getattr(person.country, _relation(text))
    return person.country.name


def _passage(text):
    facts, holder = {}, {}
    for sentence in text.split(". "):
        if found := re.search(r"(\w+) (?:went to|is in|walked to) the (\w+)", sentence):
            facts[found[1]] = found[2]
        elif found := re.search(r"(\w+) (?:took|picked up) the (\w+)", sentence):
            holder[found[2]] = found[1]
        elif found := re.search(r"[Tt]he (\w+) (\w+) costs (\d+)", sentence):
            facts[found[2], "color"], facts[found[2], "price"] = found[1], found[3]
        elif found := re.search(r"The (\w+) is (\w+) and costs (\d+)", sentence):
            facts[found[1], "color"], facts[found[1], "price"] = found[2], found[3]
    return facts, holder


def passage_questions(text):
    facts, holder = _passage(text.rpartition(". ")[0])
    question = text.rpartition(". ")[2]
    if found := re.search(r"Where is (?:the )?(\w+)", question):
        return facts[holder.get(found[1], found[1])]
    kind = "color" if "color" in question else "price"
    return facts[re.search(r"(?:is|does) the (\w+)", question)[1], kind]


def passage_yes_no(text):
    facts, holder = _passage(text.rpartition(". ")[0])
    question = text.rpartition(". ")[2]
    if found := re.search(r"Is (?:the )?(\w+) in the (\w+)", question):
        right = facts[holder.get(found[1], found[1])] == found[2]
    elif found := re.search(r"Is the (\w+) (\w+)", question):
        right = facts[found[1], "color"] == found[2]
    else:
        found = re.search(r"Does the (\w+) cost (\d+)", question)
        right = facts[found[1], "price"] == found[2]
    return "yes" if right else "no"
