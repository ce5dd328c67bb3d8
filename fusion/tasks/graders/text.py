"""Graders for short texts: exact match, contains-match, F1, and yes or no."""

from __future__ import annotations

import re
from collections import Counter, deque

from fusion.tasks.base import Example, Grade
from fusion.tasks.graders.answers import aliases, announced, boxed, last_line, normalise, short_answer, without_articles
from fusion.tasks.graders.reading import grader


@grader("exact_match")
def exact_match(response: str, example: Example) -> Grade:
    """1 where the answer is one of the gold answers, both normalised.

    The answer is what is boxed, else what follows ``Answer:`` or the like, else the whole response. A response that is a gold
    answer as a whole is right too, whatever it seems to announce.
    """
    answer = short_answer(response)
    texts = _keys(answer) | _keys(response)
    return Grade(float(any(_key(gold) in texts for gold in aliases(example))), answer[:200] or None)


def _key(gold: str) -> str:
    """Return a gold answer normalised; one of punctuation alone as it stands."""
    return normalise(gold) or gold.strip()


def _keys(text: str) -> set[str]:
    return {_key(text)} if text.strip() else set()


FINAL_LINE = re.compile(
    r"^[^\w\n]{0,10}(?:(?:final\s)?answer|(?:最终|最終)?答案|答え|回答)[*_ ]{0,4}[:：]", re.IGNORECASE | re.MULTILINE
)
_LETTER_A = re.compile(r"(?<=[\w,;]\s)A(?![\w'])")  # the letter, not the article at the start of a sentence


@grader("cem")
def contains_match(response: str, example: Example) -> Grade:
    """1 where one of the gold answers stands in the response as whole words, both normalised.

    Where a line of the response begins with ``Answer:``, only what follows counts, not the thoughts before. It cannot tell
    an answer from a list of guesses; FusionBench uses it, on the whole response, for open questions (``cem``).
    """
    final = deque(FINAL_LINE.finditer(response), maxlen=1)
    said = response[final[0].end() :] if final else response
    whole, key = normalise(said, articles=True), _key(response)
    words = [f" {without_articles(whole)} ", f" {whole} "]
    for gold in aliases(example):
        if _stands(gold, said, words) or _key(gold) == key:
            return Grade(1.0, gold)
    return Grade(0.0, short_answer(response)[:200] or None)


def _stands(gold: str, said: str, words: list[str]) -> bool:
    """Return whether a gold answer stands in a response, of which the words are given without and with articles."""
    short, whole = normalise(gold), normalise(gold, articles=True)
    if not short:
        return False
    if whole == "a":
        return f" {short} " in words[0] or (gold.strip() == "A" and _LETTER_A.search(said) is not None)
    article = whole in ("an", "the")
    return f" {short} " in words[0] or (not article and f" {whole} " in words[1])


@grader("f1")
def f1(response: str, example: Example) -> Grade:
    """F1 of the words of the answer, the best over the gold answers (Rajpurkar et al. 2016, section 6.1)."""
    answer = short_answer(response)
    words, key = normalise(answer).split(), _key(response)
    scores = [1.0 if _key(gold) == key else _f1(words, normalise(gold).split()) for gold in aliases(example)]
    return Grade(max(scores), answer[:200] or None)


def _f1(words: list[str], gold: list[str]) -> float:
    if not words or not gold:
        return 0.0
    common = sum((Counter(words) & Counter(gold)).values())
    return 2 * common / (len(words) + len(gold))


_TRUTHS = {
    "yes": "yes",
    "yeah": "yes",
    "yep": "yes",
    "true": "yes",
    "no": "no",
    "nope": "no",
    "false": "no",
    "untrue": "no",
}
_WORDS = "|".join(word for word in _TRUTHS if word != "no")
# 'no' is an answer at the end of a clause or before a new one; before a noun, as in 'no evidence', it says nothing
_CLAUSE = r"(?:it|he|she|they|we|i|you|that|this|these|those|there|because|since|as|not|but)\b(?!['\u2019]s\sno)|the\b.{1,60}\b(?:is|are|do|does)\b"
_NO = rf"no\b(?=[ \t]*(?:[^\w\s]|\n|\Z)|\s+(?:{_CLAUSE}))"
_FIRST = re.compile(rf"[\W_]*(?:({_WORDS})\b|({_NO}))", re.ASCII)
_SAID = re.compile(rf"\b({_WORDS})\b|\b(no)\b(?=[ \t]*(?:[^\w\s]|\n|\Z)|\s+(?:because|since|as)\b)", re.ASCII)
_TOGETHER = re.compile(r"[\s,]*(?:and|or|but|/)[\s,]*", re.ASCII)
_TIDY = {
    re.compile(r"\b(?:yes|true)\s?(?:or|/)\s?(?:no|false)\b", re.ASCII): "",
    re.compile(r"\b(yes|true|no|false),?\s+(?:and\s+)?not\s+(?:yes|true|no|false)\b", re.ASCII): r"\1",
    re.compile(r"(?:\bnot|n['\u2019]t)\s+(?:be\s+)?(?:[a-z]{2,12}ly\s+)?(?:yes|true)\b", re.ASCII): " false",
    re.compile(
        r"(?:\bnot|n['\u2019]t)\s+(?:be\s+)?(?:[a-z]{2,12}ly\s+)?(?:no\b(?!\s+\w)|false\b|untrue\b)", re.ASCII
    ): " true",
}
_SENTENCE = re.compile(r"[^.!?\n]+([.!?]*)")
_CONCLUDES = re.compile(
    r"[\W_]*(?:but|so|thus|therefore|hence|however|actually|overall|in (?:conclusion|short|fact)|wait|the answer)\b"
)


@grader("yes_no", needs="yes, no, true or false")
def yes_no(response: str, example: Example) -> Grade:
    """1 where the response says yes or no (true or false) as the ground truth does; a response that says both says none.

    The first word counts, in what is boxed or announced and then in the response; else the last line, else the whole. A
    question says nothing, nor does ``no`` before a noun: 'no evidence', 'no idea'.
    """
    said = _read_truth(response)
    return Grade(float(said is not None and said == _read_truth(example.ground_truth)), said)


def _read_truth(response: str) -> str | None:
    text = response.lower()
    for pattern, word in _TIDY.items():
        text = pattern.sub(word, text)
    text = _SENTENCE.sub(lambda match: " " if "?" in match[1] else match[0], text)  # a question says nothing
    for part in (boxed(text) or "", *announced(text), text):
        first = _FIRST.match(part)
        if first:
            return _unless_both(part, first)
    lines = last_line(text)
    for part in (lines, *_conclusion(lines), text):
        said = {_TRUTHS[found[1] or found[2]] for found in _SAID.finditer(part)}
        if len(said) == 1:
            return said.pop()
    return None


def _unless_both(part: str, first: re.Match[str]) -> str | None:
    """Return the meaning of the first word of a part, or None where the contrary is said beside it."""
    said = _TRUTHS[first[1] or first[2]]
    joined = _TOGETHER.match(part, first.end())
    other = _FIRST.match(part, joined.end()) if joined else None
    return None if other and _TRUTHS[other[1] or other[2]] != said else said


def _conclusion(line: str) -> list[str]:
    """Return the last sentence of a line that says both, where its first word draws a conclusion."""
    last = re.split(r"(?<=[.!;])\s+", line.strip())[-1]
    return [last] if _CONCLUDES.match(last) else []
