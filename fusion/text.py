"""Text that came out of JSON."""

from __future__ import annotations


def encodable(text: str) -> str:
    r"""Return a text that a file and a tokenizer can hold: half of a surrogate pair becomes U+FFFD.

    JSON can hold such a half (``\ud83d``), as a program writes it that cuts text between two UTF-16 units.
    """
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    return text
