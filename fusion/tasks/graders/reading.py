"""Part of a response that is graded: the answer to the question, without thinking or questions of the LLM's own.

Every grader reads a response through here. The response in the log stays as it is.
"""

from __future__ import annotations

import functools
import re
import unicodedata
from bisect import bisect
from collections.abc import Callable
from itertools import islice
from typing import Literal

from fusion.tasks.base import Example, Grade, Grader, MetricGrader
from fusion.tasks.graders.answers import announced, boxed

STOP_SEQUENCES = (
    "\nQuestion:",
    "\nQ:",
    "\nProblem:",
    "\nHuman:",
    "\nUser:",
    "\n### Question",
    "\n### Instruction",
    "<|im_start|>",
)
"""Where an LLM without a chat template can be stopped, the commonest first: some servers take no more than four."""

_NAME = r"(?:\w{1,20}:)?(?:think(?:ing)?|thoughts?|thought_process|reason(?:ing)?|reflection|analysis|scratchpad|inner_monologue)"
_TAG = re.compile(
    rf"<(?P<close>/)?{_NAME}(?:\s[^<>\n]{{0,200}})?>"
    r"|[\u25c1\[](?P<close2>/)?think[\u25b7\]]"  # Kimi, Magistral
    r"|<\|(?:(?:begin_of_thought|start_thinking|inner_prefix)|(?P<close3>end_of_thought|end_thinking|inner_suffix))\|>",
    re.IGNORECASE,
)
_CHANNEL = re.compile(r"<\|channel\|>\s*(\w+)[^<\n]{0,80}<\|message\|>")  # gpt-oss
_BARE_CHANNEL = re.compile(r"\s*analysis(?=[A-Z])(?:.*assistant\s?final)?", re.DOTALL)  # its special tokens left out
_OPENING_QUOTES = "\u201c\u2018\u00ab\u300c\u300e"
_OPENS = re.compile(r"(?:^|\n|[.!?:>\]\u3002])[ \t]*$")
_FENCE = re.compile(r"^[ \t]*(?:```|~~~)", re.MULTILINE)

_TURN = re.compile(
    r"<\|(?:im_end|im_start|eot_id|end|endoftext|end_of_text|return|start|user|start_header_id|end_of_turn|eom_id)\|>"
    r"|</s>|<eos>|<(?:end|start)_of_turn>|\[/?INST\]|<\|END_(?:RESPONSE|OF_TURN_TOKEN)\|>|<\uff5c[^<>\n]{1,40}\uff5c>"
)
_MARK = re.compile(
    r"^[ \t>]{0,8}(?P<heading>#{1,6}[ \t]*)?(?:\*\*|__)?(?:"
    r"(?P<sure>(?:(?:next|new|another|follow[- ]?up)[ \t])?"
    r"(?:(?P<alone>question|human|user)|exercise|instructions?|frage|pregunta|\u95ee\u9898|\u554f\u984c|\u9898\u76ee|\u984c\u76ee|\u8cea\u554f)"
    r"|the following (?:are|is)[^\n]{0,40} questions?\b[^\n:]{0,80}|you are an? [^\n:]{0,200}(?:expert|assistant)\b[^\n:]{0,200})"
    r"|(?P<maybe>(?:next[ \t]|new[ \t]|another[ \t])?problem|q)|input|example|prompt|passage|context)"
    r"(?:[ \t]?(?:no\.?|#)?[ \t]?\d{1,4})?[*_ \t]{0,3}(?:[:\uff1a]|[.)](?=[ \t]*\S{2})|(?(heading)|(?(alone)|(?!)))(?=\r?$))",
    re.IGNORECASE | re.MULTILINE,
)
_SUMMARY = re.compile(
    r"^[ \t>*_#]{0,8}(?:now|so|finally)\b[^\n]{0,20}(?:\b(?:combin|summari[sz]|compil|list)\w*\b[^\n]{0,20}\b(?:answers|questions)"
    r"|\u603b\u7ed3[^\n]{0,8}\u7b54\u6848|\bconsidering\b[^\n]{0,20}\bquestions\b)",
    re.IGNORECASE | re.MULTILINE,
)
"""Where an LLM goes on to sum up its answers to all questions it was shown."""
_ASKS = re.compile(
    r"[?\uff1f]|^[ \t>*_#]{0,8}(?:a|answer|solution|output|options|choices|assistant|ai|bot|response)\b[*_ \t]{0,3}[:.)\n]",
    re.IGNORECASE | re.MULTILINE,
)
_ANSWERS = re.compile(
    r"^[ \t>*_#]{0,8}(?:a|answer|solution|output|assistant|response)\b[*_ \t]{0,3}[:.)\n]", re.I | re.M
)
_HEADER = re.compile(
    r"\s*(?:(?:<\|(?:im_start|start)\|>\s*assistant|<\|start_header_id\|>assistant<\|end_header_id\|>|<start_of_turn>model"
    r"|<s>|\[/INST\])\s*)+"
)
_PREFACE = re.compile(
    r"(?:sure|ok(?:ay)?|certainly|of course|let(?:'s|\u2019s| me| us)?|here|to (?:solve|answer|find)|we (?:need|are|have)|first|given"
    r"|the (?:question|problem))\b[^=\n]{0,300}|[^=\n]{0,300}:",
    re.IGNORECASE,
)

