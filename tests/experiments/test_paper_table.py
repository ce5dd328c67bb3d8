"""How a rebuilt table is written, and what the tables share: splits of the source, leaks, resampled means."""

from __future__ import annotations

import subprocess
import sys
from argparse import Namespace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from paper_logs import make_paper_log

from experiments.paper.few_shot import FewShot, hide_new, take_llms
from experiments.paper.runs import PaperSettings, by_source, compare_routers, leaked, make_routers, open_log
from experiments.paper.scored import SINGLE, Scored, estimate
from experiments.paper.table import NOT_FOUND, Column, PaperTable
from graphrouter.errors import UserError
from graphrouter.formats import export_log
from graphrouter.log import LLMLog
from graphrouter.run import RunOptions
from graphrouter.splits import query_groups
from graphrouter.testing import make_data, make_log

ROOT = Path(__file__).parents[2]
PARTS = {"algebra": {"train": 40, "test": 12}, "history": {"train": 40, "test": 20, "test, other": 5, "extra": 7}}


def settings(out: Path, **changed: object) -> PaperSettings:
    return PaperSettings(out, RunOptions(device="cpu"), **{"seeds": 2, "encoder": "tfidf:8", **changed})  # type: ignore[arg-type]


def test_a_published_number_is_shown_not_found_or_not_there() -> None:
    columns = [
        Column("name", "name"),
        Column("here", "here", 2, 100, signed=True),
        Column("there", "there", 3, published=True),
    ]
    rows = [
        {"name": "a", "here": 0.1234, "here_low": 0.1, "here_high": 0.2, "there": 0.5},
        {"name": "b", "here": float("nan"), "there": NOT_FOUND, "extra": "kept"},
        {"name": "c"},
    ]
    table = PaperTable("toy", "Toy", "log", columns, rows, ["said"], ["differs"], ["source"])
    shown = [line for line in table.markdown().splitlines() if line.startswith("|")]
    assert shown[2:] == ["| a | +12.34 [+10.00, +20.00] | 0.500 |", "| b | - | not found |", "| c |  |  |"]
    assert [line for line in table.markdown().splitlines() if line.startswith("- ")] == [
        "- said",
        "- differs",
        "- source",
    ]
    frame = table.frame()
    assert frame.columns == ["name", "here", "here_low", "here_high", "there", "extra"]
    assert frame["there"].to_list() == [0.5, None, None]


def test_the_split_of_the_source_tests_on_what_the_source_tests_on() -> None:
    log = make_paper_log(PARTS, repeated=3)
    label = log.queries["source_split"].to_numpy()
    split = by_source("test", "test, other")(log, 0)
    assert set(label[split.test]) == {"test", "test, other"}
    assert len(split.test) == 37
    assert set(label[np.concatenate([split.train, split.validation])]) == {"train"}
    assert len(split.train) + len(split.validation) == 80
    assert not set(split.train) & set(split.validation)
    groups = query_groups(log.queries["query"])
    assert not set(groups[split.train]) & set(groups[split.validation])
    assert set(by_source("test")(log, 1).validation) != set(split.validation)
    again = log.queries.filter(source_split="test")["query"].str.contains("QUESTION").to_numpy()
    assert leaked(log, ("test",)).tolist() == again.tolist()
    assert again.sum() == 3
    assert len(leaked(log, ("test", "test, other"))) == 37
    with pytest.raises(UserError, match="must have queries with source_split 'tset', but has none"):
        by_source("tset")(log, 0)


def test_means_are_over_queries_or_tasks_and_a_missing_cell_of_an_llm_counts_for_nobody(tmp_path: Path) -> None:
    log = make_paper_log(PARTS)
    tests = log.queries["source_split"].to_numpy() == "test"
    hidden = np.zeros((log.queries.height, 4), dtype=bool)
    hidden[np.flatnonzero(tests)[:6], log.llm_names.index("beta")] = True
    log = log.hide(hidden)
    compare_routers(
        log, settings(tmp_path), "here", ["best_single"], scenarios=["performance_first"], split=by_source("test")
    )
    tested = Scored(tmp_path / "here")
    cells, tasks = log.cells("performance")[tests], log.queries["task"].to_numpy()[tests]
    beta = cells[:, log.llm_names.index("beta")]
    values = tested.values(f"{SINGLE}beta")
    assert tested.mean(values)[0] == pytest.approx(np.nanmean(beta))
    by_task = [np.nanmean(beta[tasks == task]) for task in ("algebra", "history")]
    assert tested.macro(values, ["algebra", "history"])[0] == pytest.approx(np.mean(by_task))
    kept = [np.arange(32) >= 16] * 2
    assert tested.mean(values, kept)[0] == pytest.approx(np.nanmean(beta[16:]))
    chosen = tested.choices("best_single")[0]
    assert tested.values("best_single")[0] == pytest.approx(cells[np.arange(32), chosen])
    others = tested.choices("best_single", without=[log.llm_names[chosen[0]]])[0]
    assert not (others == chosen).any()
    found = estimate("x", tested.mean(values))
    assert found["x_low"] < found["x"] < found["x_high"]


