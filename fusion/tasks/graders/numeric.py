"""The grader for answers that are one number (gsm8k)."""

from __future__ import annotations

import functools
import re
from collections.abc import Iterator
from fractions import Fraction

from fusion.tasks.base import Example, Grade
from fusion.tasks.graders.answers import aliases, announced, boxed
from fusion.tasks.graders.numbers import TextNumber, arithmetic, numbers, plain, word_numbers
from fusion.tasks.graders.reading import grader

LONGEST_TEXT = 50_000  # characters at the end of a response that are read


@grader("numeric", needs="one number")
def numeric(response: str, example: Example) -> Grade:
    """1 where the final number of the response equals that of the ground truth.

    The final number is the one that is boxed, else the one that follows the last ``####``, ``The answer is``, ``Answer:``
    or the like, else the last number of the response. A calculation counts for its result, a quantity that is then converted
    for what stands first (540 of '540 meters = 0.54 km'). An answer that names several numbers, such as '5 to 10', is none.
    50% is 0.5 and, where the other side has no percent, also 50; 1.5 million is 1.5 only for a question in millions.
    """
    number = final_number(response)
    if number is None or number.scaled is None or number.value is None:
        return Grade(0.0)
    same = any(_same(number, _gold(gold), example.question.lower()) for gold in aliases(example))
    return Grade(float(same), _shown(number.value if number.scale == "%" else number.scaled))


@functools.lru_cache(4096)  # a gold answer is compared with the responses of many LLMs
def _gold(text: str) -> TextNumber | None:
    return final_number(text)


def _same(number: TextNumber, gold: TextNumber | None, question: str) -> bool:
    if gold is None or gold.scaled is None or number.scaled is None:
        return False
    if _close(number.scaled, gold.scaled):
        return True
    scales = {number.scale, gold.scale} - {""}
    unit = scales.pop() if len(scales) == 1 and number.scale != gold.scale else ""
    in_units = unit == "%" or (unit != "" and unit in question)
    return in_units and number.value is not None and gold.value is not None and _close(number.value, gold.value)


def _close(one: Fraction, other: Fraction) -> bool:
    """Return whether numbers are equal; whole numbers exactly, others to nine digits, as 0.3333333333 is 1/3."""
    whole = one.denominator == other.denominator == 1
    return one == other or (not whole and abs(one - other) <= abs(other) * Fraction(1, 10**9))


def _shown(value: Fraction) -> str:
    whole = value.denominator == 1 and abs(value) < 10**18
    try:
        return str(value.numerator) if whole else f"{float(value):.12g}"
    except OverflowError:
        return str(value)


_ITEM = re.compile(r"^[ \t>]{0,9}\(?\d{1,2}[.)][ \t]{1,9}(?=\S)", re.MULTILINE)
_ITEM_WITH_NUMBER = re.compile(_ITEM.pattern + r"(?=[^\n]{0,300}?\d)", re.MULTILINE)
_BULLET = re.compile(r"^[ \t>]{0,9}[-*+\u2022][ \t]{1,9}(?=\S)", re.MULTILINE)


def final_number(text: str) -> TextNumber | None:
    """Return the number that a text gives as its answer; its value is None where the answer is no single number."""
    text = _BULLET.sub("", _ITEM_WITH_NUMBER.sub("", plain(text[-LONGEST_TEXT:])))
    box = boxed(text)
    for part in ([box] if box else []) + announced(text):
        found = _said(part)
        if found:
            return found
    return None if box is not None else _last(text)


UNREAD = TextNumber(0, 0, None)
"""Says that an answer was given, but is no single number."""

_CONVERTED = re.compile(r"\(\s?(?:=|\u2248|~|i\.e\.|or\s)[^()\n]{0,100}\)")
_EXPLAINED = re.compile(
    r"(?<=[.;!])\s+(?:check|verif|double-check|proof|note that|alternatively|to (?:check|verify)|i\.e)",
    re.IGNORECASE,
)
_NOT_KNOWN = re.compile(
    r"\W*(?:unknown|infinit|infty|\u221e|insufficient|undefined|undetermined|indeterminate|n/a|not (?:enough|possible|known|given)"
    r"|(?:(?:it|we|this|i) )?(?:cannot|can't|can not)\b|impossible|no solution|none\b)",
    re.IGNORECASE,
)


def _said(part: str) -> TextNumber | None:
    """Return the number of what is boxed or announced, `UNREAD` where it is no single number, None where it has none."""
    part = _CONVERTED.sub("", part)
    if _FIRST_ITEM.match(part) and _SECOND_ITEM.search(part):
        part = _ITEMS.sub(" ", part)
    explained = _EXPLAINED.search(part)
    if explained and re.search(r"\d", part[: explained.start()]):
        part = part[: explained.start()]
    found, words = numbers(part), word_numbers(part)
    if words and _leads(part[: words[0].start]):
        return words[0]
    if not found:
        words = [word for word in words if not word.lone]
        return words[0] if words else UNREAD if _NOT_KNOWN.match(part) else None
    leads = _leads(part[: found[0].start])
    if leads and not _is_operand(found[0], part):
        return UNREAD if _names_several(part) else found[0]
    return _result(part) or _concluded(part, found) or (UNREAD if leads or _ALGEBRA.match(part) else found[0])


