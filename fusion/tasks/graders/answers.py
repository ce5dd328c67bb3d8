"""Common parts of graders: where in a response its answer stands, and when two short answers are the same."""

from __future__ import annotations

import functools
import json
import re
import unicodedata
from collections import deque

from fusion.tasks.base import Example
from fusion.tasks.graders.numbers import spelt

MARK = re.compile(
    r"####|<answer>|\b(?:answer|(?:correct|right|best|final)\s{1,3}(?:option|choice|letter|solution|result))\b"
    r"(?:[^\n.:;=]{0,40}?\b(?:is|are|be)\b|[^\n.:;=,]{0,40}?[:=])"
    r"|^[ \t#*_]{0,8}(?:the\s)?(?:final\s|correct\s)?answer[ \t#*_]{0,5}(?=\r?\n)"
    r"|\b(?:antwort|lösung|réponse|respuesta|resposta|risposta|ответ)\b[^\n.:=]{0,40}?"
    r"(?:\b(?:ist|lautet|est|es|é|è)\b|[:=])"
    r"|(?:答案|正确选项|正解|答え|정답|답)\s?(?:应该|应当)?\s?(?:就是|是|为|選|选|は|은|[:\uff1a])|(?:故|因此|所以|应该?|我)[选選]择?",
    re.IGNORECASE | re.MULTILINE,
)
"""Announcements of a final answer: ``The answer is``, ``**Answer:**``, ``Final answer =``, ``####``; the plainest in other languages."""
NEGATED = re.compile(r"\b(?:not|cannot|never|neither|nicht)\b|n['\u2019]t\b", re.IGNORECASE)
SOUGHT = re.compile(
    r"\b(?:calculate|compute|find|determine|derive|work out|provide|give)\s(?:(?:the|our|an|your|final|correct)\s){0,3}$",
    re.IGNORECASE,
)
LINE_END = re.compile(r"[ \t*_]*\r?\n")
IN_QUOTES = re.compile(r'"((?:[^"\\\n]|\\.)*)"')  # a text in JSON

BOX = re.compile(r"\\(?:boxed|fbox)\s*(\{|[^\s{}$])")
BETWEEN_BOXES = re.compile(r"(?:[\s,;$.&]|\\text\{|\\quad|and|or|\})*")
LONGEST_BOX = 10_000
MOST = 20  # boxes or announcements that are looked at, from the end


def boxed(response: str) -> str | None:
    r"""Return the content of the last ``\boxed{...}``, or None. Boxes side by side are joined by a comma."""
    found: list[tuple[int, int, str]] = []
    for match in deque(BOX.finditer(response), maxlen=MOST):
        if not found or match.start() >= found[-1][1]:
            found += _content(response, match)
    if not found:
        return None
    last = [found[-1][2]]
    for (_, end, content), (start, _, _) in zip(found[-2::-1], found[:0:-1], strict=True):
        if start - end > 40 or not BETWEEN_BOXES.fullmatch(response, end, start):
            break
        last.insert(0, content)
    return ", ".join(dict.fromkeys(part.strip() for part in last))


def _content(response: str, match: re.Match[str]) -> list[tuple[int, int, str]]:
    """Return start, end and content of a box; none where its braces do not close."""
    if match[1] != "{":
        return [(match.start(), match.end(), match[1])]
    depth, begin = 0, match.end() - 1
    for place in range(begin, min(len(response), begin + LONGEST_BOX)):
        depth += {"{": 1, "}": -1}.get(response[place], 0)
        if depth == 0:
            return [(match.start(), place + 1, response[begin + 1 : place])]
    return []


def last_box_end(response: str) -> int:
    r"""Return where the last ``\boxed{...}`` ends, or 0."""
    ends = [end for match in deque(BOX.finditer(response), maxlen=MOST) for _, end, _ in _content(response, match)]
    return max(ends, default=0)


def announced(response: str) -> list[str]:
    """Return the text behind each announcement of an answer, to the end of its line, the last announcement first.

    Where the line ends there, the answer is taken from the next line that has text. In JSON it is the text in quotes.
    """
    return [part for _, part in announcements(response)]


def announcements(response: str) -> list[tuple[int, str]]:
    """Return `announced`, each with the place where it begins in the response. ``The answer cannot be`` announces none."""
    parts = []
    for match in deque(MARK.finditer(response), maxlen=MOST):
        sought = SOUGHT.search(response, max(0, match.start() - 40), match.start())
        if NEGATED.search(match[0]) or (sought and LINE_END.match(response, match.end())):
            continue
        rest = response[match.end() : match.end() + 2000].lstrip(" *_:`\r\n\t")
        quoted = IN_QUOTES.match(rest) if match[0].rstrip(": \t").endswith('"') else None
        part = re.sub(r'\\(["\\/])', r"\1", quoted[1]) if quoted else rest.partition("\n")[0].partition("</answer>")[0]
        parts.append((match.start(), part.rstrip(" *_`\t\r")))
    return parts[::-1]


