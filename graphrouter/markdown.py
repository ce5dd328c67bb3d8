"""Tables in Markdown."""

from __future__ import annotations

from collections.abc import Sequence


def as_markdown(rows: Sequence[Sequence[str]], left: int = 3) -> str:
    """Return a table in Markdown, its first row as the head; the first columns are aligned at the left."""
    marks = ["---" if column < left else "---:" for column in range(len(rows[0]))]
    escaped = [[cell.replace("|", "\\|") for cell in row] for row in rows]
    return "\n".join(f"| {' | '.join(row)} |" for row in [escaped[0], marks, *escaped[1:]])
