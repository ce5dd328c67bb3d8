"""The grader for multiple choice (``em_mc``)."""

from __future__ import annotations

import functools
import re
import unicodedata

from fusion.tasks.base import Example, Grade
from fusion.tasks.graders.answers import announcements, boxed, last_box_end, last_line, normalise
from fusion.tasks.graders.reading import reads_answer

LETTERS = "ABCDEFGHIJ"

_WORD = r"option|choice|letter|alternative|opci\u00f3n|op\u00e7\u00e3o|opzione|lettre|letra|antwort|buchstabe"
_CLOSING = r"[*_\"'`$)\]}\u201d\u2019]"
_TIDY = [
    (re.compile(r"\\(?:text(?:bf|it|rm|tt)?|math(?:bf|rm|it|tt))\s?\{\s?([^{}\n]{0,80}?)\s?\}|\\[()\[\]]"), r"\1"),
    (
        re.compile(
            rf"\b(?:{_WORD})s?[ \t]{{0,2}}[:#]?[ \t]{{0,2}}[*_\"'`$(\[{{]{{0,4}}([A-Ja-j])(?![\w'\u2019]){_CLOSING}{{0,4}}",
            re.I,
        ),
        r"(\1)",
    ),
    (re.compile(r"(?<![\w\\])[*_\"'`$]{0,3}[(\[][*_\"'`$]{0,3}([A-Ja-hj])[*_\"'`$]{0,3}[)\]][*_\"'`$]{0,3}"), r"(\1)"),
    (re.compile(r"(?<!\w)(?:\*{1,2}|[\"`$])([A-J])(?:\*{1,2}|[\"`$])(?!\w)"), r"(\1)"),
    (re.compile(r"[\u2e80-\u9fff\uac00-\ud7af](?=[A-Ja-j](?![A-Za-z]))"), r"\g<0> "),
    (re.compile(r"(?<![A-Za-z])[A-Ja-j](?=[\u2e80-\u9fff\uac00-\ud7af])"), r"\g<0> "),
]
"""Turn ``Option b``, ``**(b)**``, ``\\text{(B)}`` and ``'letter B'`` into ``(B)``, and part letters from Chinese signs."""

_OTHER = r"\(?[A-J](?![\w'\u2019])\)?"
_AFTER = (
    r"(?:and|or|nor|is|was|are|seems?|must|would|because|since|as|for|due|which|with|based|given|in|on|from|by|but|not|so|when|where"
    + (
        r"|if|while|although|though|rather|instead|according|that|thus|therefore|per|it|to|above|here|correct|only|et|und|oder|y|weil|nicht|no)\b"
    )
)
_NAME = rf"(?:\(([A-J])\)|(?<![\w'\u2019])([A-H]|[IJ])(?![\w'\u2019]|\s?[+&/=]\s?[A-J\d]\b|[ \t]+(?!{_AFTER})[a-z]))"
"""A letter that is an option's name; not the article A, the pronoun I, or a term of a sum."""
_SEVERAL = re.compile(
    rf"[*_)\].:]{{0,3}}(?:\s?[/&]\s?|,?\s(?:and|or|und|oder|et|ou|y|o)\s|,\s?)(?:(?:both|either)\s)?{_OTHER}(?=\s?(?:[,.;:)/&]|and\b|or\b|$))"
)
_LEAD = re.compile(
    rf"[\s*_\"'`(\[{{:$\\.-]*(?:(?:the|my|both|la|el|die|der|das|a)\s)?(?:(?:answer|{_WORD})s?\b[\s*:(]*(?:is\s)?)?"
    rf"(?:{_NAME}|([A-J])(?=[).:\]*}}]|\s*$)|([a-j])(?=[).:\]*}}]|\s*$))"
)
_CHOSEN = re.compile(
    r"(?:\b(?:choose|chose|chosen|choosing|pick(?:ed)?|select(?:ed)?|go(?:ing)?\swith|went\swith|opt(?:ing)?\sfor|settle\son|leav(?:es|ing)(?:\sus\swith|\sonly)?"
    r"|left\swith|conclude|(?:must|has\sto|should)\sbe|it(?:'s|\u2019s|\sis|\swould\sbe)|that(?:'s|\u2019s|\sis)|so|thus|hence|therefore|then|guess|say"
    r"|w\u00e4hle|nehme|elijo|choisis)\b|[\u9009\u9078])"
    r"[\s,:*_]{0,4}(?:(?:the|only|is|it|be|must|clearly|definitely|probably|likely|choose|pick|select|with|answer|correct|right|best|most)[\s:]){0,5}"
    rf"{_NAME}",
    re.I,
)
_RIGHT = re.compile(
    rf"{_NAME}[).:*_\s,]{{1,4}}(?:(?:is|must\sbe|would\sbe|seems|appears|it\sis)(?:\sto\sbe)?\s(?:(?:the|my|our|also|only|most|clearly|indeed|therefore|thus|logically|likely|probably|single)\s){{0,4}}"
    r"(?:correct|right|best|answer|choice|appropriate|accurate|suitable|(?:one|option)\b)|it\sis\b(?=\s*(?:[.!,]|$))|[\u662f]?(?:\u6b63\u786e|\u5bf9))"
)
_NEGATED = re.compile(r"(?:\bnot|n't|n\u2019t|\bnever|\bcannot|\bthan|\bif\s(?:we|you|i|one))\b[^.;\n]{0,20}$", re.I)
_REJECTED = re.compile(
    rf"\b(?:(?i:not(?: be)?|cannot(?: be)?|nor|neither|than|instead of|eliminat\w+|rul(?:e|ing) out|exclud\w+|reject\w*|nicht)|\w+n['\u2019]t(?: be)?)\s{_OTHER}(?:(?:,|\s(?:and|or|nor))+\s{_OTHER})*"
    rf"|{_OTHER}(?:(?:,|\s(?:and|or))+\s{_OTHER})*[*_:,-]{{0,3}}\s(?:(?:is|are|was|were|can|could|cannot)(?:\s(?:both|all|clearly|also|be|obviously|definitely)){{0,2}}"
    r"\s(?:not|incorrect|wrong|false|eliminated|ruled|excluded|out|too|even|irrelevant|unlikely|impossible)|(?:is|are|was|were|does|do|ca)n['\u2019]t)\b"
)
_LABEL = re.compile(
    r"^[ \t>*_#\-(\[\"'`]{0,6}(?:([A-J])|([a-j]))(?:[*_\"'`]{0,3}(?:[).:\]]|[ \t]*$)|[*_]{0,3}[ \t][-\u2013\u2014:][ \t])",
    re.M,
)
_VERDICT = re.compile(r"\b(?:yes|correct|right|true)\b|[\u2713\u2714\u2705]", re.I)
_NO_VERDICT = re.compile(r"\b(?:no|not|incorrect|wrong|false|except)\b|n['\u2019]t\b|[\u2717\u2718\u274c]", re.I)
_HOWEVER = re.compile(r"\b(?:but|however|wait|actually)\b", re.I)


