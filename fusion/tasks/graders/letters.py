"""How responses name an option's letter: as patterns, for the grader of multiple choice."""

from __future__ import annotations

import re

LETTERS = "ABCDEFGHIJ"

WORD = r"(?:option|choice|letter|alternative|opci\u00f3n|op\u00e7\u00e3o|opzione|lettre|letra|antwort|buchstabe|\u9009\u9879)"
_BEFORE, _BEHIND = r"[*_\"'`$]{0,3}", r"[*_\"'`$)\]}\u201d\u2019]{0,4}"
_CJK = r"[\u2e80-\u9fff\uac00-\ud7af]"

_GOES_ON = "|".join(
    [
        "and",
        "or",
        "nor",
        "is",
        "was",
        "are",
        "seem",
        "seems",
        "must",
        "would",
        "because",
        "since",
        "as",
        "for",
        "due",
        "which",
        "with",
        "based",
        "given",
        "in",
        "on",
        "from",
        "by",
        "but",
        "not",
        "so",
        "when",
        "where",
        "if",
        "while",
        "although",
        "though",
        "rather",
        "instead",
        "according",
        "that",
        "thus",
        "therefore",
        "per",
        "it",
        "to",
        "above",
        "here",
        "correct",
        "only",
        "und",
        "oder",
        "et",
        "y",
        "weil",
        "nicht",
        "no",
        "ist",
        "est",
        "es",
    ]
)
_ARTICLE = rf"(?![ \t]+(?!(?:{_GOES_ON})\b)[a-z])"  # as in 'A dog', 'I think'
_NO_FORMULA = r"(?![\w'\u2019(^{\\]|\s?[+&/=<>]\s?\S)"
NAME = rf"(?:\(([A-Ja-hj])\)|(?<![\w'\u2019$=+^\\{{])(?:([B-HJ]){_NO_FORMULA}|([AI]){_NO_FORMULA}{_ARTICLE}))"
"""A letter that names an option; not the article A, the pronoun I, or a variable of a formula."""

_WRAPPED = re.compile(
    r"\\(?:text(?:bf|it|rm|tt)?|math(?:bf|rm|it|tt))\s?\{\s?([^{}\n]{0,80}?)\s?\}|\\[()\[\]]"
)  # \text{B}, \(B\)
_WORDED = re.compile(
    rf"\b(?i:{WORD})s?[ \t]{{0,2}}[:#]?[ \t]{{0,2}}[(\[{{]?{_BEFORE}[(\[{{]?([A-Ja-j])(?![\w'\u2019]){_ARTICLE}{_BEHIND}"
)
_BRACKETED = re.compile(rf"(?<![\w\\]){_BEFORE}[(\[]{_BEFORE}([A-Ja-hj]){_BEFORE}[)\]]{_BEFORE}")
_BOLD = re.compile(r"(?<!\w)(?:\*{1,2}|\")([A-J])(?:\*{1,2}|\")(?!\w)")
_BESIDE_CJK = re.compile(rf"(?<={_CJK})(?=[A-Ja-j](?![A-Za-z]))|(?<={_CJK}[A-J])(?={_CJK})|(?<=\b[A-J])(?={_CJK})")

