"""The error that a user can mend."""


class UserError(ValueError):
    """What came is not what must hold. The command line prints it as one line and exits with status 2."""


def first_line(error: BaseException) -> str:
    """Return the first line of an error's text, or its kind where it has none."""
    return next((line.strip() for line in str(error).splitlines() if line.strip()), type(error).__name__)


def suggest(word: str, known: "list[str] | tuple[str, ...]") -> str:
    """Return ``'; did you mean X?'`` where a known word is close, else the list of known words."""
    import difflib

    close = difflib.get_close_matches(word, known, n=1)
    return f"; did you mean {close[0]!r}?" if close else f"; known: {', '.join(sorted(known))}"