def test_a_log_is_opened_by_name_from_a_folder_or_in_a_public_layout(tmp_path: Path) -> None:
    def opened(source: str, **options: Any) -> LLMLog:
        return open_log(Namespace(log=source, rare_tasks=None, **options))

    log = make_paper_log(PARTS, cost=False)
    assert opened("micropool").name == "micropool"
    folder = str(log.save(tmp_path / "log"))
    assert not opened(folder).has_cost
    estimated = opened(folder, prices=None)
    assert estimated.cost_estimated
    (tmp_path / "prices.yaml").write_text("llms: {alpha: {input: 1000, output: 1000}}\n")
    dear = opened(folder, prices=str(tmp_path / "prices.yaml"))
    assert (dear.cells("cost")[:, 0] > 10 * estimated.cells("cost")[:, 0]).all()
    export_log(make_paper_log(PARTS), "router_data", tmp_path / "public")
    public = opened(str(tmp_path / "public"))
    assert (public.queries.height, public.llm_names) == (log.queries.height, log.llm_names)


def test_overrides_are_of_the_routers_of_the_table(tmp_path: Path) -> None:
    assert make_routers(settings(tmp_path, overrides=["knn.k=7"]), ["knn"])["knn"].k == 7  # type: ignore[attr-defined]
    for word, said in (
        ("knn.kk=7", "kk"),
        ("svm.c=1", "svm"),
        ("seeds=9", "give --seeds"),
        ("tune_by=reward", "give --seeds"),
    ):
        with pytest.raises(UserError, match=said):
            make_routers(settings(tmp_path, overrides=[word]), ["knn"])


def test_a_new_llm_keeps_so_many_outcomes_and_no_cost_of_others() -> None:
    data = make_data(make_log(60))
    hidden = hide_new(data, ["beta"], 5, seed=0)
    column = data.llms.names.index("beta")
    assert hidden.observed[:, column].sum() == 5
    for name in ("performance", "cost", "output_tokens"):
        assert (~np.isnan(getattr(hidden, name)[:, column])).sum() == 5, name
    kept = hidden.observed[:, column]
    assert (hidden.performance[kept] == data.performance[kept]).all()
    others = np.arange(3) != column
    np.testing.assert_array_equal(hidden.performance[:, others], data.performance[:, others])
    assert data.observed.all()
    assert (hide_new(data, ["beta"], 3, 0).observed <= hidden.observed).all(), "fewer shots are among more"
    assert (hide_new(data, ["beta"], 5, 1).observed != hidden.observed).any()
    only = take_llms(data, ["gamma", "alpha"])
    assert only.llms.names == ("alpha", "gamma")
    np.testing.assert_array_equal(only.performance, data.performance[:, others])
    np.testing.assert_array_equal(only.llms.vectors, data.llms.vectors[others])


@pytest.mark.parametrize("how", ["extended", "refitted"])
def test_a_few_shot_router_learns_nothing_of_a_new_llm_but_its_shots(how: str) -> None:
    data = make_data(make_log(120))
    train, validation = data.take(np.arange(0, 80)), data.take(np.arange(80, 100))
    queries = data.take(np.arange(100, 120)).queries
    turned = hide_new(train, ["beta"], 5, seed=0)
    column = data.llms.names.index("beta")
    lies = train.performance.copy()
    lies[~turned.observed[:, column], column] = 0.0
    liar = type(train)(**{**vars(train), "performance": lies})
    both = [
        FewShot(router="knn", hyperparameters={"k": 5}, new=["beta"], shots=5, how=how)
        .fit(part, validation)
        .predict(queries)
        for part in (train, liar)
    ]
    np.testing.assert_array_equal(both[0].quality, both[1].quality)
    assert both[0].quality.shape == (20, 3)
    with pytest.raises(UserError, match="new LLMs must be among alpha, beta, gamma, but 'omega' is not"):
        FewShot(new=["omega"]).fit(train, validation)


def test_help_is_there_at_once_and_a_wrong_word_is_one_line(tmp_path: Path) -> None:
    command = [sys.executable, "-X", "importtime", "-m", "experiments.paper", "--help"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    assert "routellm_apgr_cpt" in done.stdout
    imported = {line.rpartition("|")[2].strip() for line in done.stderr.splitlines()}
    assert not imported & {"torch", "polars", "sklearn"}
    command = [sys.executable, "-m", "experiments.paper.routerdc_main", "nowhere", "--out", str(tmp_path / "out")]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr.count("\n")) == (2, 1)
    assert "paper: error: a log must be a folder" in done.stderr
