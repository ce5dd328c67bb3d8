"""The tables of the query level, end to end on small logs of the same form."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import polars as pl
import pytest
from paper_logs import Paper, make_paper_log, one_seed, paper, read

from experiments.paper import (
    fusionfactory_table4,
    graphrouter_table4,
    graphrouter_table5,
    llmrouterbench_gain_gap,
    routellm_apgr_cpt,
    routeprofile_table1,
    routerdc_main,
)
from graphrouter.log import LLMLog

__all__ = ["paper"]
SPLIT = {"algebra": {"train": 30, "test": 15}, "history": {"train": 30, "test": 15}}
WHOLE = {"algebra": {None: 40}, "history": {None: 40}}


def at(frame: pl.DataFrame, **where: str) -> dict[str, float]:
    return frame.row(by_predicate=pl.all_horizontal(pl.col(key) == value for key, value in where.items()), named=True)


def test_graphrouter_table_4_has_both_splits_and_says_what_leaks(paper: Paper, tmp_path: Path) -> None:
    said = paper(graphrouter_table4, make_paper_log(SPLIT, repeated=4, cost=False), *one_seed(graphrouter_table4))
    frame = read(tmp_path / "out", "graphrouter_table4")
    assert set(frame["scenario"]) == {"performance_first", "balance", "cost_first"}
    first = frame.filter(pl.col("scenario") == "performance_first")
    assert first["paper_name"].drop_nulls().to_list() == [
        "Largest LLM", "Smallest LLM", "GraphRouter", "Oracle", "Prompt LLM", "Hybrid LLM", "FrugalGPT", "C2MAB-V",
    ]  # fmt: skip
    oracle, gnn = (at(first, router=name) for name in ("oracle", "gnn"))
    assert oracle["reward"] == oracle["performance"] >= gnn["reward"]
    assert oracle["ours_minus"] == pytest.approx(gnn["reward"] - oracle["reward"])
    assert oracle["second"] > 0
    assert frame["published"].null_count() == frame.height
    for text in (
        "4 of the 30 test queries",
        "planted (cost estimated)",
        "at least 12.3%",
        "| not found |",
        "gnn.steps=40",
    ):
        assert text in said, text
    again = paper(graphrouter_table4, make_paper_log(SPLIT, repeated=4, cost=False), *one_seed(graphrouter_table4))
    assert again == said


def test_graphrouter_table_4_without_a_split_of_the_source_has_one_column_less(paper: Paper, tmp_path: Path) -> None:
    said = paper(graphrouter_table4, make_paper_log(WHOLE), *one_seed(graphrouter_table4))
    assert "no split of its source" in said
    assert "cost estimated" not in said
    assert "second" not in read(tmp_path / "out", "graphrouter_table4").columns


def test_graphrouter_table_5_compares_few_shots_with_all(paper: Paper, tmp_path: Path) -> None:
    words = ("--new", "alpha,delta", "--shots", "3", *one_seed(graphrouter_table5))
    said = paper(graphrouter_table5, make_paper_log(WHOLE), *words)
    frame = read(tmp_path / "out", "graphrouter_table5")
    assert set(frame["setting"]) >= {
        "trained on all",
        "3 shots, refitted",
        "3 shots, extended",
        "trained, new LLMs ruled out",
    }
    trained, few = (at(frame, router="best_per_task", setting=how) for how in ("trained on all", "3 shots, extended"))
    assert few["to_trained"] == pytest.approx(few["reward"] - trained["reward"])
    assert at(frame, router="gnn", setting="trained, new LLMs ruled out")["to_new"] is None
    assert (frame["to_new"].drop_nulls() > 0).any()
    assert "New LLMs: alpha, delta" in said
    assert "2 LLMs" not in said
    log = make_paper_log(WHOLE)
    wrong = {"alhpa": "did you mean 'alpha'", "alpha,beta,gamma": "two LLMs or more must not be new"}
    for new, line in wrong.items():
        assert line in paper(graphrouter_table5, log, "--new", new, fails=True, out="wrong")
    assert "--shots must be 0 or more" in paper(graphrouter_table5, log, "--shots", "-1", fails=True, out="wrong")


def test_fusionfactory_table_4_has_the_judge_where_the_log_has_scores(paper: Paper, tmp_path: Path) -> None:
    said = paper(fusionfactory_table4, make_paper_log(WHOLE), *one_seed(fusionfactory_table4))
    assert "no judge scores" in said
    assert "GraphRouter is best in all settings" in said
    scenarios = ["performance_first", "balance", "cost_first"]
    assert read(tmp_path / "out", "fusionfactory_table4")["scenario"].unique(maintain_order=True).to_list() == scenarios


def test_routerdc_tests_in_and_out_of_distribution_on_the_split_of_the_source(paper: Paper, tmp_path: Path) -> None:
    parts = {**SPLIT, "code": {"test, out of distribution": 20, "extra test": 9}}
    log = make_paper_log(parts, repeated=2, cost=False)
    said = paper(routerdc_main, log, *one_seed(routerdc_main))
    frame = read(tmp_path / "out", "routerdc_main")
    label, task = (log.queries[name].to_numpy() for name in ("source_split", "task"))
    alpha = log.cells("performance")[:, log.llm_names.index("alpha")]
    means = {name: alpha[(label != "train") & (label != "extra test") & (task == name)].mean() for name in set(task)}
    row = at(frame, router="LLM alpha")
    assert {name: row[name] for name in means} == pytest.approx(means)
    assert row["inside"] == pytest.approx((means["algebra"] + means["history"]) / 2)
    assert row["outside"] == pytest.approx(means["code"])
    assert row["inside_clean"] != row["inside"]
    assert at(frame, router="routerdc")["published"] == 0.5854
    assert at(frame, router="routerdc")["published_outside"] is None
    assert at(frame, router="oracle")["inside"] >= frame["inside"].max()
    gnn, best = at(frame, router="gnn"), at(frame, router="best_per_task")
    assert best["inside_ours"] == pytest.approx(gnn["inside"] - best["inside"])
    assert best["inside_ours_low"] <= best["inside_ours"] <= best["inside_ours_high"]
    for text in ("2 of the 50 test queries", "58.54", "+2.76 points in distribution"):
        assert text in said, text
    wrong = paper(routerdc_main, make_paper_log(SPLIT), fails=True, out="wrong")
    assert "must have queries with source_split 'test, out of distribution', but has none" in wrong


def test_routeprofile_learns_from_pairs_as_published(paper: Paper, tmp_path: Path) -> None:
    parts = {"algebra": {"test": 30, "train pairs": 20}, "history": {"test": 30, "train pairs": 20}}
    log = make_paper_log(parts, cost=False)
    train = log.queries.filter(pl.col("source_split") == "train pairs")
    best = {"algebra": ("alpha", "beta"), "history": ("beta", "alpha")}
    rows = [(query, *best[task], "standard") for query, task in train.select("query_id", "task").iter_rows()]
    rows += [(query, "gamma", "delta", "standard") for query in train["query_id"]]
    rows += [(query, "delta", "alpha", "newllm") for query in train["query_id"]]
    tests = log.queries["source_split"].to_numpy() == "test"
    log = log.hide(np.repeat(~tests[:, None], 4, axis=1))
    folder = log.save(tmp_path / "pairs")
    schema = ["query_id", "better_llm", "worse_llm", "setting"]
    pl.DataFrame(rows, schema=schema, orient="row").write_parquet(folder / "pairs.parquet")

    shares = routeprofile_table1.with_pairs(LLMLog.load(folder))
    seen = shares.cells("performance")[~tests]
    tasks = shares.queries["task"].to_numpy()[~tests]
    assert seen[tasks == "algebra"].mean(axis=0).tolist() == [1, 0, 0, 1], "alpha, beta, delta, gamma"
    assert seen[tasks == "history"].mean(axis=0).tolist() == [0, 1, 0, 1]

    said = paper(routeprofile_table1, str(folder), *one_seed(routeprofile_table1))
    frame = read(tmp_path / "out", "routeprofile_table1")
    assert frame.filter(pl.col("published") == 0.625)["router"].to_list() == ["MLPRouter"]
    assert at(frame, router="oracle")["second"] > at(frame, router="random")["second"]
    assert "0 of the 60 test queries" in said
    assert "no pairs.parquet" in paper(
        routeprofile_table1, make_paper_log(WHOLE), *one_seed(routeprofile_table1), out="without"
    )


def test_llmrouterbench_gains_are_relative_and_over_tasks(paper: Paper, tmp_path: Path) -> None:
    parts = {"algebra": {None: 60}, "history": {None: 30}}
    said = paper(llmrouterbench_gain_gap, make_paper_log(parts, cost=False), *one_seed(llmrouterbench_gain_gap))
    frame = read(tmp_path / "out", "llmrouterbench_gain_gap")
    oracle, single, dataset = (at(frame, paper_name=name) for name in ("Oracle", "Best Single", "Dataset Oracle"))
    assert (oracle["gap_oracle"], single["gain_best"]) == (0, 0)
    assert oracle["to_oracle"] == 0
    assert single["average"] <= dataset["average"] <= oracle["average"]
    assert oracle["gain_best"] == pytest.approx(oracle["average"] / single["average"] - 1)
    assert single["gap_oracle"] == pytest.approx(1 - single["average"] / oracle["average"])
    knn = at(frame, router="knn")
    assert (1 + knn["gain_random"]) / (1 + knn["gain_best"]) == pytest.approx(1 + single["gain_random"])
    assert "MODEL-SAT" in said


def test_routellm_scores_calls_to_the_strong_llm_on_each_task(paper: Paper, tmp_path: Path) -> None:
    log = make_paper_log({"algebra": {None: 60}, "history": {None: 60}}, llms=("alpha", "gamma"), cost=False)
    log = LLMLog(
        "pair", log.queries.with_columns(task=pl.col("task").replace("algebra", "mt_bench")), log.llms, log.records
    )
    said = paper(routellm_apgr_cpt, log, "--strong", "alpha", "--encoder", "tfidf:8", *one_seed(routellm_apgr_cpt))
    frame = read(tmp_path / "out", "routellm_apgr_cpt")
    here = frame.filter((pl.col("task") == "mt_bench") & (pl.col("data") == "this log"))
    assert at(here, router="best_per_task")["apgr"] == pytest.approx(0.5), "one score for all queries of a task"
    assert at(here, router="best_per_task")["cpt_80%"] == pytest.approx(0.8)
    assert at(here, router="oracle")["apgr"] == here["apgr"].max() > 0.6
    assert at(here, router="oracle")["cpt_50%"] < at(here, router="random")["cpt_50%"]
    published = at(frame, task="mt_bench", router="Matrix Factorization", data="arena + judge")
    assert (published["published_50%"], published["published_80%"], published["published"]) == (0.1340, 0.3131, 0.802)
    assert not frame.filter((pl.col("task") == "history") & pl.col("published").is_not_null()).height
    assert "Strong: alpha; weak: gamma" in said
    assert "mt_bench 9.3 (here" in said


def test_routellm_must_know_which_two_llms(paper: Paper) -> None:
    log = make_paper_log(WHOLE)
    assert "say with --strong and --weak" in paper(routellm_apgr_cpt, log, fails=True)
    assert "did you mean 'alpha'" in paper(routellm_apgr_cpt, log, "--strong", "alphaa", fails=True)
    assert "must differ" in paper(routellm_apgr_cpt, log, "--strong", "beta", "--weak", "beta", fails=True)
    pair = make_paper_log({"algebra": {None: 60}}, llms=("alpha", "beta"))
    assert routellm_apgr_cpt.choose_pair(pair, None, None) == ("alpha", "beta")
    assert routellm_apgr_cpt.choose_pair(pair, "beta", None) == ("beta", "alpha")


def test_a_wrong_option_is_one_line(paper: Paper) -> None:
    log = make_paper_log(WHOLE)
    assert "--seeds must be 1 or more, but is 0" in paper(graphrouter_table4, log, "--seeds", "0", fails=True)
    assert "has no option --sedes; did you mean '--seeds'" in paper(graphrouter_table4, log, "--sedes=3", fails=True)
    assert "did you mean 'steps'" in paper(graphrouter_table4, log, "graphrouter.step=3", fails=True)
    assert "an encoder must be" in paper(graphrouter_table4, log, "--encoder", "tfidff", fails=True)
