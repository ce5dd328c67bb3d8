from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from fakes import ByTopic, Last, Means, topic_vectors

from graphrouter.dataset import RoutingData
from graphrouter.errors import UserError
from graphrouter.evaluation import Evaluation, evaluate_router
from graphrouter.log import LLMLog
from graphrouter.routers.base import Router
from graphrouter.scenario import find_scenario, fit_cost_scale
from graphrouter.splits import query_groups
from graphrouter.testing.logs import make_log


def data_of(log: LLMLog) -> RoutingData:
    vectors = topic_vectors(log.queries["query"].to_list())
    return RoutingData.from_log(log, vectors, np.eye(len(log.llm_names), 2), query_groups(log.queries["query"]))


TRAIN = data_of(make_log(150))
SCALE = fit_cost_scale(TRAIN.cost)


def evaluate(router: Router, log: LLMLog, out: Path, **changed: Any) -> Evaluation:
    asked = {"cost_scale": SCALE, "out": out, "encoder": "topics", "trained_on": "planted"}
    return evaluate_router(router, data_of(log).queries, log, **{**asked, **changed})


@pytest.fixture(scope="module")
def fitted() -> ByTopic:
    return ByTopic(seed=4).fit(TRAIN, TRAIN)


def test_a_saved_router_is_scored_on_every_query_of_a_new_log(fitted: ByTopic, tmp_path: Path) -> None:
    log = make_log(90, seed=5)
    done = evaluate(fitted, log, tmp_path)
    results = pl.read_csv(tmp_path / "results.csv")
    assert set(results["split"]) == {"all"}
    assert set(results["seed"]) == {4}
    assert done.sizes == {4: {"all": 90}}
    for name in ("config.json", "summary.csv", "report.html"):
        assert (tmp_path / name).exists()
    # Alpha for algebra and beta for history, as it learnt elsewhere.
    algebra = np.array([task == "algebra" for task in log.queries["task"]])
    performance = log.cells("performance")
    expected = np.where(algebra, performance[:, 0], performance[:, 1]).mean()
    row = done.summary.filter(
        pl.col("router") == "by_topic", pl.col("scenario") == "performance_first", pl.col("metric") == "performance"
    )
    assert row["mean"][0] == pytest.approx(expected)
    # The references are the LLMs of the new log; the best of them is known in hindsight.
    means = performance.mean(axis=0)
    assert row["best_baseline"][0] == f"LLM {log.llm_names[means.argmax()]}"
    assert row["difference"][0] == pytest.approx(expected - means.max())


def test_the_references_have_no_predicted_quality_and_say_what_they_are(fitted: ByTopic, tmp_path: Path) -> None:
    done = evaluate(fitted, make_log(90, seed=5), tmp_path)
    assert set(done.summary.filter(pl.col("metric") == "nll")["router"]) == {"by_topic"}
    text = (tmp_path / "report.html").read_text()
    assert "references" in text
    assert "the best single LLM in hindsight" in text
    assert "the best baseline" not in text


def test_a_reference_without_an_outcome_falls_back_on_the_next_best(fitted: ByTopic, tmp_path: Path) -> None:
    log = make_log(90, seed=5, missing=0.3)
    done = evaluate(fitted, log, tmp_path)
    row = done.summary.filter(pl.col("router") == "LLM gamma", pl.col("metric") == "performance")
    performance = log.cells("performance")[log.cells("draws").sum(axis=1) > 0]
    means = np.nanmean(performance, axis=0)
    order = np.argsort(np.where(np.arange(3) == 2, -9.0, -means))
    expected = np.mean([next(row[llm] for llm in order if not np.isnan(row[llm])) for row in performance])
    assert row["mean"][0] == pytest.approx(expected)


def test_only_the_llms_that_both_know_are_scored(fitted: ByTopic, tmp_path: Path) -> None:
    log = make_log(90, seed=5).take_llms(["beta", "gamma"])
    done = evaluate(fitted, log, tmp_path / "columns", columns=np.array([1, 2]))
    assert done.shares["performance_first"]["by_topic"].shape == (2,)
    # For algebra gamma is the better of the two, for history beta.
    np.testing.assert_allclose(done.shares["performance_first"]["by_topic"], [0.5, 0.5])
    with pytest.raises(UserError, match="shape"):
        evaluate(fitted, log, tmp_path / "all")


def test_nothing_is_fitted_on_the_evaluated_log(fitted: ByTopic, tmp_path: Path) -> None:
    Means.fits.clear()
    evaluate(fitted, make_log(90, seed=5), tmp_path)
    assert not Means.fits


def test_the_same_evaluation_can_be_repeated_but_not_another_one(fitted: ByTopic, tmp_path: Path) -> None:
    log = make_log(90, seed=5)
    first = evaluate(fitted, log, tmp_path)
    assert evaluate(fitted, log, tmp_path).summary.equals(first.summary)
    before = (tmp_path / "summary.csv").read_bytes()
    other = ByTopic(seed=4, bias=0.1).fit(TRAIN, TRAIN)
    for router, changed in ((fitted, make_log(90, seed=6)), (other, log), (Last(seed=4).fit(TRAIN, TRAIN), log)):
        with pytest.raises(UserError, match="another folder"):
            evaluate(router, changed, tmp_path)
    assert (tmp_path / "summary.csv").read_bytes() == before


def test_last_digits_of_predictions_do_not_identify_an_evaluation(fitted: ByTopic, tmp_path: Path) -> None:
    log = make_log(90, seed=5)
    evaluate(fitted, log, tmp_path, vectors="topics")
    queries = data_of(log).queries
    near = replace(queries, vectors=queries.vectors * np.float32(1 + 1e-6))
    asked = {"cost_scale": SCALE, "out": tmp_path, "encoder": "topics", "trained_on": "planted"}
    evaluate_router(fitted, near, log, vectors="topics", **asked)
    for changed in ({"vectors": "others"}, {"cost_scale": SCALE * 2}):
        with pytest.raises(UserError, match="another folder"):
            evaluate(fitted, log, tmp_path, **{"vectors": "topics", **changed})


def test_a_router_that_learnt_no_cost_serves_no_scenario_that_weighs_it(fitted: ByTopic, tmp_path: Path) -> None:
    log = make_log(90, seed=5)
    done = evaluate(fitted, log, tmp_path / "out", cost_scale=float("nan"))
    assert set(done.summary["scenario"]) == {"", "performance_first"}
    with pytest.raises(UserError, match="learnt from a log without"):
        evaluate(fitted, log, tmp_path / "no", cost_scale=float("nan"), scenarios=[find_scenario("balance")])


def test_queries_without_any_outcome_are_left_out(fitted: ByTopic, tmp_path: Path) -> None:
    log = make_log(90, seed=5)
    hidden = np.zeros((90, 3), dtype=bool)
    hidden[[3, 10]] = True
    assert evaluate(fitted, log.hide(hidden), tmp_path).sizes == {4: {"all": 88}}
