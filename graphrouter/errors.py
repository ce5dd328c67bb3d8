"""The error that a user can mend, and how it shows what came."""

import re

LONGEST = 200
"""Characters of a text that an error shows: an id or a name of a column may be as long as a file."""

SHOWN = 80
"""Characters of a value in an error."""

_UNPRINTABLE = re.compile("[\x00-\x1f\x7f-\x9f\ud800-\udfff]")
"""Control characters, which a terminal obeys, and half surrogates, which cannot be written."""


class UserError(ValueError):
    """A user's mistake: what must hold, and what came.

    The command line prints it as one line and exits with status 2.
    """


def first_line(error: BaseException) -> str:
    """Return the first line of an error's text, or its kind where it has none."""
    return next((line.strip() for line in str(error).splitlines() if line.strip()), type(error).__name__)


def cut(text: str, longest: int = LONGEST) -> str:
    """Return a text, and of a very long one the beginning."""
    return text if len(text) <= longest else f"{text[:longest]}..."


def printable(text: str) -> str:
    """Return a text with control characters and half surrogates as escapes, so that it can be printed as one line."""
    return _UNPRINTABLE.sub(lambda found: found[0].encode("unicode_escape").decode(), text)


def shown(value: object) -> str:
    """Return a value as an error shows it: on one line, and of a long one the beginning."""
    try:
        return cut(printable(repr(value)), SHOWN)
    except ValueError:  # Python writes no number of thousands of digits
        return "a number of thousands of digits"


def suggest(word: str, known: "list[str] | tuple[str, ...]", listed: bool = False) -> str:
    """Return ``'; did you mean X?'`` where a known word is close, else the known words, unless they are ``listed`` before."""
    import difflib

    close = difflib.get_close_matches(word[:LONGEST], known, n=1)
    if close:
        return f"; did you mean {close[0]!r}?"
    return "" if listed else cut(f"; known: {', '.join(sorted(known))}", 1000)
