"""What a query's answer looks like in a text: to hide it, and to find what gives it away."""

from __future__ import annotations

import json
import re
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
_NUMBER = re.compile(r"[-−+]?\d+(?:,\d{3})*(?:\.\d+)?")
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
        if not self._letter:
            return text
        return self._letter.sub(lambda found: (found["before"] or "").rstrip("(*\"'") + HIDDEN, text)

    def given_by(self, text: str) -> str | None:
        """Return how a text gives the answer away: ``letter``, ``answer``, ``retold``; or None where it does not."""
        if self._letter and self._letter.search(text):
            return "letter"
        for answer in self.texts:
            if answer.lower() in COMMON:
                if _states(text, answer):
                    return "answer"
            elif hide_answer(text, answer) != text:
                return "answer"
        return "retold" if self.retold_by(text) else None

    def retold_by(self, text: str) -> bool:
        """Whether a sentence of a text has most words of the answer, or of a clause of it, in whatever form."""
        said = [_stems(sentence) for sentence in _CLAUSE.split(text)]
        return any(len(clause & one) >= RETOLD * len(clause) for clause in self._clauses for one in said)

    @cached_property
    def _clauses(self) -> list[set[str]]:
        clauses = [_stems(clause) for clause in _CLAUSE.split(self.texts[0])] if self.texts else []
        alone = not any(character.isdigit() for character in self.texts[0]) if self.texts else False
        return [one for one in clauses if len(one) >= 2 or (alone and any(len(stem) == STEM for stem in one))]

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
    if gold[:1] in ("[", "{"):
        try:
            read = json.loads(gold)
        except ValueError:
            return [gold]
        items = read if isinstance(read, list) else []
        return [item for item in items if isinstance(item, str) and len(item) <= LONGEST]
    return [gold] if len(gold) <= LONGEST else []


def _variants(text: str) -> tuple[str, ...]:
    """Return an answer as it may be written: as it is, without its full stop, and its numbers alone.

    A number of one digit, or of two that is not all of the answer's beginning, is left: it stands in every formula.
    """
    plain = text.strip().rstrip(".").strip()
    found = [text.strip(), plain]
    for number in _NUMBER.finditer(plain):
        digits = sum(character.isdigit() for character in number[0])
        if digits >= 3 or (digits == 2 and not plain[: number.start()].strip("$€£~≈ ")):
            found += [number[0], number[0].replace(",", ""), number[0].lstrip("-−+")]
    return tuple(dict.fromkeys(one for one in found if one))
