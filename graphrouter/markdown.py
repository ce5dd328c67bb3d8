"""Tables in Markdown, and as aligned lines."""

from __future__ import annotations

from collections.abc import Sequence


def as_markdown(rows: Sequence[Sequence[str]], left: int = 3) -> str:
    """Return a table in Markdown, its first row as the head; the first columns are aligned at the left."""
    marks = ["---" if column < left else "---:" for column in range(len(rows[0]))]
    escaped = [[cell.replace("|", "\\|") for cell in row] for row in rows]
    return "\n".join(f"| {' | '.join(row)} |" for row in [escaped[0], marks, *escaped[1:]])


def as_text(rows: Sequence[Sequence[str]], left: int = 3) -> str:
    """Return a table as aligned lines; the first columns are aligned at the left."""
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    lines = []
    for row in rows:
        cells = [
            cell.ljust(width) if column < left else cell.rjust(width)
            for column, (cell, width) in enumerate(zip(row, widths, strict=True))
        ]
        lines.append("  ".join(cells).rstrip())
    return "\n".join([lines[0], "-" * max(map(len, lines)), *lines[1:]])
