import json
import math
from dataclasses import replace

import numpy as np
import polars as pl
import pytest

from experiments.runs.config import RunConfig, changed, read_run, run_id, settings
from experiments.runs.data import load_run, shared_rows
from experiments.runs.execute import Stopped, execute
from graphrouter.errors import UserError
from graphrouter.evaluation.finished import FinishedRun
from graphrouter.evaluation.store import read_record
from graphrouter.log import load_log
from graphrouter.metrics import choose, nll
from graphrouter.splits import by_query


@pytest.fixture(scope="module")
def log_folder(tmp_path_factory):
    """A log of 260 queries of micropool and five of its LLMs."""
    log = load_log("micropool")
    names = [name for name in log.llm_names if "mixture" not in name][:5]
    rows = np.arange(0, log.queries.height, log.queries.height // 260)
    return str(log.take_llms(names).take(rows).save(tmp_path_factory.mktemp("logs") / "small"))


def config(log_folder, *overrides, **values):
    return read_run({"log": log_folder, "router": "knn", "encoder": "tfidf:16", **values}, overrides)


def test_a_run_writes_its_record_and_a_row_for_each_test_query(log_folder, tmp_path):
    chosen = config(log_folder, "seed=1")
    record = execute(chosen, tmp_path)
    assert record == json.loads((tmp_path / "run.json").read_text())
    assert record["status"] == "finished"
    assert record["id"] == run_id(chosen)
    assert record["config"]["seed"] == 1
    assert record["settings"]["knn.k"] == settings(chosen)["knn.k"]
    assert record["settings"]["encoder"] == "tfidf:16"
    log, data = load_log(log_folder), load_run(chosen)
    run = FinishedRun(tmp_path, record)
    frame = run.queries
    test = by_query(log, 1).test
    assert frame["query_id"].to_list() == log.queries["query_id"].gather(test).to_list()
    assert record["sizes"] == {"train": len(data.train.queries), "validation": len(data.validation.queries)} | {
        "test": len(test),
        "llms": 5,
        "tasks": 14,
    }
    numbers = record["metrics"]
    assert all(math.isfinite(value) for value in numbers.values())
    assert np.allclose(run.outcomes.performance, log.cells("performance")[test])
    assert numbers["test/nll"] == pytest.approx(float(nll(run.predictions.quality, run.outcomes.performance)))
    assert numbers["test/nll"] == pytest.approx((frame["nll"] * frame["cells"]).sum() / frame["cells"].sum())
    for scenario in ("performance_first", "balance", "cost_first"):
        assert numbers[f"test/{scenario}/reward"] == pytest.approx(frame[f"reward:{scenario}"].mean())
        assert numbers[f"test/{scenario}/cost"] == pytest.approx(frame[f"cost:{scenario}"].mean())
        assert sum(record["shares"][scenario].values()) == pytest.approx(1)
    assert {"validation/nll", "validation/balance/reward", "test/aiq", "test/auroc"} <= numbers.keys()
    best = record["references"]["oracle"]["test/performance_first/reward"]
    assert best == pytest.approx(float(np.nanmax(log.cells("performance")[test], axis=1).mean()))
    assert (
        best
        > numbers["test/performance_first/reward"]
        > record["references"]["random"]["test/performance_first/reward"]
    )
    assert sum(row["queries"] for row in record["tasks"]) == len(test)
    solved = sum(row["queries"] * row["performance"] for row in record["tasks"]) / len(test)
    assert solved == pytest.approx(numbers["test/performance_first/performance"])
    assert len(record["curve"]) == 41
    assert [row["llm"] for row in record["llms"]] == list(log.llm_names)


def test_a_finished_run_is_not_run_again(log_folder, tmp_path):
    first = execute(config(log_folder), tmp_path)
    written = (tmp_path / "run.json").stat().st_mtime_ns
    assert execute(config(log_folder), tmp_path) == first
    assert (tmp_path / "run.json").stat().st_mtime_ns == written


def test_a_failing_run_is_recorded_and_run_again_next_time(log_folder, tmp_path):
    bad = config(log_folder, "encoder=log")  # which brings no vectors
    record = execute(bad, tmp_path, about={"name": "bad"})
    assert record["status"] == "failed"
    assert record["name"] == "bad"
    assert "\n" not in record["error"]
    assert "Traceback" in (tmp_path / "error.txt").read_text()
    assert not (tmp_path / "predictions.npz").exists()
    assert execute(config(log_folder), tmp_path)["status"] == "finished"


def test_ctrl_c_is_no_failure_of_the_run(log_folder, tmp_path):
    def interrupt(label, evaluation):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        execute(config(log_folder, router="mlp"), tmp_path, on_evaluation=interrupt)
    assert not (tmp_path / "run.json").exists()


def test_a_run_can_be_stopped_early_and_keeps_its_evaluations(log_folder, tmp_path):
    def stop(label, evaluation):
        if evaluation["step"] == 60:
            raise Stopped("no hope")

    record = execute(config(log_folder, router="mlp"), tmp_path, on_evaluation=stop)
    assert (record["status"], record["error"]) == ("stopped", "no hope")
    assert [row["step"] for row in record["history"]] == [20, 40, 60]
    assert record["metrics"]["validation/loss"] == min(row["validation_loss"] for row in record["history"])


def test_whoever_asks_gets_a_pipeline_that_predicts_what_was_scored(log_folder, tmp_path):
    given = []
    execute(config(log_folder), tmp_path, on_result=lambda *both: given.append(both))
    pipeline, record = given[0]
    log = load_log(log_folder)
    test = log.queries[by_query(log, 0).test]
    again = pipeline.predict(test["query"].to_list(), test["task"].to_list()).quality
    assert np.allclose(again, FinishedRun(tmp_path, read_record(tmp_path)).predictions.quality, atol=1e-5)
    assert record["metrics"]["test/nll"] > 0


def test_shares_missing_cells_and_pools_leave_the_test_queries_alone(log_folder):
    whole = load_run(config(log_folder))
    for override in ("train_share=0.3", "missing=0.6", "pool=3", "llms=['*']"):
        other = load_run(config(log_folder, override))
        assert other.test.queries.ids.tolist() == whole.test.queries.ids.tolist()
        assert other.cost_scale == whole.cost_scale
        if "pool" not in override:
            assert np.array_equal(other.test.performance, whole.test.performance, equal_nan=True)
    assert 0.25 < len(load_run(config(log_folder, "train_share=0.3")).train.queries) / len(whole.train.queries) < 0.35


def test_missing_hides_cells_of_train_and_validation_only_and_never_as_zeros(log_folder):
    whole, part = load_run(config(log_folder)), load_run(config(log_folder, "missing=0.6"))
    for name in ("train", "validation"):
        share = getattr(part, name).observed.sum() / getattr(whole, name).observed.sum()
        assert share == pytest.approx(0.4, abs=0.06)
        assert getattr(part, name).observed.any(axis=1).all()
        assert np.isnan(getattr(part, name).performance[~getattr(part, name).observed]).all()


def test_a_larger_share_or_pool_holds_a_smaller_one(log_folder):
    log = load_log(log_folder)
    train = by_query(log, 0).train
    before: set[int] = set()
    for share in (0.05, 0.2, 0.6, 1.0):
        rows = set(shared_rows(log, train, share, 0).tolist())
        assert before < rows
        before = rows
    assert before == set(train.tolist())
    pools = [set(load_run(config(log_folder, f"pool={size}")).test.llms.names) for size in (2, 3, 4)]
    assert pools[0] < pools[1] < pools[2]
    other = {tuple(load_run(config(log_folder, "pool=2", f"seed={seed}")).test.llms.names) for seed in range(6)}
    assert len(other) > 1


def test_the_encoder_is_fitted_on_the_runs_own_training_queries(log_folder):
    whole, part = load_run(config(log_folder)), load_run(config(log_folder, "train_share=0.3"))
    assert not np.allclose(whole.test.queries.vectors, part.test.queries.vectors)
    assert load_run(config(log_folder, "pool=3")).fitted is whole.fitted


def test_a_new_llm_is_scored_in_the_whole_pool(log_folder, tmp_path):
    log = load_log(log_folder)
    new = log.llm_names[np.nanmean(log.cells("performance"), axis=0).argmax()]
    chosen = config(log_folder, "protocol=leave_llm_out", held_out=new, shots=20)
    data = load_run(chosen)
    column = log.llm_names.index(new)
    assert data.train.observed[:, column].sum() == 20
    assert not data.validation.observed[:, column].any()
    assert data.test.observed[:, column].all()
    record = execute(chosen, tmp_path)
    assert record["status"] == "finished", record["error"]
    numbers = record["metrics"]
    outcomes = data.test.performance
    best = (outcomes == outcomes.max(axis=1, keepdims=True)) / (outcomes == outcomes.max(axis=1, keepdims=True)).sum(
        axis=1, keepdims=True
    )
    assert numbers["test/performance_first/new/best"] == pytest.approx(best[:, column].mean(), abs=1e-6)
    assert numbers["test/performance_first/new/picked"] == record["shares"]["performance_first"][new]
    run = FinishedRun(tmp_path, record)
    quality = run.predictions.quality
    assert numbers["test/new/nll"] == pytest.approx(float(nll(quality[:, [column]], outcomes[:, [column]])))
    assert choose(quality, outcomes).max() <= 4
    without = run.queries["without_reward:performance_first"]
    assert numbers["test/performance_first/without/reward"] == pytest.approx(without.mean())
    alone = execute(config(log_folder, llms=[name for name in log.llm_names if name != new]), tmp_path / "alone")
    alone_rewards = FinishedRun(tmp_path / "alone", alone).queries["reward:performance_first"]
    assert alone["status"] == "finished"
    assert without.to_list() == alone_rewards.to_list()


@pytest.fixture(scope="module")
def sparse_folder(log_folder, tmp_path_factory):
    """The same log, with the outcome of one LLM a query."""
    log = load_log(log_folder)
    order = np.random.default_rng(0).random(log.cells("performance").shape).argsort(axis=1).argsort(axis=1)
    return str(log.hide(order > 0).save(tmp_path_factory.mktemp("logs") / "sparse"))


def test_no_choice_is_scored_where_the_log_has_one_outcome_per_query(sparse_folder, tmp_path):
    record = execute(config(sparse_folder), tmp_path)
    assert record["status"] == "finished", record["error"]
    names = {name.rpartition("/")[2] for name in record["metrics"]}
    assert "nll" in names
    assert not names & {"performance", "reward", "cost", "gap_closed"}
    for row in record["tasks"]:
        assert [row[name] for name in ("performance", "best_single", "oracle")] == [None] * 3
        assert row["nll"] is not None
    run = FinishedRun(tmp_path, record)
    frame = run.queries
    assert not [name for name in frame.columns if name.startswith(("performance:", "reward:", "cost:"))]
    # What the router would choose of all LLMs, not the one that was asked when the log was made.
    quality = run.predictions.quality
    llms = np.array(load_log(sparse_folder).llm_names)
    assert frame["llm:performance_first"].to_list() == llms[quality.argmax(axis=1)].tolist()
    assert not record["curve"]


def test_a_new_llm_is_not_scored_by_choices_there(sparse_folder, tmp_path):
    new = load_log(sparse_folder).llm_names[0]
    record = execute(config(sparse_folder, protocol="leave_llm_out", held_out=new, shots=5), tmp_path)
    assert record["status"] == "finished", record["error"]
    numbers = record["metrics"]
    assert "test/new/nll" in numbers
    assert "test/performance_first/new/picked" in numbers
    assert not [name for name in numbers if "without/" in name or name.endswith("new/best")]
    assert not [name for name in FinishedRun(tmp_path, record).queries.columns if "reward" in name]


def test_runs_that_differ_in_shots_share_a_fit_and_nothing_else(log_folder, tmp_path):
    new = load_log(log_folder).llm_names[1]
    fits = []
    records = []
    for number, shots in enumerate((0, 20, 0)):
        chosen = config(
            log_folder, router="mlp", protocol="leave_llm_out", held_out=new, shots=shots, **{"mlp.steps": 40}
        )
        seen = lambda label, row, number=number: fits.append((number, row["step"]))  # noqa: E731
        records.append(execute(chosen, tmp_path / str(number), on_evaluation=seen))
        assert records[-1]["status"] == "finished", records[-1]["error"]
    assert fits == [(0, 20), (0, 40)]
    assert records[0]["history"] == records[1]["history"] == records[2]["history"]
    assert records[0]["metrics"] == records[2]["metrics"] != records[1]["metrics"]


def test_a_log_with_times_can_be_split_by_them(log_folder, tmp_path):
    log = load_log(log_folder)
    times = np.random.default_rng(0).permutation(log.queries.height)
    folder = replace(log, queries=log.queries.with_columns(time=pl.Series(times)), folder=None).save(tmp_path / "timed")
    record = execute(config(str(folder), "protocol=by_time"), tmp_path / "run")
    assert record["status"] == "finished", record["error"]
    asked = FinishedRun(tmp_path / "run", record).queries["query_id"].to_list()
    newest = [id_ for id_, time in zip(log.queries["query_id"], times, strict=True) if time >= int(0.8 * len(times))]
    assert asked == newest
    refused = execute(config(log_folder, "protocol=by_time"), tmp_path / "refused")
    assert "must have a column 'time' or 'timestamp'" in refused["error"]


def test_hyperparameters_come_with_the_routers_name_or_without():
    plain = RunConfig(router="knn", hyperparameters={"k": 7})
    assert read_run({"router": "knn", "hyperparameters": {"k": 7}}) == plain
    assert read_run({"router": "knn", "knn.k": 7}) == plain
    assert read_run({"router": "knn", "knn": {"k": 3}}, ["knn.k=7"]) == plain
    assert read_run({"knn.k": 7}, ["router=knn"]) == plain
    assert changed(plain, {"knn.k": 9}, "").hyperparameters == {"k": 9}
    assert changed(plain, {"router": "kmeans"}, "") == RunConfig(router="kmeans")


def test_an_id_tells_runs_apart_and_nothing_else():
    base = RunConfig(router="knn")
    assert run_id(base) == run_id(read_run({"router": "knn", "knn.k": settings(base)["knn.k"]}))
    others = [{"seed": 1}, {"knn.k": 3}, {"missing": 0.1}, {"encoder": "tfidf"}, {"shots": 0, "log": "x"}]
    assert len({run_id(base), *(run_id(changed(base, values, "")) for values in others)}) == 6


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"sed": 1}, "'sed'; did you mean 'seed'"),
        ({"router": "knn", "gnn.hidden": 3}, "hyperparameters are knn.NAME"),
        ({"router": "knn", "knn.kk": 3}, "'kk'; did you mean 'k'"),
        ({"protocol": "by_tme"}, "did you mean 'by_time'"),
        ({"protocol": "leave_llm_out"}, "held_out must name the LLM"),
        ({"held_out": "x"}, "held_out must not be set"),
        ({"shots": 3}, "shots must be 0 or more, and 0 but with leave_llm_out"),
        ({"train_share": 0}, "train_share must be above 0"),
        ({"missing": 1.0}, "missing must be within"),
        ({"pool": 1}, "pool must be 2 or more"),
        ({"seed": -1}, "seed must be 0 or more"),
        ({"scenarios": ["balanse"]}, "did you mean 'balance'"),
    ],
)
def test_values_that_do_not_do_are_named(values, said):
    with pytest.raises(UserError) as caught:
        read_run(values)
    assert said in str(caught.value)