OTHER = r"\(?[A-J](?![\w'\u2019])\)?+"
SEVERAL = re.compile(
    rf"[*_)\].:]{{0,3}}(?:\s?[/&]\s?|,?\s(?:and|or|und|oder|et|ou|y|o)\s|,\s?)(?:(?:both|either)\s)?{OTHER}"
    r"(?=\s?(?:[,.;:)/&]|and\b|or\b|$))"
    r"|\)[^()\n.;]{0,80}\s(?:and|or)\s\([A-J]\)(?!\s(?:is|are|was|were)\b)"
)
"""Behind a letter: a further one that is named beside it, as in ``(C) red or (D) blue``."""
LEAD = re.compile(
    rf"[\s*_\"'`(\[{{:$\\-]*(?:(?i:the|my|both|la|el|die|der|das|a)\s)?(?:(?i:answer|{WORD})s?\b[\s*:(]*(?:is\s)?)?"
    rf"(?:{NAME}|([A-J])(?=[).:\]*}}$]|\s*$)|([a-j])(?=[).:\]*}}$]|\s*$))"
)
"""A letter with which an answer begins."""
_FILL = (
    "the|only|is|it|be|must|clearly|definitely|probably|likely|choose|pick|select|with|answer|correct|right|best|most"
)
ALONE = re.compile(r"[\s*_\"'`(\[{$]*([A-Ja-j])[\s*_\"'`)\]}$.:]*")
"""A letter and nothing else."""
CHOSEN = re.compile(
    r"(?i:\b(?:choose|chose|chosen|choosing|pick(?:ed)?|select(?:ed)?|go(?:ing)?\swith|went\swith|opt(?:ing)?\sfor|settle\son"
    r"|leav(?:es|ing)(?:\sus\swith|\sonly)?|left\swith|conclude|(?:best|closest|nearest|correct|right)(?:\s\w{1,12}){0,2}\s(?:is|would\sbe)|closest\sto|(?:must|has\sto|should)\sbe|(?:it|that)(?:'s|\u2019s|\sis|\swould\sbe)"
    r"|so|thus|hence|therefore|then|guess|say|w\u00e4hle|nehme|elijo|choisis)\b|[\u9009\u9078])"
    rf"[\s,:*_]{{0,4}}(?i:(?:{_FILL})[\s:]){{0,5}}(?:{NAME}|([b-hj])(?=[.!]|\s*$))(?!\)?\s(?:is|was|are)\s(?:also|not|in|too|wrong|false|eliminated|ruled|excluded))"
)
"""A letter that is chosen: ``I choose B``, ``Thus (C)``."""
_CLEARLY = "the|my|our|also|only|most|clearly|indeed|therefore|thus|logically|likely|probably|single"
RIGHT = re.compile(
    rf"{NAME}[).:*_\s,]{{1,4}}(?:(?:is|must\sbe|would\sbe|seems|appears|it\sis)(?:\sto\sbe)?\s(?:(?:{_CLEARLY})\s){{0,4}}"
    r"(?:correct|right|best|answer|choice|appropriate|accurate|suitable|(?:one|option)\b)|it\sis\b(?=\s*(?:[.!,]|$))"
    r"|ist\s(?:richtig|korrekt)|est\s(?:correcte?|la\sbonne)|es\s(?:correcta|la\s(?:correcta|respuesta))"
    r"|\u662f?(?:\u6b63\u786e|\u5bf9))"
)
"""A letter that is called right: ``B is correct``."""
NEGATED = re.compile(
    r"(?:\bnot|n't|n\u2019t|\bnever|\bcannot|\bthan|\bif\s(?:we|you|i|one))\b[^.,;\n]{0,20}$", re.IGNORECASE
)
_LIST = rf"{OTHER}(?:(?:,|,?\s(?:and|or|nor))\s{OTHER})*"
_REJECTED = re.compile(
    r"\b(?:(?i:(?:not|cannot)(?: (?:be|choose|pick|select))?|nor|neither|other|than|instead of|eliminat\w+|rul(?:e|ing) out|exclud\w+|reject\w*|nicht)"
    rf"|\w+n['\u2019]t(?: (?:be|choose|pick|select))?)\s{_LIST}"
    rf"|{_LIST}[*_:,-]{{0,3}}\s(?:(?:is|are|was|were|can|could|cannot)(?:\s(?:both|all|clearly|also|be|obviously|definitely)){{0,2}}"
    r"\s(?:not|incorrect|wrong|false|eliminated|ruled|excluded|out|too|even|irrelevant|unlikely|impossible)"
    r"|(?:is|are|was|were|does|do|ca)n['\u2019]t)\b"
)
LABEL = re.compile(
    r"^[ \t>*_#\-(\[\"'`]{0,6}(?:([A-J])|([a-j]))(?:[*_\"'`]{0,3}(?:[).:\]]|[ \t]*$)|[*_]{0,3}[ \t][-\u2013\u2014:][ \t])",
    re.MULTILINE,
)
"""A line that begins with an option's letter."""
_SURE = re.compile(r"\(([A-J])\)")
_NAMED = re.compile(
    rf"(?<!\d[ \t])(?<![\w\u00b0'\u2019$=+^\\{{])\(?([A-J])\)?{_NO_FORMULA}{_ARTICLE}|\(([A-J])\)"
)  # more careful, where nothing says that a letter is chosen: units are letters, too


def tidy(text: str) -> str:
    r"""Write ``Option b``, ``**B**`` and ``\text{(B)}`` as ``(B)``, ``**(b)**`` as ``(b)``; part letters from CJK signs."""
    text = _BESIDE_CJK.sub(" ", _WRAPPED.sub(r"\1", text))
    text = _BRACKETED.sub(r"(\1)", _WORDED.sub(lambda match: f"({match[1].upper()})", text))
    return _BOLD.sub(r"(\1)", text)


def letter_of(match: re.Match[str], letters: str) -> str | None:
    """Return the letter that a pattern found, where it is one of ``letters``."""
    letter = next((group for group in match.groups() if group), "").upper()
    return letter if letter and letter in letters else None


def last_letter(pattern: re.Pattern[str], text: str, letters: str) -> str | None:
    """Return the last letter that `found_letters` finds, or None."""
    found = found_letters(pattern, text, letters)
    return found[-1] if found else None


def found_letters(pattern: re.Pattern[str], text: str, letters: str) -> list[str]:
    """Return the letters that a pattern finds, where they are neither negated nor some of several."""
    found = []
    for match in pattern.finditer(text):
        if not NEGATED.search(text, max(0, match.start() - 40), match.start()) and not SEVERAL.match(text, match.end()):
            found.append(letter_of(match, letters))
    return [letter for letter in found if letter]


def closing_letter(line: str, letters: str) -> str | None:
    """Return the letter that is all that a last line says, as ``(B)`` or ``Output: B``."""
    alone = ALONE.fullmatch(line.rpartition(":")[2]) if len(line) < 60 else None
    return letter_of(alone, letters) if alone else None


def only_letter(text: str, letters: str, sure: bool = False) -> str | None:
    """Return the only letter that a text names and does not reject, or None; with ``sure``, only such as ``(B)`` and ``Option B``."""
    text = _REJECTED.sub(" ", text)
    found = list((_SURE if sure else _NAMED).finditer(text))
    named = {letter_of(match, letters) for match in found} - {None}
    return named.pop() if len(named) == 1 and not any(SEVERAL.match(text, match.end()) for match in found) else None
