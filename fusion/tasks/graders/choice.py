"""The grader for multiple choice (``em_mc``)."""

from __future__ import annotations

import functools
import re
import unicodedata

from fusion.tasks.base import Example, Grade
from fusion.tasks.graders.answers import announcements, boxed, last_box_end, last_line, normalise
from fusion.tasks.graders.letters import (
    ALONE,
    CHOSEN,
    LABEL,
    LEAD,
    LETTERS,
    RIGHT,
    SEVERAL,
    WORD,
    closing_letter,
    found_letters,
    last_letter,
    letter_of,
    only_letter,
    tidy,
)
from fusion.tasks.graders.reading import grader

__all__ = ["LETTERS", "gold_letter", "option_letter"]

_VERDICT = re.compile(r"\b(?:yes|correct|right|true)\b|[\u2713\u2714\u2705]", re.IGNORECASE)
_NO_VERDICT = re.compile(
    r"\b(?:no|not|incorrect|wrong|false|except)\b|n['\u2019]t\b|[\u2717\u2718\u274c]", re.IGNORECASE
)
_HOWEVER = re.compile(r"\b(?:but|however|wait|actually)\b", re.IGNORECASE)
_NONE = re.compile(
    r"\W*(?:none|no\b|cannot|unknown|impossible|undetermined|not (?:listed|given|among))",
    re.IGNORECASE,
)
_DENIES = re.compile(r"\b(?:not|none|neither|nor|never|cannot)\b|n['\u2019]t\b", re.IGNORECASE)
_SMALL = re.compile(r"\([a-j]\)")
SHORT = 200  # characters of a response in which a bare letter is no variable

LONG = 1000  # characters of a response in which the only option it mentions is its answer


@grader("em_mc", gold="letter", needs="the letter of an option")
def option_letter(response: str, example: Example) -> Grade:
    """1 where the response chooses the option whose letter is the ground truth.

    Read, in this order: what is boxed or announced last (``Answer:``, ``The answer is``; then nothing that stands before it); a
    letter that is chosen or called correct (``I choose B``, ``Thus (C)``, ``C is correct``); the label that begins the response
    or its last line, unless it goes through the options; the only letter of the last line, then of the whole; the text of
    exactly one option. A response that names several letters without a choice gets nothing. Announcements are known in English
    and, in their plainest form, in German, French, Spanish, Portuguese, Italian, Russian, Chinese, Japanese and Korean.
    """
    letter = _read(unicodedata.normalize("NFKC", response), example, LETTERS[: len(example.choices)] or LETTERS)
    return Grade(float(letter is not None and letter == gold_letter(example)), letter)


def gold_letter(example: Example) -> str | None:
    """Return the letter that an example's ground truth gives, as ``B``, ``(B)``, ``b.`` or an option's text; None where none."""
    gold = example.ground_truth.strip()
    match = re.fullmatch(rf"[(\[*]*(?:(?:{WORD})\s)?\(?([A-J])[)\].:*]*", gold, re.I)
    letters = LETTERS[: len(example.choices)] or LETTERS
    if match and match[1].upper() in letters:
        return match[1].upper()
    return _text(gold, example, whole=True)


def _read(response: str, example: Example, letters: str) -> str | None:
    whole = _text(response, example, whole=True)
    if whole and not ALONE.fullmatch(response):
        return whole
    box, box_end = boxed(response), last_box_end(response)
    if box is not None:
        letter = _stated(box, example, letters)
        if letter or _is_several(box):
            return letter
    found = announcements(response)
    for place, part in found:
        if place < box_end and "\n" in response[place:box_end].strip():
            break
        letter = _stated(part, example, letters)
        if letter or _is_several(part):
            return letter
    start = max(box_end, found[0][0] if found else 0)
    denied = box is not None or bool(found and _NONE.match(found[0][1]))
    return _concluded(tidy(response[start:]), example, letters, denied)


