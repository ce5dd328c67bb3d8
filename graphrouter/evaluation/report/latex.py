"""Tables in LaTeX, for the package booktabs."""

from __future__ import annotations

from collections.abc import Sequence

SIGNS = {
    "&": r"\&", "%": r"\%", "_": r"\_", "#": r"\#", "$": r"\$", "{": r"\{", "}": r"\}", "\\": r"\textbackslash{}",
    "~": r"\textasciitilde{}", "^": r"\^{}", "↓": r"$\downarrow$", "↑": r"$\uparrow$", "†": r"$^\dagger$",
    "▲": r"$\blacktriangle$", "▼": r"$\blacktriangledown$", "−": "$-$", "–": "--", "×": r"$\times$", "<": r"\textless{}",
    ">": r"\textgreater{}", "|": r"\textbar{}",
}  # fmt: skip


def as_latex(rows: Sequence[Sequence[str]], caption: str, left: int = 1) -> str:
    r"""Return a ``table`` that is no wider than a page: ``adjustbox`` shrinks what would be.

    Intervals in brackets stand in a smaller size below their value. It needs the packages ``booktabs``, ``makecell``,
    ``adjustbox`` and ``amssymb``, which the first line says.

    Args:
        rows: The head, then the rows.
        caption: Below the table.
        left: The first columns, which hold words.
    """
    head = " & ".join(rf"\makecell[b]{{{_broken(title)}}}" for title in rows[0])
    body = [" & ".join(_cell(cell) for cell in row) + r" \\" for row in rows[1:]]
    lines = [
        r"% \usepackage{booktabs,makecell,adjustbox,amssymb}",
        r"\begin{table}", r"\centering", r"\small", r"\begin{adjustbox}{max width=\linewidth}",
        rf"\begin{{tabular}}{{{'l' * left}{'r' * (len(rows[0]) - left)}}}", r"\toprule", rf"{head} \\", r"\midrule", *body,
        r"\bottomrule", r"\end{tabular}", r"\end{adjustbox}", rf"\caption{{{escape(caption)}}}", r"\end{table}", "",
    ]  # fmt: skip
    return "\n".join(lines)


def escape(text: str) -> str:
    """Return text as LaTeX writes it."""
    return "".join(SIGNS.get(letter, letter) for letter in text)


def _cell(text: str) -> str:
    value, bracket, interval = text.partition(" [")
    if not bracket:
        return escape(text)
    interval, _, mark = interval.partition("]")
    return rf"\makecell[r]{{{escape(value + mark)}\\[-2pt]{{\scriptsize [{escape(interval)}]}}}}"


def _broken(title: str) -> str:
    """Break a long title in two lines, at the space nearest to its middle."""
    spaces = [place for place, letter in enumerate(title) if letter == " "]
    if len(title) < 14 or not spaces:
        return escape(title)
    at = min(spaces, key=lambda place: abs(place - len(title) / 2))
    return rf"{escape(title[:at])}\\{escape(title[at + 1 :])}"