_BOX = re.compile(r"<\|begin_of_box\|>(.*?)<\|end_of_box\|>", re.DOTALL)  # GLM
_TOKEN = re.compile(r"<\|\w{1,30}\|>")  # other special tokens that were not left out

MOST_MARKS = 50  # that are looked at
LONGEST_ALONE = 100  # characters of an answer that stands alone, without announcement


def answer_part(response: str, question: str = "") -> str:
    """Return the part of a response that is its answer.

    Left out are thinking (`without_thinking`) and what follows where the LLM goes on with a question of its own
    (`before_next_question`). Letters, digits and signs of full width, and those of mathematical fonts, become plain.

    Args:
        response: As the LLM gave it.
        question: The question, where it is known; its repetition is no question of the LLM's own.
    """
    part = before_next_question(without_thinking(response), question).translate(PLAIN)
    return _TOKEN.sub("", _BOX.sub(r"\\boxed{\1}", part)).strip()


def code_part(response: str, question: str = "") -> str:
    """Return `answer_part` of a response that holds code: its signs, and the space before it, stay as they are."""
    return before_next_question(without_thinking(response), question)


def without_thinking(response: str) -> str:
    """Return a response without what stands in ``<think>`` or the like, and without all before a lone ``</think>``.

    What follows a ``<think>`` that is never closed is thinking, too: nothing of it is an answer. Tags in quotes, in a block of
    code, or amid a sentence are taken as words, except where they enclose something.
    """
    response = _last_channel(response)
    fences = [fence.start() for fence in _FENCE.finditer(response)]
    parts: list[str] = []
    read, opened = 0, -1
    for tag in _TAG.finditer(response):
        if _quoted(response, tag.start()):
            continue
        if tag["close"] or tag["close2"] or tag["close3"]:
            parts = [*parts, response[read:opened]] if opened >= 0 else []
            read, opened = tag.end(), -1
        elif opened < 0 or not _opens(response, opened, fences):
            opened = tag.start()
    end = opened if opened >= 0 and _opens(response, opened, fences) else len(response)
    return "".join([*parts, response[read:end]])


def _last_channel(response: str) -> str:
    """Return the final channel of a response in gpt-oss's form; of one that was cut off before it, nothing."""
    found = list(_CHANNEL.finditer(response))
    if found:
        final = [match for match in found if match[1] == "final"]
        return response[final[-1].end() :] if final else response[: found[0].start()]
    bare = _BARE_CHANNEL.match(response)
    if bare is None:
        return response
    return response[bare.end() :] if bare[0].endswith("final") else ""