@reads_answer
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
    match = re.fullmatch(rf"[(\[*]*(?:(?:{_WORD})\s)?\(?([A-J])[)\].:*]*", gold, re.I)
    letters = LETTERS[: len(example.choices)] or LETTERS
    if match and match[1].upper() in letters:
        return match[1].upper()
    return _text(gold, example, whole=True)


def _read(response: str, example: Example, letters: str) -> str | None:
    whole = _text(response, example, whole=True)
    if whole:
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
    return _concluded(_tidy(response[start:]), example, letters)


def _tidy(text: str) -> str:
    for pattern, replacement in _TIDY:
        text = pattern.sub(replacement, text)
    return re.sub(r"\(([a-j])\)", lambda match: match[0].upper(), text)


def _stated(part: str, example: Example, letters: str) -> str | None:
    """Return the letter that a box or an announcement gives: the one it begins with, its option's text, or the only one it names."""
    part_tidy = _tidy(part)
    letter = _text(part, example, whole=True)
    lead = _LEAD.match(part_tidy) if not letter else None
    if lead and not _SEVERAL.match(part_tidy, lead.end()):
        letter = _letter(lead, letters)
        turn = _HOWEVER.search(part_tidy, lead.end())
        letter = (_last(_CHOSEN, part_tidy[turn.end() :], letters) if turn else None) or letter
    return letter


def _is_several(part: str) -> bool:
    """Return whether a part gives several letters as its answer."""
    part = _tidy(part)
    lead = _LEAD.match(part)
    return lead is not None and _SEVERAL.match(part, lead.end()) is not None


def _letter(match: re.Match[str], letters: str) -> str | None:
    letter = next((group for group in match.groups() if group), "").upper()
    return letter if letter and letter in letters else None


def _last(pattern: re.Pattern[str], text: str, letters: str) -> str | None:
    """Return the last letter that a pattern finds, where it is neither negated nor one of several."""
    letter = None
    for match in pattern.finditer(text):
        if not _NEGATED.search(text, max(0, match.start() - 40), match.start()) and not _SEVERAL.match(
            text, match.end()
        ):
            letter = _letter(match, letters) or letter
    return letter


def _concluded(text: str, example: Example, letters: str) -> str | None:
    """Return the letter that a text without an announcement comes to."""
    labels = [(match, (match[1] or match[2]).upper()) for match in _LABEL.finditer(text)]
    labels = [(match, label) for match, label in labels if label in letters]
    several = len({label for _, label in labels}) > 1
    if labels and not several and not text[: labels[0][0].start()].strip() and (labels[0][0][1] or len(text) < 200):
        return labels[0][1]
    if right := {letter for match in _RIGHT.finditer(text) if (letter := _letter(match, letters))}:
        return right.pop() if len(right) == 1 else _last(_RIGHT, last_line(text), letters)
    if letter := _last(_CHOSEN, text, letters):
        return letter
    if labels and (letter := _labelled(text, labels)):
        return letter
    return _only(last_line(text), letters) or _only(text, letters) or _text(text, example, whole=False)


def _labelled(text: str, labels: list[tuple[re.Match[str], str]]) -> str | None:
    """Return the label of the last line, where it is not just the last option gone through, or of the only option called right."""
    match, label = labels[-1]
    if text[match.start() :].strip() == last_line(text):
        before = text[: match.start()].rstrip()
        again = label in [other for _, other in labels[:-1]]
        if again or len(labels) == 1 or before.endswith((":", "is")):
            return label
    ends = [*(other.start() for other, _ in labels[1:]), len(text)]
    lines = [(label, text[match.end() : end]) for (match, label), end in zip(labels, ends, strict=True)]
    right = {label for label, line in lines if _VERDICT.search(line) and not _NO_VERDICT.search(line)}
    return right.pop() if len(right) == 1 and len(lines) > 1 else None


_NAMED = re.compile(_NAME)


def _only(text: str, letters: str) -> str | None:
    """Return the only letter that a text names and does not reject, or None."""
    named = {_letter(match, letters) for match in _NAMED.finditer(_REJECTED.sub(" ", text))} - {None}
    return named.pop() if len(named) == 1 else None


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
