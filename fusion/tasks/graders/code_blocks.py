"""Where in a response its Python stands: blocks in fences, tags, quoted lines, lines at an interpreter's prompt, or bare lines."""

from __future__ import annotations

import ast
import html
import re
from collections.abc import Callable, Iterator

LONGEST = 100_000
"""Characters of a program that is read as Python; a longer one is taken as it is."""

MOST_CUTS = 200
"""Places at which a program is tried to end."""

_FENCE = re.compile(r"^[ \t]*(`{3,}|~{3,})[ \t]*(.*)$")
_ONE_LINE = re.compile(r"^[ \t]*```[ \t]*(?:python3?|py)?[ \t]*([^`\n]+?)[ \t]*```[ \t]*$")
_LANGUAGE = re.compile(r"[{.\s]*([a-zA-Z][\w+#-]*)?")
_CODE = re.compile(r"(?:async[ \t]+def|def|class)[ \t]+\w+.*:|(?:import|from)[ \t]+\w+")
_PYTHON = re.compile(r"(?:i?python(?:-?repl)?|py(?:con)?)?[\d.]*", re.IGNORECASE)
_TAGS = re.compile(
    r"\[BEGIN\](.*?)(?:\[DONE\]|\Z)|\[PYTHON\](.*?)(?:\[/PYTHON\]|\Z)|<(?:code|python|answer)>(.*?)(?:</(?:code|python|answer)>|\Z)",
    re.DOTALL | re.IGNORECASE,
)
_QUOTED = re.compile(r"^ {0,3}> ?(?:```|~~~|async def |def |class |import |from )", re.MULTILINE)
_QUOTE = re.compile(r"^ {0,3}>(?!>>) ?", re.MULTILINE)
_PROMPT = re.compile(r"^[ \t]*(?:>>>|\.\.\.)(?: |$)")
_STARTS = re.compile(r"(?:def|class|import|from|async|@)\b|@\w")
_CONTINUES = re.compile(
    r"\s|#|@|[\])}\"']|(?:def|class|import|from|async|if|elif|else|for|while|try|except|finally|with|return|assert|print|raise|pass)"
    r"\b|[A-Za-z_][\w.]*\s*(?:[=(\[.:,]|[-+*/|&]=)"
)
_ODD_SPACE = dict.fromkeys(map(ord, "\u00a0\u2000\u2001\u2002\u2003\u2004\u2005\u2007\u2009\u202f\u3000"), " ")
_ODD_SPACE.update(dict.fromkeys(map(ord, "\u200b\u2060\ufeff"), ""))
_QUOTES = str.maketrans("\u2018\u2019\u201c\u201d", "''\"\"")
_MENDS: tuple[Callable[[str], str], ...] = (
    lambda code: code.translate(_ODD_SPACE),
    lambda code: re.sub(r"\\([_*])", r"\1", code),  # Markdown's
    html.unescape,
    lambda code: code.translate(_QUOTES),
    lambda code: code.expandtabs(4),
)
"""Replacements that undo a chat's formatting where the code is no Python as it stands."""


def tree(code: str) -> ast.Module | None:
    """Return the syntax tree of a program, or None where it is no Python."""
    if len(code) > LONGEST:
        return None
    try:
        return ast.parse(code)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None


def mend(code: str, whole: Callable[[str], str] = str) -> str:
    """Return code with a chat's formatting undone until it is Python, or the code where nothing helps.

    Args:
        code: To be mended.
        whole: Makes the program of it that must be Python.
    """
    mended = code
    for step in (None, *_MENDS):
        mended = step(mended) if step else code
        if tree(whole(mended)) is not None:
            return mended
    return code


def unquoted(response: str) -> str:
    """Return the response without ``>`` before each line, and with line ends of one kind."""
    response = response.replace("\r\n", "\n").replace("\r", "\n")
    return _QUOTE.sub("", response) if _QUOTED.search(response) else response


