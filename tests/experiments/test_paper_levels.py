"""The tables and the figure of FusionFactory's other levels, end to end on a small log with guides and students."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from paper_logs import Paper, make_paper_log, paper, read

from experiments.paper import fusionfactory_radar, fusionfactory_table5, fusionfactory_table6
from graphrouter.log import LLMLog
from graphrouter.splits import by_query

__all__ = ["paper"]
PARTS = {"algebra": {None: 40}, "history": {None: 40}, "code": {None: 40}}
ROUTERS = ("--routers", "best_single,best_per_task")


@pytest.fixture
def log() -> LLMLog:
    return make_paper_log(PARTS)


def only(log: LLMLog, name: str, performance: float) -> LLMLog:
    """Return the log of a student with this performance on every test query."""
    test = log.take(by_query(log, 0).test)
    records = test.records.filter(pl.col("llm") == "alpha").with_columns(llm=pl.lit(name), performance=performance)
    return LLMLog("answers", test.queries, log.llms.head(1).with_columns(llm=pl.lit(name)), records)


def with_thoughts(log: LLMLog) -> LLMLog:
    """Return the log with a guide for every LLM, which makes it right throughout, and the parts of its split."""
    split = by_query(log, 0)
    part = np.full(log.queries.height, "train", dtype=object)
    part[split.validation], part[split.test] = "validation", "test"
    named = {"guide": None, "guide_kind": None, "guide_ranking": None}
    plain = log.llms.with_columns(
        model=pl.col("llm"), style=pl.lit("direct"), **{k: pl.lit(v, pl.String) for k, v in named.items()}
    )
    guided = plain.with_columns(
        llm=pl.col("llm") + "_t", guide=pl.lit("t"), guide_kind=pl.lit("thought"), guide_ranking=pl.lit("hybrid")
    )
    right = log.records.with_columns(llm=pl.col("llm") + "_t", performance=1.0)
    records = pl.concat([log.records, right]).with_columns(shown=pl.lit(1.0))
    queries = log.queries.with_columns(part=pl.Series(part.tolist(), dtype=pl.String))
    return LLMLog("guided", queries, pl.concat([plain, guided]), records, encoder="tfidf:16")


def test_the_thought_level_stands_by_domain(paper: Paper, log: LLMLog, tmp_path: Path) -> None:
    said = paper(fusionfactory_table5, with_thoughts(log))
    frame = read(tmp_path / "out", "fusionfactory_table5")
    alpha = frame.filter((pl.col("llm") == "alpha") & (pl.col("guide") == "t")).row(0, named=True)
    plain = frame.filter((pl.col("llm") == "alpha") & (pl.col("guide") == "zero-shot")).row(0, named=True)
    assert (alpha["performance"], alpha["d-history"], alpha["ranking"]) == (1, 1, "hybrid")
    assert alpha["difference"] == pytest.approx(1 - plain["performance"])
    assert "of 4 LLMs with thoughts 4 are better" in said
    assert "make it with fusion collect --guide" in paper(fusionfactory_table5, log, fails=True, out="wrong")


def test_the_model_level_stands_by_domain_and_against_the_base(paper: Paper, log: LLMLog, tmp_path: Path) -> None:
    answers = str(only(log, "student", 0.75).save(tmp_path / "answers"))
    said = paper(fusionfactory_table6, log, "--answers", answers, "--base", "gamma", *ROUTERS)
    frame = read(tmp_path / "out", "fusionfactory_table6")
    student = frame.row(by_predicate=pl.col("candidate") == "student", named=True)
    base = frame.row(by_predicate=pl.col("candidate") == "gamma", named=True)
    assert student["performance"] == student["d-code"] == 0.75
    assert student["minus"] == pytest.approx(0.75 - base["performance"])
    assert set(frame["kind"]) == {"student", "llm", "router"}
    assert f"student {student['minus']:+.4f}" in said
    wrong = paper(fusionfactory_table6, log, "--answers", answers, "--base", "gama", *ROUTERS, fails=True, out="wrong")
    assert "did you mean 'gamma'" in wrong
    assert "--answers" in paper(fusionfactory_table6, log, fails=True, out="wrong")


def test_the_radar_has_a_line_for_each_level_that_is_given(paper: Paper, log: LLMLog, tmp_path: Path) -> None:
    guided = str(with_thoughts(log).save(tmp_path / "guided"))
    answers = str(only(log, "student", 0.25).save(tmp_path / "answers"))
    said = paper(fusionfactory_radar, log, "--guided", guided, "--answers", answers, *ROUTERS)
    ET.parse(tmp_path / "out" / "fusionfactory_radar.svg")
    drawn = (tmp_path / "out" / "fusionfactory_radar.svg").read_text()
    for line in (
        "query level: d-algebra",
        "thought level: d-algebra 1.000",
        "model level: d-algebra 0.250",
        "zero-shot: ",
    ):
        assert line in drawn, line
    frame = read(tmp_path / "out", "fusionfactory_radar")
    assert frame.filter(pl.col("level") == "llm").height == 1
    assert "thought level (best_single with guides) 1.0000" in said or "_t) 1.0000" in said
    order = said[said.index("from the best to the worst") :]
    assert order.index("thought level") < order.index("query level") < order.index("model level")

    said = paper(fusionfactory_radar, log, *ROUTERS, out="alone")
    assert said.count("so that level is left out") == 2
    assert "thought level:" not in (tmp_path / "alone" / "fusionfactory_radar.svg").read_text()
