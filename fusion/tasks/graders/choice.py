"""The grader for multiple choice (``em_mc``)."""

from __future__ import annotations

import re

from fusion.tasks.base import Example, Grade
from fusion.tasks.graders.answers import announced, boxed, last_line, normalise
from fusion.tasks.graders.reading import reads_answer

LETTERS = "ABCDEFGHIJ"

_LEAD = re.compile(
    r"[\s*_\"'`(\[{:$\\]*(?:text|textbf|mathrm|mathbf)?[{\s(]*(?:(?:option|choice|letter|answer)\b[\s*:(]*)?"
    r"(?:([A-J])(?![\w'\u2019]|\s?[+/&]\s?[A-J]\b|,\s?[A-J]\b|\s(?:and|or)\s\(?[A-J]\b)|([a-j])(?=[).:\]*}]|\s*$))",
)
_SELF = re.compile(r"^([\s*_(\[\"'`]*)([A-Ja-j])[*_\"'`]*(?:[).:\]]|\s*$|\s*[-\u2013\u2014]\s)")
_RIGHT = re.compile(
    r"\(?\b([A-J])\b\)?[*_\s]{1,4}(?:is|must be|would be|seems)\s(?:the\s)?(?:correct|right|best|most|answer)"
)
_NAMED = re.compile(r"(?<![\w'\u2019])(\(?)([A-J])(?![\w'\u2019])")
_GOES_ON = re.compile(
    r"\s(?!(?:and|or|nor|is|was|are|seems|must|would|because|since|as)\b)[a-z]"
)  # as after an article
_REJECTED = re.compile(
    r"\b(?i:not|nor|neither|than|instead of|eliminat\w+|rul(?:e|ing) out|exclud\w+)\s\(?[A-J]\b\)?"
    r"(?:\s(?:and|or|nor)\s\(?[A-J]\b\)?)?"
)


@reads_answer
def option_letter(response: str, example: Example) -> Grade:
    """1 where the response chooses the option whose letter is the ground truth.

    Read, in this order: what is boxed; what follows the last ``Answer:``, ``The answer is`` or the like; a response that begins
    with a letter as an option's name; a letter that is called correct; the only letter of the last line; the text of exactly
    one option. A response that names several letters without a choice gets nothing.
    """
    letters = LETTERS[: len(example.choices)] if example.choices else LETTERS
    letter = _read(response, example, letters)
    return Grade(float(letter is not None and letter == example.ground_truth.strip().upper()), letter)


def _read(response: str, example: Example, letters: str) -> str | None:
    for part in [boxed(response) or "", *announced(response)]:
        letter = _text(part, example, whole=True) or _lead(part, letters)
        if letter:
            return letter
    stripped = response.strip()
    letter = _text(stripped, example, whole=True)
    if letter:
        return letter
    for line in (stripped.partition("\n")[0], last_line(stripped)):
        itself = _SELF.match(line)
        if itself and itself[2].upper() in letters and (itself[2].isupper() or len(line) < 200):
            return itself[2].upper()
    right = [letter for letter in _RIGHT.findall(response) if letter in letters]
    if right:
        return right[-1] if len(set(right)) == 1 else None
    return _only(last_line(stripped), letters) or _only(stripped, letters) or _text(stripped, example, whole=False)


def _lead(part: str, letters: str) -> str | None:
    """Return the letter with which a part of the response begins."""
    match = _LEAD.match(part)
    letter = (match[1] or match[2]).upper() if match else ""
    return letter if letter and letter in letters else None


def _only(text: str, letters: str) -> str | None:
    """Return the only letter that a text names, or None. The article A and the pronoun I name no option."""
    named = set()
    for match in _NAMED.finditer(_REJECTED.sub(" ", text)):
        word = match[2] in "AI" and not match[1] and _GOES_ON.match(text, match.end())
        if match[2] in letters and not word:
            named.add(match[2])
    return named.pop() if len(named) == 1 else None


def _text(part: str, example: Example, whole: bool) -> str | None:
    """Return the letter of the option whose text this is, or of the only option whose text stands in it."""
    words = normalise(part)
    options = {letter: normalise(option) for letter, option in zip(LETTERS, example.choices, strict=False)}
    if whole:
        same = [letter for letter, option in options.items() if option and option == words]
    else:
        inside = {letter: option for letter, option in options.items() if option and f" {option} " in f" {words} "}
        same = [
            letter
            for letter, option in inside.items()
            if not any(option != other and f" {option} " in f" {other} " for other in inside.values())
        ]
    return same[0] if len(same) == 1 else None