def _stated(part: str, example: Example, letters: str) -> str | None:
    """Return the letter that a box or an announcement gives: the one it begins with, or else names, or that of its option's text."""
    text = tidy(part)
    if alone := ALONE.fullmatch(text):
        return letter_of(alone, letters)
    if letter := _text(part, example, whole=True):
        return letter
    lead = LEAD.match(text)
    if lead and not SEVERAL.match(text, lead.end()):
        turn = _HOWEVER.search(text, lead.end())
        changed = last_letter(CHOSEN, text[turn.end() :], letters) if turn else None
        return changed or letter_of(lead, letters)
    if lead or _NONE.match(text):
        return None
    return only_letter(text, letters, sure=True) or _mentioned(part, example)


def _mentioned(part: str, example: Example) -> str | None:
    """Return the letter of the only option whose text stands in a part that denies nothing."""
    return None if _DENIES.search(part) else _text(part, example, whole=False)


def _is_several(part: str) -> bool:
    """Return whether a part gives several letters as its answer."""
    part = tidy(part)
    lead = LEAD.match(part)
    return lead is not None and SEVERAL.match(part, lead.end()) is not None


def _concluded(text: str, example: Example, letters: str, denied: bool) -> str | None:
    """Return the letter that a text without an announcement comes to; where an answer was denied, it must be chosen in words."""
    labels = [(match, (match[1] or match[2]).upper()) for match in LABEL.finditer(text)]
    numbered = len(text) > SHORT or len(set(_SMALL.findall(text))) > 1  # (a) may number the parts of a solution
    labels = [(match, label) for match, label in labels if label in letters and (match[1] or not numbered)]
    several = len({label for _, label in labels}) > 1
    if labels and not several and not text[: labels[0][0].start()].strip():
        return labels[0][1]
    if letter := closing_letter(last_line(text), letters):
        return letter
    if right := set(found_letters(RIGHT, text, letters)):
        return right.pop() if len(right) == 1 else last_letter(RIGHT, last_line(text), letters)
    if letter := last_letter(CHOSEN, text, letters):
        return letter
    if denied:
        return None
    if labels and (letter := _labelled(text, labels)):
        return letter
    line = last_line(text)
    only = only_letter(line, letters, sure=True) or only_letter(line, letters) or _mentioned(line, example)
    only = only or only_letter(text, letters, sure=len(text) > SHORT)
    return only or (_text(text, example, whole=False) if len(text) < LONG else None)


def _labelled(text: str, labels: list[tuple[re.Match[str], str]]) -> str | None:
    """Return the label that a text comes to, which may go through the options line by line.

    That is the last one below a line that ends with a colon, where no list begins there; that of the last line, where it comes
    again; or the only one that is called right.
    """
    following = [*(label for _, label in labels[1:]), ""]
    for (match, label), after in zip(labels[::-1], following[::-1], strict=True):
        if text[: match.start()].rstrip().endswith((":", " is")) and after != chr(ord(label) + 1):
            return label
    match, label = labels[-1]
    again = len(labels) == 1 or label in [other for _, other in labels[:-1]]
    if again and text[match.start() :].strip() == last_line(text):
        return label
    ends = [*(other.start() for other, _ in labels[1:]), len(text)]
    lines = [(label, text[match.end() : end]) for (match, label), end in zip(labels, ends, strict=True)]
    right = {label for label, line in lines if _VERDICT.search(line) and not _NO_VERDICT.search(line)}
    return right.pop() if len(right) == 1 and len(lines) > 1 else None


@functools.lru_cache(64)
def _normalised(choices: tuple[str, ...]) -> dict[str, str]:
    return {letter: normalise(option) for letter, option in zip(LETTERS, choices, strict=False)}


def _text(part: str, example: Example, whole: bool) -> str | None:
    """Return the letter of the option whose text this is, or of the only option whose text stands in it."""
    options = _normalised(example.choices)
    if not options or (whole and len(part) > 2 * max(map(len, example.choices)) + 20):
        return None
    words = normalise(part)
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
