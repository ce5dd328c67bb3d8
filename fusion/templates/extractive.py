"""A summariser that needs no LLM: it takes the steps of a response."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from fusion.prompts import HIDDEN
from fusion.templates.sentences import split_sentences
from fusion.templates.truths import STATEMENT, Truth, content_words, words

MOST_SENTENCES = 5
"""Most sentences of a template. Not tuned."""
MOST_WORDS = 120
"""Most words of a template, so that several fit into a prompt. Not tuned."""

_NEXT_QUESTION = re.compile(r"\n\s*(?:\*\*)?(?:Question|Q|Options)\b\s*\d*\s*[:.]", re.IGNORECASE)
"""A base model writes on, with a question of its own."""

_CODE = re.compile(r"```.*?(?:```|\Z)", re.DOTALL)
_BULLET = re.compile(r"^\s*(?:[-*•]\s+|#{1,4}\s+|(?:step\s*)?\d{1,2}[.):]\s+)+", re.IGNORECASE)
_FULL_STOP = re.compile(r"(?:(?<!\.\.)\.|\.{4}|[!?])[\"')\]]*$")
"""A hidden answer at the end, `HIDDEN`, is no full stop."""

_OPEN_END = re.compile(
    r"([:=,]|\b(?:get|have|is|are|gives|becomes|obtain|find|that|by|to|as|from|yields))\n", re.IGNORECASE
)
"""A line that goes on in the next."""

_MARKS = re.compile(r"\*\*|__|`")
_EMPTY = re.compile(
    r"^(?:let'?s|let us)\b.{0,40}\bstep\b.{0,20}$|^we refer to wikipedia\b.*|^(?:sure|certainly|okay|hello)\b.{0,60}$"
    r"|^(?:here (?:is|are)|below (?:is|are)|to (?:answer|solve) this)\b[^.]*:$|^(?:solution|explanation|reasoning)\W*$",
    re.IGNORECASE,
)
"""Says nothing about the query."""

UNABLE = re.compile(
    r"\b(?:cannot|can't|unable to|impossible to|not possible to)\s(?:be\s)?(?:answer|solve|determine|provide|help)"
    r"|\bnot\s(?:\w+\s)?enough information\b|\b(?:question|prompt) is (?:incomplete|unclear)|\bas an ai\b",
    re.IGNORECASE,
)
"""Says that it has no answer, and so has no steps to one."""

_OPTIONS = re.compile(
    r"\b(?:each|the|this|that|which|given|other|following|these|answer|all)\s(?:options?|choices?)\b|\boptions? \.{3}",
    re.IGNORECASE,
)

_VERDICT = re.compile(
    r"^.{0,40}\b(?:is|are)\s(?:not\s)?(?:an?\s)?(?:also\s)?(?:true|false|correct|incorrect|right|wrong)"
    r"(?:\sstatements?)?\W*$",
    re.IGNORECASE,
)
"""Says of a statement of the query that it is true or false."""

_OTHER_OPTION = re.compile(r"\([A-J]\)|\b(?i:options?|choices?|answers?)\s+[A-J]\b|^[A-J][.):]\s")
"""Names an option of the query, which means nothing to another query."""

ECHO = 0.8
"""Share of a sentence's content words that the query has too, from which it only puts the answer into the query's words."""

NOTE = 14
"""Most words of a note, a line without a full stop. Not tuned."""

_RELATION = re.compile(r"\S\s*(?:[=<>≈≤≥→×÷]|->|\+|\*|/)\s*\S")
_NUMBERS = re.compile(r"\d+")


@dataclass(frozen=True)
class Steps:
    """Sentences of a response on the way to its answer.

    Attributes:
        text: Up to `MOST_SENTENCES` sentences, one a line, with the answer hidden.
        whole: Whether no telling sentence was left out.
    """

    text: str
    whole: bool


def best_steps(responses: Sequence[str], query: str, truth: Truth) -> tuple[int, Steps] | None:
    """Return the steps of the best short response, and which it is.

    Args:
        responses: The best first.
        query: Text that they respond to.
        truth: Is hidden.

    Returns:
        The first response whose steps are short enough to be taken whole; where none is, the first with any, shortened;
        None where none has any.
    """
    found = [(number, steps) for number, text in enumerate(responses) if (steps := extract(text, query, truth))]
    return next((one for one in found if one[1].whole), found[0] if found else None)


def extract(response: str, query: str, truth: Truth) -> Steps | None:
    """Return the steps of a response, without the answer; None where it has none that tell anything."""
    body = _body(response)
    if UNABLE.search(body):
        return None
    sentences = [_clean(sentence) for sentence in split_sentences(body)]
    hidden = [truth.hide(sentence) for sentence in sentences if sentence and not _EMPTY.match(sentence)]
    asked = content_words(query)
    kept = [one for one in dict.fromkeys(hidden) if not _depends_on_options(one, truth) and not _echoes(one, asked)]
    telling = [sentence for sentence in kept if tells(sentence)] or [one for one in kept if tells_a_little(one)]
    if not any(_stands_alone(sentence) for sentence in telling):
        return None
    chosen = _choose(telling)
    return Steps("\n".join(chosen), len(chosen) == len(telling)) if chosen else None


_FORMULA = re.compile(r"\s*(\$\$.+?\$\$|\\\[.+?\\\]|\\begin\{(\w+\*?)\}.+?\\end\{\2\})\s*", re.DOTALL)


def _body(response: str) -> str:
    """Return the text before the statement of the answer, or after it where it comes first."""
    mended = (
        response.strip().replace("’", "'").replace("\f", "\\f").replace("\b", "\\b")
    )  # \frac and \beta, once unescaped
    text = _CODE.sub("\n", mended)
    text = _FORMULA.sub(lambda found: f" {' '.join(found[1].split())}\n", text)
    following = _NEXT_QUESTION.search(text)
    text = text[: following.start()] if following and following.start() > 0 else text
    body: list[str] = []
    for sentence in split_sentences(text):
        if not STATEMENT.search(sentence):
            body.append(sentence)
        elif any(content_words(one) for one in body):
            break
    return _OPEN_END.sub(r"\1 ", "\n".join(body))


def _clean(sentence: str) -> str:
    return _MARKS.sub("", _BULLET.sub("", sentence)).strip()


def _depends_on_options(sentence: str, truth: Truth) -> bool:
    """Whether a sentence names options or statements of its query, or tells the right one in other words."""
    verdict = _VERDICT.search(sentence) and not _RELATION.search(sentence)
    named = _OTHER_OPTION.search(sentence) or _OPTIONS.search(sentence)
    return bool(verdict or named) or truth.retold_by(sentence)


def _echoes(sentence: str, asked: set[str]) -> bool:
    """Whether a full sentence has hardly a word beyond the query, and no formula: "The capital of France is ...".

    A short note without a full stop, as terse models write it, is a step all the same.
    """
    said = content_words(sentence.replace(HIDDEN, " "))
    if _is_terse(sentence) or not tells(sentence):
        return False
    hidden = HIDDEN in sentence
    return (len(said & asked) >= ECHO * len(said) and (hidden or not _RELATION.search(sentence))) or (
        hidden and len(said - asked) < 2
    )


def _is_terse(sentence: str) -> bool:
    return not _FULL_STOP.search(sentence) and len(sentence.split()) <= NOTE


def _stands_alone(sentence: str) -> bool:
    """Whether a sentence is more than a statement of a fact with the hidden answer in it."""
    return HIDDEN not in sentence or _is_terse(sentence) or bool(_RELATION.search(sentence))


def tells(sentence: str) -> bool:
    """Whether a sentence holds three content words or more, so that it may say something of a method."""
    return len([word for word in content_words(sentence.replace(HIDDEN, " ")) if len(word) > 1 and word.isalpha()]) >= 3


def tells_a_little(sentence: str) -> bool:
    """Whether a sentence is at least a short note, an equation or a sequence, and not only a word or a number."""
    left = sentence.replace(HIDDEN, " ")
    note = len(words(left)) >= 2 and any(not word.isdigit() for word in content_words(left))
    return note or bool(_RELATION.search(sentence)) or len(_NUMBERS.findall(left)) >= 4


def _choose(sentences: list[str]) -> list[str]:
    """Return the most telling sentences that fit, in their order; the first counts more, for it names the method."""
    worth = {row: _worth(sentence) * (1.5 if row == 0 else 1.0) for row, sentence in enumerate(sentences)}
    chosen: list[int] = []
    room = MOST_WORDS
    for row in sorted(worth, key=lambda row: (-worth[row], row)):
        size = len(sentences[row].split())
        if len(chosen) < MOST_SENTENCES and size <= room:
            chosen.append(row)
            room -= size
    return [sentences[row] for row in sorted(chosen)]


def _worth(sentence: str) -> float:
    """Content words, at most 15, times the share of the characters that are letters: prose before bare arithmetic."""
    dense = [character for character in sentence if not character.isspace()]
    letters = sum(character.isalpha() for character in dense)
    return min(len(content_words(sentence)), 15) * letters / max(len(dense), 1)
