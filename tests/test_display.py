"""Short views: a few lines each, without dumps of tables, and safe in a notebook."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from graphrouter.evaluation import compare
from graphrouter.inspection import inspect_log
from graphrouter.log import load_log
from graphrouter.pipeline import train
from graphrouter.prepared import prepare
from graphrouter.routers.base import Prediction


@pytest.fixture(scope="module")
def log():
    return load_log("micropool")


def test_views_are_a_few_short_lines(log, tmp_path):
    shown = {
        "LLMLog micropool": log,
        "Inspection of micropool": inspect_log(log),
        "PreparedLog micropool": prepare(log, "tfidf:8"),
        "RoutingPipeline knn": train(log, "knn", "tfidf:8"),
        "Evaluation on micropool": compare(log, "tfidf:8", ["best_single"], seeds=[0], out=tmp_path),
    }
    for title, one in shown.items():
        lines = repr(one).splitlines()
        assert lines[0].startswith(title)
        assert 4 <= len(lines) <= 20
        assert max(map(len, lines)) <= 130
        assert title in one._repr_html_()
        assert one._repr_html_().partition("</table>")[0].count("<tr>") == len(lines) - 1


def test_the_view_of_a_log_counts_it(log):
    text = repr(log)
    assert f"{log.queries.height:,}" in text
    assert f"{log.records.height:,}" in text
    assert log.llm_names[0] in text


def test_names_cannot_write_into_a_notebook(log):
    assert "<b>x" not in replace(log, name="<b>x</b>")._repr_html_()


def test_a_prediction_shows_its_size_and_ranges():
    quality = np.array([[0.25, 0.5]], dtype=np.float32)
    assert repr(Prediction(quality, np.full((1, 2), np.nan))) == (
        "Prediction of 1 queries x 2 LLMs: quality 0.25 to 0.5, cost unknown US dollars"
    )
