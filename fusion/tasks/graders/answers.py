"""What graders share: where in a response its answer stands, and when two short answers are the same."""

from __future__ import annotations

import functools
import json
import re
import unicodedata
from collections import deque

from fusion.tasks.base import Example

MARK = re.compile(
    r"####|<answer>|\b(?:answer|(?:correct|right|best|final)\s{1,3}(?:option|choice|letter|solution|result))\b"
    r"(?:[^\n.:;=]{0,40}?\b(?:is|are|be)\b|[^\n.:;=,]{0,40}?[:=])"
    r"|^[ \t#*_]{0,8}(?:the\s)?(?:final\s|correct\s)?answer[ \t#*_]{0,5}(?=\r?\n)"
    r"|\b(?:antwort|lösung|réponse|respuesta|resposta|risposta|ответ)\b[^\n.:=]{0,40}?"
    r"(?:\b(?:ist|lautet|est|es|é|è)\b|[:=])"
    r"|(?:答案|正确选项|正解|答え|정답|답)\s?(?:应该|应当)?\s?(?:就是|是|为|選|选|は|은|[:\uff1a])|(?:故|因此|所以|应该?|我)[选選]择?",
    re.IGNORECASE | re.MULTILINE,
)
"""What announces a final answer: ``The answer is``, ``**Answer:**``, ``Final answer =``, ``####``; the plainest in other languages."""
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
    """Return what follows each announcement of an answer, to the end of its line, the last announcement first.

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


_DASHES = dict.fromkeys(map(ord, "\u2010\u2011\u2012\u2013\u2212"), "-")
_NUMBER_COMMA = re.compile(r"(?<=\d),(?=\d{3}(?!\d))")
_OTHER_COMMA = re.compile(r"(?<=\d),(?=\d)")
_LOOSE = re.compile(r"(?<!\d)\.|\.(?!\d)|-(?!\d)|(?<=[^\s$(])-")
_ARTICLES = re.compile(r"\b(?:a|an|the)\b")


def normalise(text: str) -> str:
    """Return a short answer in lower case, without punctuation, articles and superfluous space.

    As in SQuAD's evaluation (Rajpurkar et al. 2016, arXiv:1606.05250), and more careful with numbers: a decimal point
    and a minus sign stay, the commas of thousands go, and those of a list part its numbers.
    """
    text = unicodedata.normalize("NFKC", text).translate(_DASHES).lower()
    text = _LOOSE.sub("", _OTHER_COMMA.sub(" ", _NUMBER_COMMA.sub("", text)))
    text = "".join(c for c in text if c in ".-" or not _is_punctuation(c))
    return " ".join(_ARTICLES.sub(" ", text).split())


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
