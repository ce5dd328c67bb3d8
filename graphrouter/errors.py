"""The error that a user can mend."""


class UserError(ValueError):
    """What came is not what must hold. The command line prints it as one line and exits with status 2."""


def first_line(error: BaseException) -> str:
    """Return the first line of an error's text, or its kind where it has none."""
    return next((line.strip() for line in str(error).splitlines() if line.strip()), type(error).__name__)


LONGEST = 200
"""Characters of a text that an error shows: an id or a name of a column may be as long as a file."""


def cut(text: str, longest: int = LONGEST) -> str:
    """Return a text, or its beginning and that there is more."""
    return text if len(text) <= longest else f"{text[: longest - 3]}..."


def short(value: object, longest: int = 80) -> str:
    """Return a value as Python writes it, cut."""
    return cut(repr(value), longest)


def printable(text: str) -> str:
    r"""Return a text whose control characters, which a terminal would obey, and half surrogates are written out, as ``\x1b``."""
    return "".join(sign if sign.isprintable() else sign.encode("unicode_escape").decode() for sign in text)


def suggest(word: str, known: "list[str] | tuple[str, ...]") -> str:
    """Return ``'; did you mean X?'`` where a known word is close, else the list of known words."""
    import difflib

    close = difflib.get_close_matches(word[:LONGEST], known, n=1)
    return f"; did you mean {close[0]!r}?" if close else cut(f"; known: {', '.join(sorted(known))}", 1000)
