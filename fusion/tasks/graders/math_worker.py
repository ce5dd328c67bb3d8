"""The worker process of `fusion.tasks.graders.symbolic`: a line with two answers in, ``1`` or ``0`` out.

It runs as a script, and ends when its input does. Expressions are read by Math-Verify. Whether they are equal is decided here:
exactly where both are exact, where Math-Verify calls equal what differs by less than 1e-15.
"""

from __future__ import annotations

import contextlib
import json
import logging
import re
import resource
import sys
from fractions import Fraction
from typing import Any

from fusion.tasks.graders.math_compare import same_answer
from fusion.tasks.graders.math_numbers import close, read_number
from fusion.tasks.graders.math_structure import RELATION, Items, Named, Node

MEMORY = 2 << 30
PRECISION = 60  # digits of a first look; equal numbers then go on to an exact proof
SURE = 400  # digits to which numbers are compared where SymPy proves nothing
POINTS = (Fraction(7, 5), Fraction(-13, 11), Fraction(29, 7), Fraction(-3, 17), Fraction(17, 3), Fraction(1, 3))
"""Values of variables at which expressions are compared."""


def main() -> None:
    """Answer until there is no further line."""
    with contextlib.suppress(ValueError, OSError):  # macOS; there the time limit of the process that asks is left
        resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    import math_verify  # noqa: F401 - may be absent; the process that asks is told by the end of this one

    logging.disable(logging.CRITICAL)
    print("ready", flush=True)
    for line in sys.stdin:
        print(int(equal(*json.loads(line))), flush=True)


def equal(gold: str, answer: str) -> bool:
    """Compare two answers; what cannot be read is unequal."""
    try:
        return bool(same_answer(gold, answer, same))
    except Exception:  # the library and SymPy raise all kinds for odd input
        return False


def same(gold: Node, answer: Node) -> bool | None:
    """Compare two sides that are no plain numbers."""
    try:
        if isinstance(gold, Named) or isinstance(answer, Named):
            return _same_equations(gold, answer)
        if isinstance(gold, str) and isinstance(answer, str) and not (RELATION.search(gold) or RELATION.search(answer)):
            return same_expressions(gold, answer)
        return _same_regions(gold, answer)
    except Exception:  # as above; other readings of the same answer may still be equal
        return False


def parse(text: str) -> Any:
    """Return a SymPy expression with exact numbers.

    Raises:
        ValueError: If the text is none.
    """
    import sympy
    from math_verify import LatexExtractionConfig
    from math_verify import parse as parse_latex

    if re.search(r"\\(?:sin|cos|tan|cot|sec|csc)(?![a-zA-Z])", text):
        text = re.sub(r"(\d+(?:\.\d+)?|[a-zA-Z])\s?\^\\circ", r"(\1 \\cdot \\frac{\\pi}{180})", text)
    text = text.replace("^\\circ", "")
    found = parse_latex(
        f"\\boxed{{{text}}}", [LatexExtractionConfig()], fallback_mode="no_fallback", parsing_timeout=None
    )
    if not found or isinstance(found[0], str):
        raise ValueError(f"must be an expression, but is {text!r}")
    expression = found[0].doit()
    exact = {one: sympy.Rational(str(one)) for one in expression.atoms(sympy.Float)}
    imaginary = {one: sympy.I for one in expression.free_symbols if str(one) == "i"}
    return expression.xreplace({**exact, **imaginary}) if exact or imaginary else expression


def same_expressions(gold: str, answer: str) -> bool:
    """Compare two expressions, a decimal with what it rounds."""
    one, other = parse(gold), parse(answer)
    if one == other:
        return True
    for text, exact in ((gold, other), (answer, one)):
        number = read_number(text)
        if number and number.step is not None and exact.is_number and exact.is_real:
            digits = str(exact.evalf(40))
            return "e" not in digits.lower() and close(number, Fraction(digits))
    return equal_values(one, other)


def equal_values(one: Any, other: Any) -> bool:
    """Return whether two SymPy expressions are equal: of numbers exactly, of others at points."""
    import sympy

    if isinstance(one, sympy.MatrixBase) or isinstance(other, sympy.MatrixBase):
        return one.shape == other.shape and all(map(equal_values, one, other))
    if not (isinstance(one, sympy.Expr) and isinstance(other, sympy.Expr)):
        return bool(one == other)
    if any(side.has(sympy.zoo, sympy.nan) for side in (one, other)):
        return False
    if one.is_infinite or other.is_infinite:
        return bool(one == other)
    if one.free_symbols or other.free_symbols or one.atoms(sympy.core.function.AppliedUndef):
        return _equal_functions(one, other)
    return _equal_numbers(one, other)


def _equal_numbers(one: Any, other: Any) -> bool:
    import sympy

    difference = one - other
    if one.is_Rational and other.is_Rational:
        return bool(difference == 0)
    if not _near(one, other, PRECISION):
        return False
    proof = difference.is_zero if difference.is_zero is not None else sympy.simplify(difference).is_zero
    return bool(proof) if proof is not None else _near(one, other, SURE)


def _near(one: Any, other: Any, digits: int) -> bool:
    """Return whether two numbers agree to nearly that many digits."""
    values = one.evalf(digits), other.evalf(digits)
    return bool(abs(values[0] - values[1]) <= max(map(abs, values)) * 10 ** (5 - digits))


