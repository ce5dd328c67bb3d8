"""Logs in which queries have outcomes of few LLMs: what can be scored, what is refused, and that nothing is silent."""

import json
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from fakes import ByTopic, Last, Means, topics

from graphrouter.cli import main
from graphrouter.errors import UserError
from graphrouter.evaluation import Evaluation, compare, format_table
from graphrouter.evaluation.report.view import View
from graphrouter.evaluation.support import Support
from graphrouter.log import LLMLog
from graphrouter.metrics import logged_choice, metrics_of
from graphrouter.routers import find_router
from graphrouter.testing.logs import make_log

NAN = np.nan
ROUTING = {"performance", "reward", "cost", "hit_at_1", "gap_closed", "aiq", "cost_saving"}


def thinned(counts: list[int], queries: int = 150) -> LLMLog:
    """A log whose queries have outcomes of so many of the three LLMs, drawn at random, in turns."""
    log, random = make_log(queries), np.random.default_rng(3)
    shape = queries, len(log.llm_names)
    order = random.random(shape).argsort(axis=1).argsort(axis=1)
    return log.hide(order >= np.array(counts)[np.arange(queries) % len(counts)][:, None])


def run(log: LLMLog, out: Path, **options: object) -> Evaluation:
    routers = [Means(), ByTopic(), Last(), find_router("oracle")()]
    return compare(log, topics, routers, **{"seeds": [0, 1], "out": out, "ours": ["by_topic"]} | options)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("rows", "outcomes", "choice", "routable"),
    [
        ([[1, NAN], [NAN, 0], [1, NAN]], 1.0, 0.0, False),
        ([[1, 0, 1], [NAN, 0, NAN], [1, NAN, NAN]], 5 / 3, 1 / 3, False),
        ([[1, 0, 1], [NAN, 0, NAN]], 2.0, 0.5, True),
        ([[1, 0, NAN], [NAN, 0, 1]], 2.0, 1.0, True),
        ([[1, 0], [0, 0], [NAN, NAN]], 2.0, 1.0, True),
        ([[1], [0]], 1.0, 0.0, False),
        ([[NAN, NAN]], 0.0, 0.0, False),
    ],
)
def test_what_a_log_can_say_of_choices(rows: list[list[float]], outcomes: float, choice: float, routable: bool) -> None:
    support = Support.of([np.array(rows)])
    assert (support.outcomes, support.choice) == pytest.approx((outcomes, choice))
    assert support.routable == routable
    assert Support.of([np.array(rows)] * 2) == support, "seeds are pooled"


def test_the_share_of_logged_choices_by_hand() -> None:
    outcomes = np.array([[1, NAN, 0], [NAN, 1, NAN], [1, 0, NAN], [NAN, NAN, NAN]])
    utility = np.array([[0.1, 0.9, 0.5], [0.1, 0.9, 0.5], [0.5, 0.1, 0.5], [0.9, 0.1, 0.1]])
    # Not logged; logged; a tie of which one is logged; no outcome at all, which does not count.
    assert logged_choice(utility, outcomes) == pytest.approx(2 / 3)
    assert logged_choice(outcomes, outcomes) == 1, "the oracle has no utility where there is no outcome"
    two = logged_choice(np.stack([utility, -utility]), outcomes, np.array([[1, 1, 1, 1], [1, 0, 0, 5]]))
    np.testing.assert_allclose(two, [[2 / 3, 0], [2 / 3, 1]])


@pytest.mark.parametrize("counts", [[1], [1, 1, 1, 2], [1, 1, 3]], ids=str)
def test_without_a_choice_no_routing_metric_is_given(counts: list[int], tmp_path: Path) -> None:
    done = run(thinned(counts), tmp_path)
    for frame in (done.summary, done.results):
        assert set(frame["metric"]) == {*metrics_of("edge"), "logged_choice"}
    assert not done.curves
    logged = done.summary.filter(metric="logged_choice", scenario="performance_first")
    assert logged["best_baseline"].is_null().all()
    shares = dict(logged.select("router", "mean").iter_rows())
    assert shares["oracle"] == 1
    assert 0.2 < shares["means"] < 0.7
    nll = done.summary.filter(metric="nll", router="by_topic").row(0, named=True)
    assert nll["best_baseline"] in ("means", "last")
    assert np.isfinite(nll["difference"])
    note = json.loads((tmp_path / "config.json").read_text())["routing"]
    assert not note["routing_metrics"]
    assert note["outcomes_per_query"] == pytest.approx(np.mean(counts), abs=0.2)
    lines = format_table(done).splitlines()
    assert lines[2].split()[:4] == ["router", "performance", "balance", "cost_first"]
    assert "nll against" in lines[2]
    for line in lines[4:8]:
        assert line.split()[1:4] == ["–"] * 3
    html = (tmp_path / "report.html").read_text()
    for text in (lines[-1], note["note"], html):
        assert "No routing metric: " in text
    assert "predicted quality</b>: by_topic reaches a mean negative log-likelihood" in html
    assert "AIQ" not in html


