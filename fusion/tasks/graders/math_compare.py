"""Whether two mathematical answers are equal: their parts one by one, as numbers where they are plain, else by SymPy."""

from __future__ import annotations

import re
from collections.abc import Callable

from fusion.tasks.graders.math_numbers import MOST_WORDS, read_based, read_number, same_number, split_unit, units_differ
from fusion.tasks.graders.math_structure import RELATION, Items, Named, Node, read
from fusion.tasks.graders.math_text import squeeze

Same = Callable[[Node, Node], bool | None]
_NAME = re.compile(
    r"(?:[a-zA-Z]|\\(?!frac|sqrt)[a-zA-Z]+|\\text\{[^{}]*\}|[a-zA-Z]{2,})(?:_\{?\w+\}?|')?(?:\s?\([^()]*\))?|\([a-z, ]+\)|\\\w+ ?[A-Z]+"
)
_WORD = re.compile(r"(?<![A-Za-z\\])[A-Za-z]{3,}")
LONGEST_PRODUCT = 5
"""Letters from which a word is one, even where it is not marked as text, and no product such as ``xyz``."""

_UNORDERED = ("list", "or", "{}", "union")
_NOT_A_VALUE = re.compile(r"[a-zA-Z]|\\")


def same_answer(gold: str, answer: str, same: Same) -> bool | None:
    """Return whether two answers are equal, or None where that takes SymPy.

    Args:
        gold: As LaTeX or as people write it.
        answer: The same.
        same: Compares two expressions that are no plain numbers, and two regions of numbers; None where it does not know.
    """
    golds, answers = read(gold), read(answer)
    if not any(isinstance(side, Items) for side in (golds[0], answers[0])):
        return same_node(golds[0], answers[0], same)  # with no list on either side commas are those of thousands
    pairs = dict.fromkeys((one, other) for one in golds for other in answers)
    return _any(same_node(one, other, same) for one, other in pairs)


def same_node(gold: Node, answer: Node, same: Same) -> bool | None:
    """Return whether two answers that have been taken apart are equal."""
    if gold == answer:
        return True
    if (isinstance(gold, Items) and gold.kind == "either") or (isinstance(answer, Items) and answer.kind == "either"):
        return _any(same_node(one, other, same) for one in _either(gold) for other in _either(answer))
    if isinstance(gold, Named) or isinstance(answer, Named):
        return _same_named(gold, answer, same)
    if isinstance(gold, str) and isinstance(answer, str):
        return same_expression(gold, answer, same)
    if isinstance(gold, Items) and isinstance(answer, Items) and _comparable(gold.kind, answer.kind):
        found = _same_items(gold, answer, same)
        if found is not False or gold.kind in ("row", "matrix", ":"):
            return found
    if _region(gold) or _region(answer):
        return same(gold, answer)
    if isinstance(gold, Items) and isinstance(answer, Items):
        return _same_vectors(gold, answer, same)
    set_, other = (gold, answer) if isinstance(gold, Items) else (answer, gold)
    if isinstance(set_, Items) and set_.kind == "{}" and len(set_.parts) == 1:  # {5} and 5
        return same_node(set_.parts[0], other, same)
    return False


def _any(found: object) -> bool | None:
    """Return True where one is true, None where none is and one is not known."""
    known = False
    for one in found:  # type: ignore[attr-defined]
        if one:
            return True
        known = known or one is None
    return None if known else False


def _all(found: object) -> bool | None:
    unknown = False
    for one in found:  # type: ignore[attr-defined]
        if one is False:
            return False
        unknown = unknown or one is None
    return None if unknown else True


def _either(side: Node) -> tuple[Node, ...]:
    return side.parts if isinstance(side, Items) and side.kind == "either" else (side,)


def _same_named(gold: Node, answer: Node, same: Same) -> bool | None:
    """Compare where a side is an equation. ``x = 5`` equals ``5``, and not ``y = 5``."""
    if isinstance(gold, Named) and isinstance(answer, Named):
        if squeeze(gold.name) == squeeze(answer.name) and same_node(gold.value, answer.value, same):
            return True
        if isinstance(gold.value, Items) or isinstance(answer.value, Items):
            return same_node(gold.value, answer.value, same) if squeeze(gold.name) == squeeze(answer.name) else False
        return same(gold, answer)
    if isinstance(answer, Named):
        return same_node(gold, answer.value, same)
    assert isinstance(gold, Named)
    if not _NAME.fullmatch(gold.name) and _NOT_A_VALUE.search(gold.name):
        return False  # 3x + 2y = 7 is more than 7
    return same_node(gold.value, answer, same)