_FIRST_ITEM = re.compile(r"\W{0,9}1[.)]\s")
_SECOND_ITEM = re.compile(r"(?:\s|\\n)2[.)]\s")
_ITEMS = re.compile(r"(?:\A\W{0,9}|\s|\\n)\d{1,2}[.)]\s")
_ALGEBRA = re.compile(r"\W{0,9}[A-Za-z]\s?[-+*/]\s?\d")


_FILLERS = (
    "about|approximately|approx|around|roughly|exactly|precisely|nearly|almost|only|just|equal to|equals|is|are|therefore|thus|so"
    "|hence|a total of|at (?:least|most)|USD|US|EUR|GBP|Rs|INR|left|right"
)
_LEAD = re.compile(rf"(?:[^\w=\u2248]|\b(?:{_FILLERS})\b|[\u662f\u4e3a\u70ba\u7ea6\u7d04])*", re.IGNORECASE)
_UNIT = r"(?:\s?[^\W\d][\w./\u00b0%-]{0,30}){0,3}"
_MONEY = re.compile(r"\s?[$\u20ac\u00a3\u00a5\u20b9]")
_SEVERAL = re.compile(
    r"\s?-\s?[$\u20ac\u00a3]?\d|\s(?:to|or|and|&)\s[$\u20ac\u00a3]?\d"  # 5-10, 5 or 6
    r"|(?:,\s?[$\u20ac\u00a3]?[\d.,]{1,20}){1,20}\W*\Z"  # 5, 6, 7
    r"|\s[^\W\d]\w{0,30},?\s(?:and\s)?[$\u20ac\u00a3]?\d[\d.,]*\s[^\W\d]"  # 5 hours and 30 minutes
    r"|\s(?P<unit>[^\W\d]\w{0,30}),?\sor\s[$\u20ac\u00a3]?\d[\d.,]*\s(?P=unit)"  # 5 hours or 6 hours
)
_OPERATION = re.compile(
    r"(?<=[\w)}%$.!])(?:\s[-+*/\u00d7\u00f7\u00b7^]\s?|[-+*/\u00d7\u00f7\u00b7^])(?<!\s-)[($\u221a-]{0,3}[\d.\\(]"
    r"|\s?(?<=[\d\s])x\s?[($]?\d|\b(?:times|plus|minus|divided by|multiplied by)\s[($]?\d"
)
_OPERAND = re.compile(
    r"[\d).]*(?:\(\s?[\d\u221a]|(?:[\s)}]?[^\W\d][\w./%-]{0,30}){0,4}?(?:\s\([^()]{0,80}\))?[\s)}]{0,2}?(?="
    + _OPERATION.pattern
    + "))"
)
_SHARE = re.compile(r"\s?of\s[($]?\d")
_VARIABLE = re.compile(r"\s?\*?\s?[xyzn]\b|[abqruvw]\b")
_SENTENCE_END = re.compile(r"[.?](?=\s|\Z)|(?<!\d)!(?=\s|\Z)|[\n;\u3002]")


def _leads(before: str) -> bool:
    """Return whether what stands before a number leaves the number at the beginning."""
    return len(before) < 100 and _LEAD.fullmatch(before) is not None


def _names_several(part: str) -> bool:
    """Return whether a part begins with several numbers, such as 5 to 10, and not one in two forms, such as 1/4 or 25%."""
    found = numbers(part)[:2]
    leads = len(found) == 2 and _leads(part[: found[0].start])
    return leads and found[0].scaled != found[1].scaled and _SEVERAL.match(part, found[0].end) is not None


def _is_operand(number: TextNumber, part: str) -> bool:
    """Return whether the number that begins a part belongs to a calculation or an equation, and is not the answer."""
    end = _SENTENCE_END.search(part, number.end)
    left, equals, right = (*_EQUALS.split(part[number.end : end.start() if end else len(part)], maxsplit=1), "", "")[:3]
    if _VARIABLE.match(left) or _OPERAND.match(part[number.end - 1 : number.end] + left):
        return True
    alone = equals and not left.strip()  # 100/3 = 33.3
    return bool(alone or (right and _SHARE.match(left)) or _is_price(number, left, right))


_EQUALS = re.compile("([=\u2248])")
_COINS = re.compile(r"\s?(?:cent|penn|pence|dollar|euro|pound|rupee|yen|yuan)", re.IGNORECASE)