def _quoted(text: str, place: int) -> bool:
    """Return whether a quotation begins right before a place."""
    before = text[place - 1 : place]
    if before and before in "\"'`":
        return text.count(before, text.rfind("\n", 0, place) + 1, place) % 2 == 1
    return bool(before) and before in _OPENING_QUOTES


def _opens(text: str, place: int, fences: list[int]) -> bool:
    """Return whether a tag opens something: it begins a line or a sentence, and stands in no closed block of code."""
    if place and not _OPENS.search(text, max(0, place - 80), place):
        return False
    above = bisect(fences, place)
    return above % 2 == 0 or above == len(fences)


def before_next_question(response: str, question: str = "") -> str:
    """Return a response up to where the LLM goes on with a question of its own, as one without a chat template does.

    That is a line that begins with ``Question:``, ``Q:``, ``Human:`` or the like, or a sign for a turn's end, after something
    was answered. A response may begin by repeating the question.
    """
    response = response[match.end() :] if (match := _HEADER.match(response)) else response
    turns = (turn.start() for turn in _TURN.finditer(response) if response[: turn.start()].strip())
    response = response[: next(turns, len(response))]
    for summary in islice(_SUMMARY.finditer(response), 1):
        response = response[: summary.start()] if answered(response[: summary.start()]) else response
    asked = _words(question)[:40]
    for mark in islice(_MARK.finditer(response), MOST_MARKS):
        before, after = response[: mark.start()].strip(), response[mark.end() :].strip()
        if (
            before
            and _goes_on(mark, before, after)
            and (answered(before) or not asked or _words(after[:400])[:40] != asked)
        ):
            return response[: mark.start()]
    return response


def _goes_on(mark: re.Match[str], before: str, after: str) -> bool:
    """Return whether a mark begins a further question, given the text before and after it.

    Some marks also stand in formulas and explanations (``Q: heat``, ``Input: 5``); what precedes may be a preface (``Let me
    restate it.``) or a part of the question.
    """
    if answered(before):
        return bool(mark["sure"] or _ASKS.search(after, 0, 2000) or "\n" not in after)
    if _PREFACE.fullmatch(before) or (_MARK.match(before) and not _ANSWERS.search(before)):
        return False
    alone = len(before) < LONGEST_ALONE and "\n" not in before
    asks = _ASKS.search(after, 0, 2000) or (alone and "\n" not in after)
    return bool(mark["sure"] or ((mark["maybe"] or alone) and asks))


def answered(text: str) -> bool:
    """Return whether a text announces or boxes an answer."""
    return boxed(text) is not None or any(announced(text))


def _words(text: str) -> str:
    return "".join(character for character in text.lower() if character.isalnum())


def _plain() -> dict[int, str]:
    """Return, for characters of full or half width and those of mathematical fonts, the plain ones.

    Not all that NFKC folds: it makes ``x2`` of x with a raised 2, and ``31/2`` of 3 and a half.
    """
    wide = [0x3000, *range(0xFF01, 0xFF61), *range(0xFFE0, 0xFFE7), *range(0x1D400, 0x1D800)]
    return {code: unicodedata.normalize("NFKC", chr(code)) for code in wide}


PLAIN = _plain()


def grader(
    metric: str,
    *,
    reads: Callable[[str, str], str] = answer_part,
    gold: Literal["text", "letter", "code"] = "text",
    needs: str = "",
    response: str = "{}",
) -> Callable[[Grader], MetricGrader]:
    """Return a decorator that makes the grader of a metric of a function.

    Args:
        metric: Name of the metric, as it stands in a log.
        reads: Response and question to the part of the response that is graded, `answer_part` or `code_part`.
        gold: See `fusion.tasks.base.MetricGrader`, like the next two.
        needs: Contents that a gold answer must have.
        response: Response that gives a gold answer.
    """

    def of(grade: Grader) -> MetricGrader:
        @functools.wraps(grade)
        def read_and_grade(response: str, example: Example) -> Grade:
            return grade(reads(response, example.question), example)

        return MetricGrader(metric, read_and_grade, gold, needs, response)

    return of
