"""Programs as syntax trees: what they need and define, and what of them is run for its own sake."""

from __future__ import annotations

import ast

from fusion.tasks.graders.code_blocks import tree


def with_helpers(code: str, others: list[str]) -> str:
    """Return code with what it needs and does not define: functions, classes, imports and constants of other blocks."""
    needed, defined = _needs(code)
    added: list[str] = []
    parts = [(source, part) for source in others[::-1] if (part := tree(source))]
    for source, part in parts:
        for statement in part.body[::-1]:
            new = defined_by(statement)
            if new & needed - defined:
                text = _text(source, statement)
                more, _ = _needs(text)
                needed, defined = needed | more, defined | new
                added.insert(0, text)
    return "\n".join([*added, code])


def _needs(code: str) -> tuple[set[str], set[str]]:
    """Return the names that a program uses, and those that it defines somewhere."""
    used: set[str] = set()
    defined: set[str] = set()
    for node in ast.walk(tree(code) or ast.Module([], [])):
        if isinstance(node, ast.Name):
            (used if isinstance(node.ctx, ast.Load) else defined).add(node.id)
        elif isinstance(node, ast.arg):
            defined.add(node.arg)
        elif isinstance(node, ast.stmt):
            defined |= defined_by(node)
    return used, defined


def defined_by(statement: ast.stmt) -> set[str]:
    """Return the names that a statement gives a meaning to."""
    if isinstance(statement, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
        return {statement.name}
    if isinstance(statement, (ast.Import, ast.ImportFrom)):
        return {(name.asname or name.name).partition(".")[0] for name in statement.names}
    targets = statement.targets if isinstance(statement, ast.Assign) else []
    if isinstance(statement, (ast.AnnAssign, ast.AugAssign)):
        targets = [statement.target]
    made = [node for target in targets for node in ast.walk(target) if isinstance(node, ast.Name)]
    return {node.id for node in made if isinstance(node.ctx, ast.Store)}


def _text(source: str, statement: ast.stmt) -> str:
    """Return the lines of a statement, its decorators included."""
    return "\n".join(source.split("\n")[_first(statement) - 1 : statement.end_lineno])


def _first(statement: ast.stmt) -> int:
    decorators: list[ast.expr] = getattr(statement, "decorator_list", [])
    return min([statement.lineno, *(one.lineno for one in decorators)])


def without_runs(code: str, names: list[str]) -> str:
    """Return a program without its own uses of the tested names outside of functions: tests, examples, ``if __name__``.

    They may be wrong, or wait for input, where the function is right.
    """
    module = tree(code)
    if module is None:
        return code
    lines = code.split("\n")
    dropped: list[ast.stmt] = []
    gone = set(names)
    for statement in module.body:
        if not _runs(statement, names, gone):
            continue
        dropped.append(statement)
        gone |= defined_by(statement)
        lines[_first(statement) - 1 : statement.end_lineno] = [""] * (
            (statement.end_lineno or 0) - _first(statement) + 1
        )
    left = "\n".join(lines)
    return left if dropped and tree(left) else code


def _runs(statement: ast.stmt, names: list[str], gone: set[str]) -> bool:
    """Return whether a statement is run for its own sake: it uses a tested name, or what such a statement has made."""
    if isinstance(statement, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef, ast.Import, ast.ImportFrom)):
        return False
    if isinstance(statement, ast.Assert):
        return True
    used = {node.id for node in ast.walk(statement) if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load)}
    if isinstance(statement, ast.If) and "__name__" in used:
        return True
    if defined_by(statement) & set(names) or any(isinstance(node, ast.FunctionDef) for node in ast.walk(statement)):
        return False
    return bool(used & (gone | {"input"}))


def is_stub(code: str, names: list[str]) -> bool:
    """Return whether a program has the tested functions without a body: a docstring, ``pass`` or ``...``."""
    module = tree(code)
    bodies = [
        statement.body
        for statement in (module.body if module else [])
        if isinstance(statement, (ast.FunctionDef, ast.AsyncFunctionDef)) and statement.name in names
    ]
    return bool(bodies) and all(
        isinstance(part, ast.Pass) or (isinstance(part, ast.Expr) and isinstance(part.value, ast.Constant))
        for body in bodies
        for part in body
    )