def _is_price(number: TextNumber, unit: str, right: str) -> bool:
    """Return whether a quantity has its price behind '=', as in '5 apples = $10'; '500 cents = $5' is converted."""
    return not number.money and not _COINS.match(unit) and _MONEY.match(right) is not None


def _result(text: str) -> TextNumber | None:
    """Return the text behind the last '=', or before it where that is already a quantity, which is converted."""
    links = _EQUALS.split(text)
    if len(links) == 1:
        value = arithmetic(text)
        return None if value is None else TextNumber(0, len(text), value)
    chosen = next(iter(numbers(links[-1])), None)
    for before, equals, after in zip(links[-3::-2], links[-2::-2], links[:0:-2], strict=True):
        quantity = _quantity(before)
        if not chosen or not quantity:
            break
        unit = before[quantity.end :].strip()
        if (equals == "\u2248" and not unit) or _is_price(quantity, unit, after):
            break
        chosen = quantity
    return chosen


_SUBJECT = re.compile(r".{0,200}(?:\b(?:is|are|was|were|be|of|to)\b|[:,])\s?", re.DOTALL)


def _quantity(link: str) -> TextNumber | None:
    """Return the number of a link of an equation that is one number with its unit, and no calculation."""
    found = numbers(link)
    if not found or _VARIABLE.match(link, found[-1].end):
        return None
    last = found[-1]
    before = link[: last.start]
    leads = _leads(before) or (_SUBJECT.fullmatch(before) and not _OPERATION.search(link))
    return last if leads and re.fullmatch(rf"{_UNIT}[\s)$\]}}]*", link[last.end :]) else None


_CONCLUSION = re.compile(
    r"\b(?:so|thus|therefore|hence|making|giving|leaving|which (?:is|means|gives|makes|leaves)|an? total of|in total,?)\s",
    re.IGNORECASE,
)
_COPULA = re.compile(
    rf"(?<!\bthat\s)(?<!\bwhich\s)(?<!\bwho\s)\b(?:is|are|was|were|be|equals?|totals?|costs?)\s(?:(?:{_FILLERS})\s)*(?=[^\w\s]{{0,3}}\d)",
    re.IGNORECASE,
)


def _concluded(part: str, found: list[TextNumber]) -> TextNumber | None:
    """Return the number that a sentence with several comes to, where a word such as 'so' or 'is' tells it."""
    end = _SENTENCE_END.search(part, found[0].end)
    for pattern, text in ((_CONCLUSION, part), (_COPULA, part[: end.start() if end else len(part)])):
        ends = [match.end() for match in pattern.finditer(text)]
        behind = [number for number in found if ends and number.end > ends[-1]]
        if behind:
            return behind[0]
    return None


_SHORT = 100  # characters of a response that can only be an answer
_CHECK = re.compile(r"\W*(?:check|verif|double-check|proof|to (?:check|verify))", re.IGNORECASE)
_ASIDE = re.compile(r"(?<=[\w%.$])\s\([^()]{0,200}\)(?!\s?[-+*/=\u00d7\u00f7^(\d])")
_RANGE = re.compile(r"(?:\d\s?-|\bbetween\b.{1,40}\band|\d\sor)\s?[$\u20ac\u00a3]?\Z")


def _last(text: str) -> TextNumber | None:
    """Return the last number of a response that announces none, leaving out what checks it or stands in brackets."""
    if len(text) < _SHORT and not re.search(r"[=\n]", text.strip()) and _names_several(text):
        return UNREAD
    if len(_ITEM.findall(text)) != 1:
        text = _ITEM.sub("", text)
    checks = []
    for sentence in _sentences(text):
        if _CHECK.match(sentence):
            checks.append(sentence)
        elif found := numbers(sentence):
            return _chosen(sentence, found)
    words = [word for word in word_numbers(text) if not word.lone or _leads(text[: word.start])]
    if words:
        return words[-1]
    return next((found[-1] for found in map(numbers, checks) if found), None)


def _sentences(text: str) -> Iterator[str]:
    """Yield the sentences, the last one first."""
    for line in reversed(text.split("\n")):
        yield from reversed(re.split(r"(?<=[.!?])\s+|\u3002", line))


def _chosen(sentence: str, found: list[TextNumber]) -> TextNumber:
    """Return the last number of a sentence, but not one to which it is converted."""
    short = _ASIDE.sub("", sentence)
    sentence, found = (short, numbers(short)) if numbers(short) else (sentence, found)
    if numbers(_EQUALS.split(sentence)[-1]) and _EQUALS.search(sentence):
        return _result(sentence) or found[-1]
    if _RANGE.search(sentence[: found[-1].start]) and len({number.scaled for number in found[-2:]}) == 2:
        return UNREAD
    value = arithmetic(sentence)
    return found[-1] if value is None else TextNumber(0, len(sentence), value)
