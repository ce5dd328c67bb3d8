"""Saved predictions -> results.csv, summary.csv and report.html."""

from __future__ import annotations

import json
from pathlib import Path

import polars as pl

from graphrouter.evaluation.collected import Evaluation
from graphrouter.evaluation.report import render_report
from graphrouter.evaluation.store import Store
from graphrouter.evaluation.summary import evaluate_store


def summarise(out: str | Path) -> Evaluation:
    """Score the predictions saved in a folder, and write its tables and its report anew.

    What the log's outcomes can score is added to the config, as ``routing``.

    Raises:
        UserError: If the folder is none of a comparison, or a prediction is missing.
    """
    store = Store(out)
    evaluation = evaluate_store(store)
    store.write("config.json", json.dumps(evaluation.config, indent=2) + "\n")
    for name, frame in (("results.csv", evaluation.results), ("summary.csv", evaluation.summary)):
        # A null is written as nothing, an empty text as two quotes.
        store.write(name, frame.with_columns(pl.col(pl.String).replace("", None)).write_csv())
    store.write("report.html", render_report(evaluation))
    return evaluation
