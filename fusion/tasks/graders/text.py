"""Graders for short texts: exact match, contains-match, F1, and yes or no."""

from __future__ import annotations

import re
from collections import Counter, deque

from fusion.tasks.base import Example, Grade
from fusion.tasks.graders.answers import aliases, announced, boxed, last_line, normalise, short_answer
from fusion.tasks.graders.reading import reads_answer


@reads_answer
def exact_match(response: str, example: Example) -> Grade:
    """1 where the answer is one of the gold answers, both normalised.

    The answer is what is boxed, else what follows ``Answer:`` or the like, else the whole response.
    """
    answer = short_answer(response)
    found = normalise(answer)
    return Grade(float(any(found == normalise(gold) for gold in aliases(example))), answer[:200] or None)


FINAL_LINE = re.compile(r"^[^\w\n]{0,10}(?:final\s)?answer[*_ ]{0,4}:", re.IGNORECASE | re.MULTILINE)


@reads_answer
def contains_match(response: str, example: Example) -> Grade:
    """1 where one of the gold answers stands in the response as whole words, both normalised.

    Where a line of the response begins with ``Answer:``, only what follows counts, not the thoughts before. It cannot tell
    an answer from a list of guesses; FusionBench uses it, on the whole response, for open questions (``cem``).
    """
    final = deque(FINAL_LINE.finditer(response), maxlen=1)
    words = f" {normalise(response[final[0].end() :] if final else response)} "
    for gold in aliases(example):
        short = normalise(gold)
        if f" {short} " in words if short else gold.strip() == response.strip():
            return Grade(1.0, gold)
    return Grade(0.0, short_answer(response)[:200] or None)


@reads_answer
def f1(response: str, example: Example) -> Grade:
    """F1 of the words of the answer, the best over the gold answers (Rajpurkar et al. 2016, section 6.1)."""
    answer = short_answer(response)
    words = normalise(answer).split()
    return Grade(max(_f1(words, normalise(gold).split()) for gold in aliases(example)), answer[:200] or None)


def _f1(words: list[str], gold: list[str]) -> float:
    if not words or not gold:
        return float(words == gold)
    common = sum((Counter(words) & Counter(gold)).values())
    return 2 * common / (len(words) + len(gold))


_TRUTHS = {"yes": "yes", "true": "yes", "no": "no", "false": "no"}
_FIRST = re.compile(r"[\W_]*(yes|no|true|false)\b")
_SAID = re.compile(r"\b(yes|true|false)\b|\b(no)\b(?=\s*(?:[^\w\s]|$))")  # 'no evidence' says nothing
_TIDY = {
    re.compile(r"\b(?:yes|true)\s?(?:or|/)\s?(?:no|false)\b"): "",
    re.compile(r"\b(yes|true|no|false),?\s+(?:and\s+)?not\s+(?:yes|true|no|false)\b"): r"\1",
    re.compile(r"(?:\bnot|n't)\s+(?:be\s+)?true\b"): " false",
    re.compile(r"(?:\bnot|n't)\s+(?:be\s+)?false\b"): " true",
}


@reads_answer
def yes_no(response: str, example: Example) -> Grade:
    """1 where the response says yes or no (true or false) as the ground truth does; a response that says both says none."""
    said = _read_truth(response)
    return Grade(float(said is not None and said == _read_truth(example.ground_truth)), said)


def _read_truth(response: str) -> str | None:
    text = response.lower()
    for pattern, word in _TIDY.items():
        text = pattern.sub(word, text)
    for part in (boxed(text) or "", *announced(text), text):
        first = _FIRST.match(part)
        if first:
            rest = part[first.end() : first.end() + 40]
            both = re.match(r"\s*(?:and|or|/|,)\s*(?:yes|no|true|false)\b", rest)
            return None if both else _TRUTHS[first[1]]
    for part in (last_line(text), text):
        said = {_TRUTHS[found[1] or found[2]] for found in _SAID.finditer(part)}
        if said:
            return said.pop() if len(said) == 1 else None
    return None
