"""What a query's answer looks like in a text: to hide it, and to find what gives it away."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

from fusion.prompts import HIDDEN, hide_answer

RETOLD = 0.75
"""Share of the words of an answer from which a sentence is taken to tell it in other words."""

STEM = 5
"""Letters by which two words count as one: receiving, receives."""

LONGEST = 400
"""Characters of an answer above which it is no short answer: a program, a proof."""

COMMON = frozenset({"yes", "no", "true", "false", "none", "all", "both", "neither", "a", "i"})
"""Answers that are also common words: only a statement such as "the answer is no" gives them away."""

_GRAMMAR = (
    "a an and are as at be because been but by can could do does for from had has have he hence her his how i if"
    " in into is it its let may more must my no not of on one only or our out over she should since so some such"
    " than that the their them then there therefore these they this those thus to under up us was we were what"
    " when where which while who why will with would you your s t answer answers option options choice choices"
    " correct"
)
STOPWORDS = frozenset(_GRAMMAR.split())

_OPTION = re.compile(r"^\(?([A-Z])[.):]\s*(.+?)\s*$", re.MULTILINE)
_NUMBER = re.compile(r"[-−+]?(?:\d+(?:,\d{3})*(?:\.\d+)?|(?<!\d)\.\d+)")
_POWER = re.compile(
    r"([-−+]?\d+(?:,\d{3})*(?:\.\d+)?)\s*(?:[×x*·]|\\times|\\cdot)\s*(?P<ten>10)\s*\^?\s*\{?\s*(?P<power>[-−+]?\s?\d+)\}?"
)
"""A number times a power of ten."""

_COUNTS = {
    word: str(number)
    for number, word in enumerate(
        ["one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve"], start=1
    )
}
_COUNT = re.compile(rf"\b(?:{'|'.join(_COUNTS)})\b", re.IGNORECASE)

_CLAUSE = re.compile(r"[.;\n]")
_WORD = re.compile(r"[^\W_]+")
STATEMENT = re.compile(
    r"\banswers?\b\W{0,4}(?:choice\W{0,3})?(?:is|are|was|would be|will be|must be|should be|[:=])"
    r"|\b(?:correct|right|best)\W{1,3}(?:answer|option|choice|statement)s?\b|\bfinal answer\b|\\boxed|^\s*#{4}"
    r"|\boption\W{0,3}[A-J]\W{0,3}is\b"
    r"|\banswer\W{1,3}\(?[A-J]\)?(?:\W|$)",
    re.IGNORECASE | re.MULTILINE,
)
"""A sentence that says which answer it is."""


def words(text: str) -> list[str]:
    """Return the words and numbers of a text in lower case."""
    return [word.lower() for word in _WORD.findall(text)]


def content_words(text: str) -> set[str]:
    """Return the words of a text that are not only grammar."""
    return {word for word in words(text) if word not in STOPWORDS}


def _stems(text: str) -> set[str]:
    return {word[:STEM] for word in content_words(text) if len(word) >= 3 and word.isalpha()}


@dataclass(frozen=True)
class Truth:
    """The answer of a query.

    Attributes:
        texts: Ways to write it, as text; none where the log has no ground truth.
        letter: Of the right option in multiple choice, or None.
    """

    texts: tuple[str, ...] = ()
    letter: str | None = None

    @classmethod
    def of(cls, query: str, ground_truth: str | None) -> Truth:
        """Read the answer of a query from the log.

        Args:
            query: With its options, one a line as in ``A. text``, where it has them.
            ground_truth: Text, the letter of an option, or a JSON list of texts of which each is right.
        """
        gold = (ground_truth or "").strip()
        options = dict(_OPTION.findall(query))
        letter = gold.strip("().").upper()
        if len(letter) == 1 and letter in options:
            return cls(_variants(options[letter]), letter)
        if options and gold in options.values():
            right = next(name for name, text in options.items() if text == gold)
            return cls(_variants(gold), right)
        return cls(tuple(text for one in _parts(gold) for text in _variants(one)))

    def hide(self, text: str) -> str:
        """Return a text with the answer hidden wherever it stands, and with it the letter of its option."""
        for answer in self.texts:
            text = hide_answer(text, answer)
        for spelled in self._spelled:
            text = spelled.sub(HIDDEN, text)
        text = _NUMBER.sub(lambda found: HIDDEN if self._is_number(found[0]) else found[0], text)
        if not self._letter:
            return text
        return self._letter.sub(lambda found: (found["before"] or "").rstrip("(*\"'") + HIDDEN, text)

    def given_by(self, text: str) -> str | None:
        """Return how a text gives the answer away: ``letter``, ``answer``, ``retold``; or None where it does not."""
        if self._letter and self._letter.search(text):
            return "letter"
        common = {answer for answer in self.texts if answer.lower() in COMMON}
        if any(_states(text, answer) for answer in common):
            return "answer"
        if any(hide_answer(text, answer) != text for answer in self.texts if answer not in common):
            return "answer"
        if any(one.search(text) for one in self._spelled) or any(map(self._is_number, _NUMBER.findall(text))):
            return "answer"
        return "retold" if self.retold_by(text) else None

    @cached_property
    def _spelled(self) -> list[re.Pattern[str]]:
        """The words of an answer of several, with any signs between them: ``[2, 4]`` as ``{2, 4}``."""
        parts = [_WORD.findall(answer) for answer in self.texts]
        return [
            re.compile(r"(?<!\w)" + r"[\W_]{1,4}".join(map(re.escape, some)) + r"(?!\w)", re.IGNORECASE)
            for some in parts
            if len(some) > 1
        ]

    @cached_property
    def _numbers(self) -> list[tuple[float, float]]:
        """The answer's numbers of two digits or more, each with half a unit of its last place."""
        found = [one for answer in self.texts for one in _read_numbers(answer)]
        return [(value, half) for value, half, digits in found if digits >= 2]

    def _is_number(self, text: str) -> bool:
        """Whether a number, rounded as the answer is, is the answer's: 503.125 where that is 503.13."""
        value = abs(_value(text))
        return any(abs(value - number) <= half * (1 + 1e-9) for number, half in self._numbers)

    def retold_by(self, text: str) -> bool:
        """Whether a sentence of a text has most words of the answer, of a clause or an item of it, in whatever form."""
        said = [_stems(sentence) for sentence in _CLAUSE.split(text)]
        return any(len(clause & one) >= RETOLD * len(clause) for clause in self._clauses for one in said)

    @cached_property
    def _clauses(self) -> list[set[str]]:
        clauses = [_stems(clause) for clause in _CLAUSE.split(self.texts[0])] if self.texts else []
        items = [_stems(item) for item in self.texts[0].split(",")] if self.texts else []
        alone = not any(character.isdigit() for character in self.texts[0]) if self.texts else False
        told = [one for one in clauses if len(one) >= 2 or (alone and any(len(stem) == STEM for stem in one))]
        return told + [one for one in items if len(one) >= 3]

    @cached_property
    def _letter(self) -> re.Pattern[str] | None:
        """The letter where it names an option: ``(C)``, ``option C``, ``answer is C``, ``C.`` at the start of a line."""
        if not self.letter:
            return None
        before = r"(?P<before>\b(?i:options?|choices?|answers?(?:\s+is)?|letter|alternative)[\s:*(\"']{1,4})"
        return re.compile(
            rf"\({self.letter}\)|{before}{self.letter}\b[)*\"']*|^\s*{self.letter}(?:[.):]|\s*$)", re.MULTILINE
        )