def short_answer(response: str) -> str:
    """Return the answer alone: what is boxed, else what was announced last, else the whole response."""
    box = boxed(response)
    if box is not None:
        return box
    parts = [part for part in announced(response) if part]
    return parts[0] if parts else response.strip()


def last_line(text: str) -> str:
    """Return the last line that has text."""
    return text.rstrip().rpartition("\n")[2].strip()


_NUMBER_COMMA = re.compile(r"(?<=\d)[,'](?=\d{3}(?!\d))")
_OTHER_COMMA = re.compile(r"(?<=\d),(?=\d)")
_KEPT = re.compile(
    r"(?<=\d)(?:[-./:^*+='](?=\d)|\s?%)"  # 3.5, 1/2, 3:30, 2-1, 10^3, 5%
    r"|(?<![^\s($])-(?=[$\u20ac\u00a3]?\.?\d)|(?<![\w.])\.(?=\d)"  # -5, .5
    r"|(?<![\w.])\.(?=[a-z]{2})|(?<![\w@])@(?=\w)"  # .NET, @home
    r"|(?<=\w)\+{1,2}(?![\w+])|(?<=[a-z])#(?!\w)|(?<=\b[a-z])-(?![\w-])|(?<=\b[a-z][a-z])-(?![\w-])"  # C++, C#, O-, AB-
)
_ARTICLE = re.compile(r"(?<![\w'-])(?<!\ba\s)(?<!\ban\s)(?<!\bthe\s)(?:an?|the)\s(?!(?:an?|the)(?!\S))(?=\S)")
_UNSPACED = (
    "\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u1100-\u11ff\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uac00-\ud7af\uf900-\ufaff"
    "\U00020000-\U0003ffff"
)
_SIGN_WORD = re.compile(f"[{_UNSPACED}]")


def normalise(text: str, articles: bool = False) -> str:
    """Return a short answer in lower case, without punctuation, articles and superfluous space.

    As in SQuAD's evaluation (Rajpurkar et al. 2016, arXiv:1606.05250), and more careful with what tells answers apart:

    - numbers keep their decimal point, minus and percent sign, and what stands between two digits (1/2, 3:30); the commas
      of thousands go, and those of a list part its numbers;
    - names keep signs that belong to them: C++, C#, .NET, @home, blood group O-;
    - an article goes only before a further word: Hepatitis A, The The;
    - each sign of a script without spaces, such as Chinese, Japanese, Korean or Thai, is a word.

    Accents stay, as there: cafe is not café.

    Args:
        text: A short answer, or a response in which one is looked for.
        articles: Whether articles stay.
    """
    text = unicodedata.normalize("NFKC", spelt(text)).replace("\u2019", "'").lower()
    while (again := _bare(text)) != text:  # what is taken out may have stood between a sign and its word
        text = again
    return text if articles else without_articles(text)


def without_articles(words: str) -> str:
    """Return a normalised text without the articles that stand before a further word."""
    return _ARTICLE.sub("", words)


def _bare(text: str) -> str:
    """Return a text in lower case without the punctuation that does not belong to a number or a name."""
    text = _OTHER_COMMA.sub(" ", _NUMBER_COMMA.sub("", text))
    parts, end = [], 0
    for match in _KEPT.finditer(text):
        parts += [_without_punctuation(text[end : match.start()]), match[0].strip()]
        end = match.end()
    text = "".join([*parts, _without_punctuation(text[end:])])
    return " ".join(_SIGN_WORD.sub(r" \g<0> ", text).split())


def _without_punctuation(text: str) -> str:
    gone = [ord(c) for c in set(text) if _is_punctuation(c)]  # of a megabyte too, in a moment
    return text.translate(dict.fromkeys(gone)) if gone else text


@functools.lru_cache(4096)
def _is_punctuation(character: str) -> bool:
    return character in "$+<=>^`|~" or unicodedata.category(character)[0] == "P"


def aliases(example: Example) -> list[str]:
    """Return the gold answers: those of a JSON list of texts, else the ground truth itself."""
    if example.ground_truth.startswith("["):
        try:
            parts = json.loads(example.ground_truth)
        except ValueError:
            parts = None
        if isinstance(parts, list) and parts and all(isinstance(part, str) for part in parts):
            return parts
    return [example.ground_truth]
