"""Forms of a query's answer in a text: to hide it, and to find what gives it away."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from functools import cached_property

from fusion.prompts import HIDDEN, hide_answer
from fusion.templates.numbers import (
    FRACTION,
    NUMBER,
    POWER,
    as_fraction,
    digits_of,
    in_words,
    quantities,
    read_numbers,
    value_of,
    whole_value,
    with_digits,
)

RETOLD = 0.75
"""Share of the words of an answer from which a sentence is taken to state it in other words. Not tuned."""

STEM = 5
"""Letters by which two words count as one: receiving, receives."""

LONGEST = 400
"""Characters of an answer above which it is no short answer: a program, a proof."""

COMMON = frozenset({"yes", "no", "true", "false", "none", "all", "both", "neither", "a", "i", "one"})
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


_TAKES = (
    "select(?:s|ed|ing)?|cho(?:ose|oses|se|osing)|pick(?:s|ed|ing)?|mark(?:s|ed|ing)?|tick|circle|prefer|opt for|"
    "go(?:es|ing)? (?:with|for)|settle (?:on|for)"
)
_CONCLUDES = "thus|hence|so|therefore|it is|it's|it must be|leaves|leaving|gives|giving|remains"
_IS_RIGHT = (
    r"(?:is|was|must be|has to be|should be)\s+(?:\w+ly\s+|thus\s+|therefore\s+)?"
    r"(?:right|correct|true|best|the\s+(?:\w+\s+)?(?:right|correct|best|answer|one|option|choice)\b)|fits\b|remains\b"
)
"""How a text names an option by its bare letter: takes it, concludes it, or says that it is right."""

_OF_OPTIONS = re.compile(r"(none|all|neither|both)\b(?:\s+of\s+(?:the|these|those|them)\b.{0,20})?$", re.IGNORECASE)
"""An answer that speaks of the options."""

_NOUN = r"(?:options?|choices?|answers?|statements?|alternatives?|candidates?|above|others?|listed|given)"
_THESE = rf"(?:of\s+(?:(?:the|these|those)\s+(?:\w+\s+)?{_NOUN}|these|those|them)|{_NOUN})\b"
_SAYS = {
    "none": rf"\b(?:none\s+{_THESE}|no\s+{_NOUN}\b|not\s+(?:any|one)\s+{_THESE})",
    "neither": rf"\bneither\s+{_THESE}",
    "all": rf"\b(?:all\s+(?:the\s+)?{_THESE}|(?:each|every(?:\s+one)?)\s+{_THESE})",
    "both": rf"\bboth\s+{_THESE}",
}


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
        letter: Letter of the right option in multiple choice, or None.
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
        for spelled in [*self._spelled, *self._quantified]:
            text = spelled.sub(HIDDEN, text)
        for start, end, value, off in reversed(list(quantities(text))):
            if self._is_value(value, off):
                text = text[:start] + HIDDEN + text[end:]
        text = NUMBER.sub(lambda found: HIDDEN if self._is_number(found[0]) else found[0], text)
        if not self._letter:
            return text
        return self._letter.sub(lambda found: (found["before"] or "").rstrip("(*\"'") + HIDDEN, text)

    def given_by(self, text: str) -> str | None:
        """Return how a text gives the answer away: ``letter``, ``answer``, ``retold``; or None where it does not."""
        if self._letter and self._letter.search(text):
            return "letter"
        forms = {form for answer in self.texts for form in (answer, *in_words(answer))}
        common = {form for form in forms if form.lower() in COMMON}
        if any(_states(text, answer) for answer in common):
            return "answer"
        if any(hide_answer(text, answer) != text for answer in self.texts if answer not in common):
            return "answer"
        if any(one.search(text) for one in [*self._spelled, *self._quantified]):
            return "answer"
        if any(map(self._is_number, NUMBER.findall(text))) or any(
            self._is_value(value, off) for _, _, value, off in quantities(text)
        ):
            return "answer"
        return "retold" if self.retold_by(text) else None

    @cached_property
    def _spelled(self) -> list[re.Pattern[str]]:
        """The words of an answer, with any signs between them: ``[2, 4]`` as ``{2, 4}``, and 42 as forty-two."""
        answers = [_WORD.findall(answer) for answer in self.texts]
        spoken = [_WORD.findall(said) for answer in self.texts for said in in_words(answer)]
        parts = [some for some in answers if len(some) > 1] + [some for some in spoken if " ".join(some) not in COMMON]
        return [
            re.compile(r"(?<!\w)" + r"[\W_]{1,4}".join(map(re.escape, some)) + r"(?!\w)", re.IGNORECASE)
            for some in parts
        ]

    @cached_property
    def _quantified(self) -> list[re.Pattern[str]]:
        """Patterns that say that all options are right, or none, where that is the answer: none of the options fits."""
        found = {answer_of[1].lower() for answer in self.texts if (answer_of := _OF_OPTIONS.match(answer))}
        return [re.compile(_SAYS[word], re.IGNORECASE) for word in found if word in _SAYS]

    @cached_property
    def _numbers(self) -> list[tuple[float, float]]:
        """The answer's numbers of two digits or more, each with half a unit of its last place."""
        found = [one for answer in self.texts for one in read_numbers(answer)]
        return [(value, half) for value, half, digits in found if digits >= 2]

    def _is_number(self, text: str) -> bool:
        """Whether a number, rounded as the answer is, is the answer's: 503.125 where that is 503.13."""
        value = abs(value_of(text))
        return any(abs(value - number) <= half * (1 + 1e-9) for number, half in self._numbers)

    @cached_property
    def _values(self) -> list[float]:
        """The answer where it is one number, and its fractions; in whatever form a text writes them."""
        whole = [value for answer in self.texts if (value := whole_value(answer)) is not None]
        parts = [as_fraction(found) for answer in self.texts for found in FRACTION.finditer(answer)]
        return [abs(value) for value in [*whole, *parts] if value is not None]

    def _is_value(self, value: float, off: float) -> bool:
        return any(abs(abs(value) - one) <= max(off, 1e-9 * max(one, 1.0)) for one in self._values)

    def retold_by(self, text: str) -> bool:
        """Whether a sentence of a text has most words of the answer, of a clause or an item of it, in whatever form."""
        said = [(_stems(sentence), _WORD.findall(sentence)) for sentence in _CLAUSE.split(text)]
        return any(
            len(clause & stems) >= RETOLD * len(clause) and (len(clause) > 1 or not self._only_demonym(clause, spoken))
            for clause in self._clauses
            for stems, spoken in said
        )

    def _only_demonym(self, clause: set[str], spoken: list[str]) -> bool:
        """Whether what stands for an answer of one word is only what is called after it: Parisian for Paris."""
        forms = [word for word in spoken if word[:STEM].lower() in clause]
        roots = [word.rstrip("aeiouy") for word in words(self.texts[0]) if word[:STEM] in clause]
        called = [re.compile(rf"{re.escape(root)}(?:[ie]?an|n|ese)s?", re.IGNORECASE) for root in roots]
        return all(word[0].isupper() and any(one.fullmatch(word) for one in called) for word in forms)

    @cached_property
    def _clauses(self) -> list[set[str]]:
        clauses = [_stems(clause) for clause in _CLAUSE.split(self.texts[0])] if self.texts else []
        items = [_stems(item) for item in self.texts[0].split(",")] if self.texts else []
        alone = not any(character.isdigit() for character in self.texts[0]) if self.texts else False
        telling = [one for one in clauses if len(one) >= 2 or (alone and any(len(stem) == STEM for stem in one))]
        return telling + [one for one in items if len(one) >= 3]

    @cached_property
    def _letter(self) -> re.Pattern[str] | None:
        """The letter where it names an option: ``(C)``, ``option C``, ``answer is C``, ``C.`` at the start of a line."""
        if not self.letter:
            return None
        named = r"(?:options?|choices?|answers?(?:\s+is)?|letter|alternative)[\s:*(\"']{1,4}"
        taken = rf"(?:{_TAKES})\s+[(*\"']{{0,3}}"
        concluded = rf"(?:{_CONCLUDES})\s+(?:only\s+)?(?={self.letter}\s*(?:[.;!]|$|because|since|as\b))"
        return re.compile(
            rf"\({self.letter}\)|(?P<before>\b(?i:{named}|{taken}|{concluded})){self.letter}\b[)*\"']*"
            rf"|^\s*{self.letter}(?:[.):]|\s*$)|\b{self.letter}\b(?=[)*\"']*\s+(?i:{_IS_RIGHT}))",
            re.MULTILINE,
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
    found = [plain, with_digits(plain)]
    for number in NUMBER.findall(POWER.sub(r"\1", plain)):
        if digits_of(number) >= 2:
            found += [number, number.replace(",", ""), number.lstrip("-−+")]
    return tuple(dict.fromkeys(one for one in found if one))