def fenced(response: str) -> list[tuple[str, str]]:
    """Return language and content of the blocks in fences. One without an end goes to the end of the response."""
    blocks: list[tuple[str, str]] = []
    lines = response.split("\n")
    place = 0
    while place < len(lines):
        one_line = _ONE_LINE.match(lines[place])
        opened = None if one_line else _FENCE.match(lines[place])
        if one_line:
            blocks.append(("", one_line[1]))
        place += 1
        while opened:
            info = opened[2]
            end = _end(lines, place, opened[1])
            body = ([info[found.start() :]] if (found := _CODE.search(info)) else []) + lines[place:end]
            if end < len(lines) and not _FENCE.match(
                lines[end]
            ):  # the fence stands at the end of the last line of code
                body.append(lines[end].rstrip().rstrip("`~"))
            blocks.append(((_LANGUAGE.match(info) or [""])[1] or "" if not found else "", "\n".join([*body, ""])))
            closed = _FENCE.match(lines[end]) if end < len(lines) else None
            place = end + 1
            opened = closed if closed and _PYTHON.fullmatch(closed[2].strip()) and closed[2].strip() else None
    return blocks


def _end(lines: list[str], start: int, fence: str) -> int:
    """Return the line that ends a block. A fence within a text of three quotes ends none, where a later one does."""
    first, inside = len(lines), ""
    for place in range(start, len(lines)):
        match = _FENCE.match(lines[place])
        closes = match is not None and match[1][0] == fence[0] and len(match[1]) >= len(fence)
        last = not match and lines[place].rstrip().endswith(fence) and not inside
        if closes or last:
            if not inside:
                return place
            first = min(first, place)
            continue
        for quotes in re.findall(r'"""|\'\'\'', lines[place]):
            inside = "" if inside == quotes else inside or quotes
    return first


def is_python(language: str) -> bool:
    """Return whether a fence's tag is that of Python, or absent."""
    return _PYTHON.fullmatch(language) is not None


def tagged(response: str) -> str | None:
    """Return the text between tags, such as ``[BEGIN]`` and ``[DONE]``."""
    match = _TAGS.search(response)
    return next(part for part in match.groups() if part is not None) if match else None


def trimmed(code: str) -> str:
    """Return code without blank lines at its ends."""
    return re.sub(r"\A(?:[ \t]*\n)+", "", code).rstrip()


def typed(code: str) -> str:
    """Return the lines typed at an interpreter's prompt, where the code shows a session; else the code."""
    lines = code.split("\n")
    first = next((line for line in lines if line.strip()), "")
    if not first.lstrip().startswith(">>>"):
        return code
    return "\n".join(_PROMPT.sub("", line, count=1) for line in lines if _PROMPT.match(line)) + "\n"


def bare(response: str) -> Iterator[str]:
    """Yield programs without a fence: from a line that may begin one, up to the first line of prose after it."""
    lines = response.split("\n")
    starts = [i for i, line in enumerate(lines) if _STARTS.match(line)] or [0]
    before = starts[0]
    while before and (not lines[before - 1].strip() or _CONTINUES.match(lines[before - 1])):
        before -= 1  # constants above the first function
    for first in dict.fromkeys((before, *starts[:MOST_CUTS])):
        last = first
        while last < len(lines) and (not lines[last] or last == first or _CONTINUES.match(lines[last])):
            last += 1
        yield "\n".join(lines[first:last])
        if first == 0 and last == len(lines):
            return


def prefixes(code: str) -> Iterator[str]:
    """Yield the code, then what is left of it where it ends before one of its lines at column 0, the longest first."""
    lines = code.split("\n")
    yield code
    ends = [i for i, line in enumerate(lines) if i and line and not line[0].isspace()]
    for end in ends[: -MOST_CUTS - 1 : -1]:
        yield "\n".join(lines[:end]) + "\n"


def from_code(response: str) -> str:
    """Return the response without the lines of prose that it begins with, and up to the first line of prose after code."""
    lines = response.split("\n")
    first = next((i for i, line in enumerate(lines[:MOST_CUTS]) if line[:1].isspace() or _is_code(line)), 0)
    last = first
    while last < len(lines) and (not lines[last] or last == first or _CONTINUES.match(lines[last])):
        last += 1
    return "\n".join(lines[first:last])


def _is_code(line: str) -> bool:
    return bool(line.strip()) and (tree(line) is not None or tree(f"{line}\n    pass") is not None)