def test_what_routers_pick_is_shown_among_all_llms_where_it_cannot_be_scored(tmp_path: Path) -> None:
    done = run(thinned([1]), tmp_path)
    share = done.shares["performance_first"]["by_topic"]
    assert sorted(share) == pytest.approx([0, 0.5, 0.5], abs=0.02), (
        "alpha for one topic, beta for the other, whoever was asked"
    )


def test_where_some_outcomes_are_missing_the_metric_says_so(tmp_path: Path) -> None:
    done = run(thinned([1, 2, 2]), tmp_path)
    assert set(done.summary["metric"]) >= ROUTING
    table = format_table(done)
    assert "logged" in table.splitlines()[2].split()
    assert table.splitlines()[-1].startswith("Choice restricted to logged LLMs: ")
    assert "Choice restricted to logged LLMs: " in (tmp_path / "report.html").read_text()
    assert "chosen LLM logged" in (tmp_path / "report.html").read_text()


def test_a_complete_log_has_no_such_note(tmp_path: Path) -> None:
    done = run(make_log(150), tmp_path)
    table, html = format_table(done), (tmp_path / "report.html").read_text()
    assert "logged" not in table
    assert "restricted to logged" not in html
    assert (done.summary.filter(metric="logged_choice")["mean"] == 1).all()


def test_a_task_without_a_choice_has_no_routing_metric_of_its_own(tmp_path: Path) -> None:
    log = make_log(150)
    algebra = (log.queries["task"] == "algebra").to_numpy()
    turn = (np.arange(150) // 2)[:, None]
    hidden = algebra[:, None] & (turn % 4 > 0) & (np.arange(3) != turn % 3)  # one in four has all
    done = run(log.hide(hidden), tmp_path)
    assert done.support.routable
    metrics = {task: set(done.results.filter(pl.col("task") == task)["metric"]) for task in ("algebra", "history")}
    assert "reward" in metrics["history"]
    assert not metrics["algebra"] & ROUTING
    assert {"nll", "logged_choice"} <= metrics["algebra"]


def test_tuning_by_reward_is_refused_where_every_choice_has_the_same(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="tune_by must be nll for planted.*: 0% of its validation queries"):
        run(thinned([1]), tmp_path / "out", tune_by="reward")
    assert not (tmp_path / "out").exists()
    run(thinned([2]), tmp_path / "out", tune_by="reward")


@pytest.mark.parametrize("means", [[0.5, 0.5, 0.5], [0.5, 0.7, 0.7 + 1e-12]])
def test_a_star_stands_only_where_some_router_is_worse(means: list[float], tmp_path: Path) -> None:
    done = run(make_log(150), tmp_path)
    fair = pl.Series(["means", "by_topic", "last"])
    value = pl.col("router").replace_strict(dict(zip(fair, means, strict=True)), default=1.0, return_dtype=pl.Float64)
    done.summary = done.summary.with_columns(mean=value)
    view = View(done)
    starred = [name for name in fair if view.is_best(name, "performance_first", "performance")]
    assert starred == ([] if means[2] == 0.5 else ["by_topic", "last"])
    assert not any(view.is_best(name, "performance_first", "logged_choice") for name in fair)


def test_on_the_command_line_a_router_of_ones_own_is_no_baseline(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    log = str(make_log(150).save(tmp_path / "log"))
    words = ["compare", log, "--routers", "linear,knn,best_single", "--seeds", "2", "--encoder", "tfidf:8"]
    words += ["--tune-by", "none", "--device", "cpu", "--quiet", "--interval", "methods"]
    assert main([*words, "--ours", "linear", "--out", str(tmp_path / "out")]) == 0
    summary = pl.read_csv(tmp_path / "out" / "summary.csv")
    assert "linear" not in set(summary["best_baseline"])
    row = summary.filter(router="linear", scenario="performance_first", metric="reward").row(0, named=True)
    assert row["difference"] is not None
    printed = capsys.readouterr().out
    assert "[low, high]: 95% interval for the methods: test queries and seeds" in printed
    config = json.loads((tmp_path / "out" / "config.json").read_text())
    assert (config["ours"], config["interval"]) == (["linear"], "methods")
    assert main([*words, "--ours", "linaer", "--out", str(tmp_path / "no")]) == 2
    assert "ours must be among the routers, but is ['linaer']" in capsys.readouterr().err
    assert not (tmp_path / "no").exists()


def test_ours_and_interval_are_checked_before_anything_is_written(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="'mine' is none"):
        run(make_log(60), tmp_path / "out", ours=["mine"])
    with pytest.raises(UserError, match="interval must be fitted or methods, but is 'wide'"):
        run(make_log(60), tmp_path / "out", interval="wide")
    with pytest.raises(UserError, match="two seeds or more"):
        run(make_log(60), tmp_path / "out", interval="methods", seeds=[0])
    assert not (tmp_path / "out").exists()
