"""The folder of a grid -> runs.csv, the table in four forms, and figures."""

from __future__ import annotations

from pathlib import Path

import polars as pl
from markupsafe import Markup

from experiments.ablation.comparing import Scores, compare
from experiments.ablation.figures import write_figures
from experiments.ablation.new_llms import new_llm_cells, new_llm_table
from experiments.ablation.rendering import LEFT, NOTE, Rows, cells_of
from experiments.ablation.results import Results, runs_table
from graphrouter.evaluation.report.latex import as_latex
from graphrouter.evaluation.report.page import render
from graphrouter.files import replace_file
from graphrouter.markdown import as_markdown

NEW_LLMS = (
    "A new LLM joins a fitted router with so many logged queries (shots); means over seeds and LLMs. NLL and AUROC are of "
    "its own edges; picked and best are shares of the test queries. The intervals hold for the table at once with a chance "
    "of 95%."
)


def write_tables(out: Path, progress: bool = False) -> pl.DataFrame:
    """Write runs.csv, table.csv, table.md, table.tex, table.html and figures/ from the finished runs.

    Returns:
        The table, see `experiments.ablation.comparing.compare`.

    Raises:
        UserError: If the folder holds no finished run.
    """
    results = Results.read(out)
    _write(out, "runs.csv", runs_table(results).write_csv())
    scores = Scores(results, results.columns(), progress)
    table = compare(results, scores)
    # A null is written as nothing, an empty text as two quotes.
    _write(out, "table.csv", table.with_columns(pl.col(pl.String).replace("", None)).write_csv())
    rows = cells_of(table, results.columns())
    for name, text in (
        ("md", f"{as_markdown(rows, LEFT)}\n\n{NOTE}\n"),
        ("tex", as_latex(rows, NOTE, LEFT)),
        ("html", _page(rows, out.resolve().name)),
    ):
        _write(out, f"table.{name}", text)
    if (new_llms := new_llm_table(results, scores)) is not None:
        _write(out, "new_llms.csv", new_llms.write_csv())
        _write(out, "new_llms.md", f"{as_markdown(new_llm_cells(new_llms), LEFT)}\n\n{NEW_LLMS}\n")
    write_figures(results, table, scores)
    return table


def _page(rows: Rows, title: str) -> str:
    """Return a page with the table; what a difference belongs to stands below its name, as on a phone there is no room beside."""
    body = []
    for factor, name, against, *cells in rows[1:]:
        about = ", ".join(filter(None, (factor, against and f"against {against.removeprefix(f'{factor}: ')}")))
        named = Markup("{}<small>{}</small>").format(name, about)
        body.append(("" if against else "ours", [named, *map(_cell, cells)]))
    head = [rows[0][1], *rows[0][LEFT:]]
    return render("table.html.j2", title=title, table={"head": head, "rows": body, "folded": ()}, note=NOTE)


def _cell(text: str) -> tuple[Markup, str]:
    """Return a cell in the colour of its verdict, its interval in small."""
    value, bracket, interval = text.partition(" [")
    small = Markup(" <small>[{}</small>").format(interval) if bracket else ""
    return Markup("{}{}").format(value, small), {"*": "good", "†": "bad"}.get(text[-1:], "")


def _write(out: Path, name: str, text: str) -> None:
    replace_file(out / name, text.encode())
