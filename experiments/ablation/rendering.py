"""The table of an ablation in LaTeX and HTML, and its cells."""

from __future__ import annotations

import html
from collections.abc import Sequence
from typing import Any

import polars as pl

from experiments.ablation.results import Column
from graphrouter.metrics import lower_is_better

Rows = list[list[str]]
LEFT = 3
"""Columns that hold words."""
NOTE = (
    "Paired differences to the variant named under 'against', means over seeds. The intervals hold for all entries of the "
    "table at once with a chance of 95% (bootstrap over wordings, maximum statistic); a star marks those without 0: * "
    "better, † worse."
)
ESCAPES = {"&": r"\&", "%": r"\%", "_": r"\_", "#": r"\#", "$": r"\$", "~": r"\textasciitilde{}", "^": r"\^{}"}


def cells_of(table: pl.DataFrame, columns: Sequence[Column]) -> Rows:
    """Return the head, the means of the base, and one row per difference.

    Args:
        table: From `experiments.ablation.comparing.compare`.
        columns: The metrics, in order.
    """
    rows = [["factor", "difference", "against", *(title(column) for column in columns)]]
    entries = {
        (row["factor"], row["name"], row["against_factor"], row["against"], row["scenario"], row["metric"]): row
        for row in table.iter_rows(named=True)
    }
    keys = list(dict.fromkeys(key[:4] for key in entries))
    for other in dict.fromkeys(key[2:4] for key in keys):
        means = [_mean(next((e for k, e in entries.items() if k[2:4] == other and k[4:] == c), None)) for c in columns]
        rows.append([other[0], f"{other[1]} (mean)", "", *means])
        for key in (key for key in keys if key[2:4] == other):
            rows.append([key[0], key[1], _name(other), *(_difference(entries.get((*key, *c))) for c in columns)])
    return rows


def title(column: Column) -> str:
    """Return the head of a column, with an arrow to where it is better."""
    arrow = "↓" if lower_is_better(column[1]) else "↑"
    return f"{column[0]} {column[1]} {arrow}".strip()


def as_latex(rows: Rows) -> str:
    """Return a ``table`` for LaTeX with the package booktabs."""
    body = [" & ".join(_tex(cell) for cell in row) + r" \\" for row in rows]
    columns = "l" * LEFT + "r" * (len(rows[0]) - LEFT)
    lines = [r"\begin{table}", r"\centering", r"\small", rf"\begin{{tabular}}{{{columns}}}", r"\toprule", body[0]]
    lines += [r"\midrule", *body[1:], r"\bottomrule", r"\end{tabular}", rf"\caption{{{_tex(NOTE)}}}", r"\end{table}"]
    return "\n".join([*lines, ""])


def as_html(rows: Rows, name: str) -> str:
    """Return a page of its own with the table."""
    head = "".join(f"<th>{html.escape(cell)}</th>" for cell in rows[0])
    body = "\n".join(f"<tr>{''.join(_td(cell, at) for at, cell in enumerate(row))}</tr>" for row in rows[1:])
    style = (
        ":root{color-scheme:light dark}body{font:14px system-ui,sans-serif;margin:2em}table{border-collapse:collapse}"
        "th,td{padding:.25em .7em;border-bottom:1px solid #8884;text-align:left}td.n{text-align:right;white-space:nowrap;"
        "font-variant-numeric:tabular-nums}div{overflow-x:auto}"
    )
    return (
        f'<!doctype html>\n<html lang="en"><head><meta charset="utf-8"><title>{html.escape(name)}</title>'
        f'<meta name="viewport" content="width=device-width"><style>{style}</style></head><body>\n'
        f"<h1>{html.escape(name)}</h1>\n<div><table><thead><tr>{head}</tr></thead><tbody>\n{body}\n</tbody></table></div>\n"
        f"<p>{html.escape(NOTE)}</p>\n</body></html>\n"
    )


def _td(cell: str, at: int) -> str:
    return f"<td>{html.escape(cell)}</td>" if at < LEFT else f'<td class="n">{html.escape(cell)}</td>'


def _tex(text: str) -> str:
    arrows = {"↓": r"$\downarrow$", "↑": r"$\uparrow$", "†": r"$^\dagger$"}
    return "".join((ESCAPES | arrows).get(letter, letter) for letter in text)


def _name(key: tuple[str, str]) -> str:
    return f"{key[0]}: {key[1]}" if key[0] else key[1]


def _mean(entry: dict[str, Any] | None) -> str:
    return "" if entry is None else f"{entry['other_mean']:.4f}"


def _difference(entry: dict[str, Any] | None) -> str:
    if entry is None:
        return ""
    mark = {"better": " *", "worse": " †"}.get(entry["verdict"], "")
    return f"{entry['difference']:+.4f} [{entry['low']:+.4f}, {entry['high']:+.4f}]{mark}"