def _states(text: str, answer: str) -> bool:
    return bool(re.search(rf"\banswer\b[^.\n]*?(?<!\w){re.escape(answer)}(?!\w)", text, re.IGNORECASE))


def _parts(gold: str) -> list[str]:
    """Return the texts of which each is right; none for what is not short, such as unit tests."""
    if gold.startswith("["):
        try:
            read = json.loads(gold)
        except ValueError:
            read = None
        if isinstance(read, list) and all(isinstance(item, str) for item in read):
            return [item for item in read if len(item) <= LONGEST]
    return [gold] if len(gold) <= LONGEST and not gold.startswith("{") else []


def _variants(text: str) -> tuple[str, ...]:
    """Return an answer as it may be written: without its full stop, and its numbers alone.

    A number of one digit is left where there is more to the answer: it stands in every formula.
    """
    plain = text.strip().rstrip(".").strip()
    found = [plain, _COUNT.sub(lambda word: _COUNTS[word[0].lower()], plain)]
    for number in _NUMBER.findall(_POWER.sub(r"\1", plain)):
        if _digits(number) >= 2:
            found += [number, number.replace(",", ""), number.lstrip("-−+")]
    return tuple(dict.fromkeys(one for one in found if one))


def _digits(number: str) -> int:
    return sum(character.isdigit() for character in number)


def _value(number: str) -> float:
    return float(number.replace(",", "").replace("−", "-").replace(" ", ""))


def _read_numbers(text: str) -> Iterator[tuple[float, float, int]]:
    """Yield each number of a text: its absolute value, half a unit of its last place, and how many digits it has.

    Of one with a power of ten, the value as a whole and the number before the power; never that ten.
    """
    powers = {found.start(1): found for found in _POWER.finditer(text)}
    tens = {found.start("ten") for found in powers.values()} | {found.start("power") for found in powers.values()}
    for found in _NUMBER.finditer(text):
        if found.start() in tens:
            continue
        places = len(found[0].partition(".")[2])
        value, half, digits = abs(_value(found[0])), 0.5 * 10.0**-places, _digits(found[0])
        yield value, half, digits
        if (power := powers.get(found.start())) and abs(_value(power["power"])) < 100:
            scale = 10.0 ** _value(power["power"])
            yield value * scale, half * scale, digits
