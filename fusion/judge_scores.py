"""The score that a judge's answer gives."""

from __future__ import annotations

import re

from fusion.tasks.graders.reading import PLAIN, without_thinking

SCALE = 10.0
"""Highest score of the rubric; the lowest is 0. Scores are divided by it."""

_NUMBER = r"(?P<value>-?\d{1,6}(?:\.\d{1,6})?)(?!\.?\d|,\d|[eE]\d|\s?[-\u2013]\s?\d)"
_OUT_OF = r"(?:[\s*]{0,5}(?:/|out\s{1,3}of)\s{0,5}(?P<scale>\d{1,6}(?:\.0{1,3})?))?"
_SIGN = r"[\"'*_`\s]{0,6}"
_NAMED = re.compile(
    rf"(?:\b(?P<name>(?:score|rating|grade|verdict)){_SIGN}(?:\([^()\n]{{0,40}}\)|\[\d{{1,3}}\s?[-\u2013]\s?\d{{1,3}}\])?{_SIGN}"
    rf"(?:[:=]|(?:\sis|\sof)\b|(?<=<score)>)|\[RESULT\])(?:\s?is\b)?{_SIGN}(?:\\boxed\{{|\[\[|\[|<)?\s{{0,3}}{_NUMBER}{_OUT_OF}",
    re.IGNORECASE,
)
_DOUBLE = re.compile(rf"\[\[\s?{_NUMBER}{_OUT_OF}\s?\]\]{_OUT_OF.replace('scale', 'scale2')}", re.IGNORECASE)
_RATIO = re.compile(
    r"(?<![\d./-])(?P<value>\d{1,6}(?:\.\d{1,6})?)\s{0,3}(?:/|out\s{1,3}of)\s{0,3}(?P<scale>10)(?:\.0)?(?![\d/]|\.\d)",
    re.IGNORECASE,
)
_ONLY = re.compile(rf"[\s*_\"'`(\[<]{{0,9}}{_NUMBER}{_OUT_OF}[\s*_\"'`.)\]>]{{0,9}}", re.IGNORECASE)
_LINE_START = re.compile(r"[ \t>#*_\-\"'`{(\[<]*(?:final|overall|total|my|the)?\s?", re.IGNORECASE)
_LINE_END = re.compile(r"(?:/\s*\d+|[\s*_\"'`.)\]}>,;]|\([^()\n]*\)|<(?=/))*(?:/score>)?")
NEAR = 300
"""Characters of its line before and after a score that are looked at."""

LONGEST = 20_000
"""Characters at the end of a judge's answer that are read."""
_HYPOTHETICAL = re.compile(r"\b(?:would|could|might|had|if|should|were)\b", re.IGNORECASE)


def read_score(answer: str) -> float | None:
    """Return the score in [0, 1] that a judge's answer gives, or None where it gives none.

    Read, in this order: the last line that is a score and nothing more, such as ``Score: 7``, ``**Rating:** 7/10``,
    ``Score (0-10): [[7]]`` or ``{"score": 7}``; the last score that is named within a line, unless this says what would be; the
    last ``7/10`` or ``7 out of 10``; a last or first line that is only a number. What a reasoning LLM thinks before is left out. A score
    on another scale, or beyond this one, is none.
    """
    answer = without_thinking(answer).translate(PLAIN)[-LONGEST:]
    named = [*_NAMED.finditer(answer), *_DOUBLE.finditer(answer)]
    named.sort(key=lambda match: match.start())
    named = [match for match in named if not _quoted(answer, match)]
    named = [match for match in named if not _hypothetical(answer, match)] or named
    whole = [match for match in named if _alone(answer, match)]
    ratios = [] if named else [match for match in _RATIO.finditer(answer) if not _hypothetical(answer, match)]
    lines = answer.strip().split("\n")
    alone = [only for line in (lines[0], lines[-1]) if (only := _ONLY.fullmatch(line))]
    for found in (whole, named, ratios, alone):
        if found:
            return _score(found[-1])
    return None


def _score(match: re.Match[str]) -> float | None:
    groups = match.groupdict()
    scale = groups.get("scale") or groups.get("scale2")
    score = float(match["value"]) / SCALE
    return score if 0 <= score <= 1 and (scale is None or float(scale) == SCALE) else None


def _line(answer: str, match: re.Match[str]) -> tuple[str, str]:
    """Return the text before and behind a score in its line."""
    before = answer[max(0, match.start() - NEAR) : match.start()].rpartition("\n")[2]
    return before, answer[match.end() : match.end() + NEAR].partition("\n")[0]


def _alone(answer: str, match: re.Match[str]) -> bool:
    """Return whether a score begins its line, and nothing follows but signs, remarks in brackets or a reason."""
    before, after = _line(answer, match)
    return _LINE_START.fullmatch(before) is not None and (
        _LINE_END.fullmatch(after) is not None
        or re.match(r"[*_\s\])}]*(?:\(|[.,;:\u2013\u2014-]\s)", after) is not None
    )


def _quoted(answer: str, match: re.Match[str]) -> bool:
    """Return whether a score stands in quotes within a line, as somebody else's; the quotes of JSON close after the name."""
    before, _ = _line(answer, match)
    name = match.groupdict().get("name")
    return (
        bool(name)
        and before.strip()[:-1] != ""
        and before[-1:] in "\"'\u201c\u2018`"
        and answer[match.end("name")] not in "\"'"
    )


def _hypothetical(answer: str, match: re.Match[str]) -> bool:
    """Return whether a score is one that would be given: ``a score: 3 would be for a wrong one``."""
    before, after = _line(answer, match)
    clause = re.split(r"[.;(]\s?|,\s(?=but\b)", before)[-1] + " | " + re.split(r"[.;,(]", after)[0]
    return _HYPOTHETICAL.search(clause) is not None