def _equal_functions(one: Any, other: Any) -> bool:
    """Compare expressions with variables: as they stand, then at points, where different ones differ."""
    import sympy

    if sympy.expand(one - other) == 0:
        return True
    if one.atoms(sympy.core.function.AppliedUndef) or other.atoms(sympy.core.function.AppliedUndef):
        return bool(sympy.simplify(one - other) == 0)
    symbols = sorted(one.free_symbols | other.free_symbols, key=str)
    imaginary = one.has(sympy.I) or other.has(sympy.I)
    compared = 0
    for points in (POINTS, tuple(map(abs, POINTS))):
        for shift in range(len(points)):
            at = {
                symbol: sympy.Rational(points[(shift + n) % len(points)]) + n // len(points)
                for n, symbol in enumerate(symbols)
            }
            if not imaginary and any(
                part.subs(at).is_negative for side in (one, other) for part in _not_negative(side)
            ):
                continue  # beyond the domain of one of them
            values = [side.subs(at).evalf(PRECISION) for side in (one, other)]
            if not all(value.is_finite and value.is_number and (value.is_real or imaginary) for value in values):
                continue
            if not _near(values[0], values[1], PRECISION - 5):
                return False
            compared += 1
    return compared >= 2


def _not_negative(expression: Any) -> list[Any]:
    """Return the arguments of roots and logarithms in an expression."""
    import sympy

    roots = [part.base for part in expression.atoms(sympy.Pow) if part.exp.is_Rational and not part.exp.is_Integer]
    return roots + [part.args[0] for part in expression.atoms(sympy.log)]


def _same_equations(gold: Node, answer: Node) -> bool:
    """Compare equations: equal where what stands against 0 in both is the same but for a factor."""
    import sympy

    sides = []
    for side in (gold, answer):
        if not isinstance(side, Named) or not isinstance(side.value, str):
            return False
        sides.append(parse(side.name) - parse(side.value))
    if sides[0].free_symbols != sides[1].free_symbols:
        return False
    for one, other in (sides, [sympy.numer(sympy.together(side)) for side in sides]):
        ratio = sympy.simplify(one / other)
        if ratio.is_number and ratio != 0 and ratio.is_finite:
            return True
    return False


def _same_regions(gold: Node, answer: Node) -> bool:
    """Compare sets of real numbers; inequalities that are not solved by what stands against 0."""
    import sympy

    one, other = _relations(gold), _relations(answer)
    names = [set().union(*(relation.free_symbols for relation in side)) for side in (one, other)]
    if names[0] and names[1] and {str(name) for name in names[0]} != {str(name) for name in names[1]}:
        return False
    if not all(map(_solved, one + other)):
        return len(one) == len(other) and all(map(_same_relation, one, other))
    sets = [_region(side) for side in (gold, answer)]
    return bool(sets[0] == sets[1] or sympy.SymmetricDifference(*sets).doit() == sympy.S.EmptySet)


def _solved(relation: Any) -> bool:
    """Return whether an inequality says what its variable is, as ``0 < x < 1`` does and ``x^2 < x`` does not."""
    import sympy

    if not isinstance(relation, sympy.core.relational.Relational):
        return all(map(_solved, relation.args))
    bare = [
        side
        for side in relation.args
        if isinstance(side, sympy.Symbol) or (isinstance(side, sympy.Abs) and side.args[0].is_Symbol)
    ]
    return len(relation.free_symbols) == 1 and len(bare) == 1


def _relations(side: Node) -> list[Any]:
    if isinstance(side, str):
        return [parse(side)] if RELATION.search(side) else []
    return [one for part in side.parts for one in _relations(part)] if isinstance(side, Items) else []


def _same_relation(one: Any, other: Any) -> bool:
    """Compare inequalities in several variables: the same direction, and equal but for a positive factor."""
    import sympy

    if not (isinstance(one, sympy.core.relational.Relational) and isinstance(other, sympy.core.relational.Relational)):
        return bool(one == other)
    if one.rel_op != other.rel_op:
        other = other.reversed
    ratio = sympy.simplify((one.lhs - one.rhs) / (other.lhs - other.rhs))
    return one.rel_op == other.rel_op and bool(
        ratio.is_positive or (one.rel_op == "!=" and ratio.is_number and ratio != 0)
    )


def _region(side: Node) -> Any:
    """Return a set of real numbers."""
    import sympy

    if isinstance(side, str):
        found = parse(side)
        if isinstance(found, sympy.Set):
            return found
        return _solutions(found) if RELATION.search(side) else sympy.FiniteSet(sympy.simplify(found))
    if not isinstance(side, Items):
        raise ValueError("must be a set")
    if side.kind in ("()", "[]", "(]", "[)"):
        low, high = (sympy.nsimplify(sympy.simplify(parse(str(part)))) for part in side.parts)
        return sympy.Interval(low, high, side.kind[0] == "(", side.kind[1] == ")")
    parts = [_region(part) for part in side.parts]
    if side.kind == "without":
        return sympy.Complement(parts[0], sympy.Union(*parts[1:]))
    return (
        sympy.Intersection(*parts) if side.kind == "list" and all(map(_relations, side.parts)) else sympy.Union(*parts)
    )


def _solutions(relation: Any) -> Any:
    """Return the real numbers that fulfil an inequality in one variable."""
    import sympy

    symbols = relation.free_symbols
    real = sympy.Symbol("x", real=True)
    return relation.subs(dict.fromkeys(symbols, real)).as_set() if len(symbols) == 1 else sympy.S.EmptySet


if __name__ == "__main__":
    main()