def _comparable(gold: str, answer: str) -> bool:
    """Return whether kinds go together: lists and sets do; tuples are also taken from lists, which lack their brackets."""
    loose = ("list", "or")
    return (
        gold == answer
        or {gold, answer} <= {*loose, "{}"}
        or {gold, answer} <= {*loose, "()"}
        or {gold, answer} == {"()", "<>"}
    )


def _same_items(gold: Items, answer: Items, same: Same) -> bool | None:
    if len(gold.parts) != len(answer.parts):
        return False
    if not (gold.kind in _UNORDERED and answer.kind in _UNORDERED):
        return _all(
            same_node(_value(one), _value(other), same) for one, other in zip(gold.parts, answer.parts, strict=True)
        )
    left, unknown = list(answer.parts), False
    for one in gold.parts:
        found = [same_node(one, other, same) for other in left]
        if True in found:
            left.pop(found.index(True))
        elif None in found:
            unknown = True
        else:
            return False
    return None if unknown else True


def _value(side: Node) -> Node:
    """Return a part of a tuple without its name."""
    return side.value if isinstance(side, Named) else side


def _same_vectors(gold: Items, answer: Items, same: Same) -> bool | None:
    """Compare a matrix of one row or column with a tuple."""
    matrix, other = (gold, answer) if gold.kind == "matrix" else (answer, gold)
    if matrix.kind != "matrix" or other.kind not in ("()", "<>", "[]"):
        return False
    rows = [row.parts for row in matrix.parts if isinstance(row, Items)]
    cells = rows[0] if len(rows) == 1 else tuple(row[0] for row in rows if len(row) == 1)
    if (len(rows) > 1 and len(cells) != len(rows)) or len(cells) != len(other.parts):
        return False
    return _all(same_node(one, two, same) for one, two in zip(cells, other.parts, strict=True))


def _region(side: Node) -> bool:
    r"""Return whether this is a set of real numbers, and nothing else: an interval, a union, an inequality, ``\mathbb{R}``."""
    if isinstance(side, str):
        return bool(RELATION.search(side)) or squeeze(side) in (r"\mathbb{R}", r"\emptyset", r"\R")
    if not isinstance(side, Items):
        return False
    if side.kind in ("list", "or"):
        return all(map(_region, side.parts))
    endless = any(isinstance(part, str) and "\\infty" in part for part in side.parts)
    return side.kind in ("union", "without", "[)", "(]") or (
        side.kind in ("()", "[]") and endless and len(side.parts) == 2
    )


def same_expression(gold: str, answer: str, same: Same) -> bool | None:
    """Return whether two single expressions are equal, or None where that takes SymPy and ``same`` does not know."""
    words = _words(gold), _words(answer)
    if squeeze(gold) == squeeze(answer) or words[0] == words[1] != "":
        return True
    if all(words) and (any(len(word) >= LONGEST_PRODUCT for word in words) or r"\text" in gold + answer):
        return False
    based = read_based(gold), read_based(answer)
    if any(based):
        return _same_based(gold, answer)
    (gold, gold_unit), (answer, answer_unit) = split_unit(gold), split_unit(answer)
    if units_differ(gold_unit, answer_unit):
        return False
    numbers = read_number(gold), read_number(answer)
    if numbers[0] and numbers[1]:
        return same_number(numbers[0], numbers[1])
    if squeeze(gold) == squeeze(answer):
        return True
    if any(len(_WORD.findall(side)) > MOST_WORDS for side in (gold, answer)):
        return False  # a sentence, which SymPy would read as a long product
    return same(gold, answer)


def _same_based(gold: str, answer: str) -> bool:
    """Compare numbers such as ``101_2``. A base may be left out, as the question has said it."""
    one, other = read_based(gold), read_based(answer)
    if one and other:
        if one[1] == other[1]:
            return one[0].upper() == other[0].upper()
        return _in_ten(*one) == _in_ten(*other) is not None
    based, plain = (one, answer) if one else (other, gold)
    number = read_number(split_unit(plain)[0])
    return bool(based and number and based[0] == str(number.value))


def _in_ten(digits: str, base: int) -> int | None:
    try:
        return int(digits, base)
    except ValueError:
        return None


def _words(text: str) -> str:
    r"""Return the words of a text that is words only, in lower case: ``even``, ``\text{(B)}``, ``No solution``; else nothing."""
    text = re.sub(r"\\text\{([^{}]*)\}", r"\1", text)
    letter = re.fullmatch(r"\s*\(?([A-J])\)?\s*", text)
    if letter:
        return letter[1]
    words = re.sub(r"[-_.,!'\"\s]+", " ", text).strip()
    return words.lower() if len(words) > 1 and words.replace(" ", "").isalpha() else ""
