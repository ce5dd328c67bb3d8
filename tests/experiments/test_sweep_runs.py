import json
import os
import signal
import subprocess
import sys
import time
from concurrent.futures import Future
from dataclasses import replace
from pathlib import Path

import numpy as np
import polars as pl
import pytest
import yaml

from experiments.launch import ProcessDiedError, Processes
from experiments.runs.config import settings
from experiments.runs.configuration import read_configs
from experiments.runs.data import scored_by
from experiments.sweep import main
from experiments.sweeps.check import check, compared
from experiments.sweeps.file import make_sweep
from experiments.sweeps.outcome import best_trial, write_outcome
from experiments.sweeps.runner import SweepRun
from graphrouter.config import read_router
from graphrouter.errors import UserError
from graphrouter.evaluation.record import metric_names
from graphrouter.log import load_log
from graphrouter.routers.smoothing import Smoothing

ROOT = Path(__file__).parents[2]
TRIALS = 24
QUICK = {"smoothing.members": 1, "smoothing.hidden": 8, "smoothing.neighbours": 20, "smoothing.folds": 2}


@pytest.fixture(scope="module")
def log_folder(tmp_path_factory):
    """A log of 260 queries of micropool and four of its LLMs."""
    log = load_log("micropool")
    rows = np.arange(0, log.queries.height, log.queries.height // 260)
    return str(log.take_llms(log.llm_names[:4]).take(rows).save(tmp_path_factory.mktemp("logs") / "small"))


def make_source(log_folder, parameters, **keys):
    fixed = {"log": log_folder, "router": "smoothing", "encoder": "tfidf:8", "scenarios": ["performance_first"]}
    values = {name: {"value": value} for name, value in {**fixed, **QUICK, "smoothing.steps": 60}.items()}
    return {"method": "bayes", "metric": {"name": "validation/nll"}, "parameters": values | parameters, **keys}


def quick_source(log_folder):
    """A sweep whose runs take some hundredths of a second; their processes need no torch."""
    fixed = {"log": log_folder, "router": "knn", "encoder": "tfidf:8", "scenarios": ["performance_first"]}
    parameters = {name: {"value": value} for name, value in fixed.items()} | {
        "knn.k": {"min": 1, "max": 60},
        "knn.strength": {"min": 0.1, "max": 30.0, "distribution": "log_uniform_values"},
    }
    metric = {"name": "validation/nll"}
    return {"method": "bayes", "metric": metric, "parameters": parameters, "run_cap": TRIALS, "name": "quick"}


class Here:
    """Runs what is submitted at once, in this process."""

    def __init__(self):
        self.ran = []

    def submit(self, run, configuration):
        self.ran.append(configuration.id)
        future = Future()
        future.set_result(run(configuration))
        return future


def run_here(source, out, jobs=1, **keys):
    made = SweepRun(make_sweep(source, **keys), out, jobs)
    made.begin()
    workers = Here()
    made.run(workers)
    return made, workers


@pytest.fixture(scope="module")
def whole(log_folder, tmp_path_factory):
    """A sweep that was never cut off."""
    made, _ = run_here(quick_source(log_folder), tmp_path_factory.mktemp("sweep") / "out")
    write_outcome(made)
    return made.out


def records(out):
    return {file.parent.name: json.loads(file.read_text()) for file in out.glob("runs/*/run.json")}


def test_a_sweep_leaves_a_results_folder_and_its_best_configuration(whole):
    found = records(whole)
    assert len(found) == TRIALS + 1
    assert all(record["id"] == name for name, record in found.items())
    trials = {record["name"]: record for record in found.values()}
    assert set(trials) == {"default", *(f"trial {number}" for number in range(TRIALS))}
    assert [name for name, record in trials.items() if record["base"]] == ["default"]
    assert trials["default"]["config"]["hyperparameters"] == {}
    assert {record["kind"] for record in found.values()} == {"sweep"}
    assert {record["status"] for record in found.values()} == {"finished"}
    assert yaml.safe_load((whole / "sweep.yaml").read_text())["run_cap"] == TRIALS
    table = pl.read_csv(whole / "trials.csv")
    assert table["validation/nll"].is_sorted()
    named = {name: record["metrics"]["validation/nll"] for name, record in trials.items()}
    assert dict(table.select("trial", "validation/nll").iter_rows()) == pytest.approx(named)
    best = min((value, name) for name, value in named.items() if name != "default")[1]
    router = read_router(whole / "best.yaml")
    assert router.k == trials[best]["settings"]["knn.k"]
    assert router.strength == trials[best]["settings"]["knn.strength"]
    assert f"| {best} |" in (whole / "best.md").read_text()


def test_a_sweep_killed_in_the_middle_goes_on_as_if_nothing_had_been(whole, log_folder, tmp_path, capsys):
    out = tmp_path / "out"
    (tmp_path / "quick.yaml").write_text(yaml.safe_dump(quick_source(log_folder)))
    command = [
        sys.executable,
        "-m",
        "experiments.sweep",
        str(tmp_path / "quick.yaml"),
        "--out",
        str(out),
        "--jobs",
        "1",
    ]
    process = subprocess.Popen(command, cwd=ROOT, stderr=subprocess.PIPE, env=os.environ | {"OMP_NUM_THREADS": "1"})
    deadline = time.monotonic() + 120
    while len(list(out.glob("runs/*/run.json"))) < 2 and time.monotonic() < deadline:
        assert process.poll() is None, process.stderr.read().decode()
        time.sleep(0.01)
    process.send_signal(signal.SIGKILL)
    process.wait()
    process.stderr.close()
    time.sleep(0.3)  # its workers notice
    before = {file: file.stat().st_mtime_ns for file in out.glob("runs/*/run.json")}
    assert 2 <= len(before) < TRIALS + 1
    time.sleep(1)
    assert set(out.glob("runs/*/run.json")) == set(before)  # no worker lived on
    _, workers = run_here(quick_source(log_folder), out)
    assert not set(workers.ran) & {file.parent.name for file in before}
    assert len(workers.ran) == TRIALS + 1 - len(before)
    assert {file: file.stat().st_mtime_ns for file in before} == before
    for name, record in records(out).items():
        assert record["metrics"] == records(whole)[name]["metrics"]
    assert main(command[3:]) == 0  # nothing is left to do
    assert f"quick: {TRIALS} trials ({TRIALS} finished)" in capsys.readouterr().out
    columns = ["trial", "status", "validation/nll"]
    assert pl.read_csv(out / "trials.csv").select(columns).equals(pl.read_csv(whole / "trials.csv").select(columns))


def test_a_finished_sweep_runs_nothing_and_may_go_on_with_more_runs(whole, log_folder):
    made, workers = run_here(quick_source(log_folder), whole)
    assert workers.ran == []
    assert len(made.trials) == TRIALS
    made, workers = run_here(quick_source(log_folder), whole, runs=TRIALS + 1)
    assert [name.partition("-")[0] for name in workers.ran] == [f"t{TRIALS:03d}"]
    other = quick_source(log_folder) | {"method": "random"}
    with pytest.raises(UserError, match="must be this sweep, but is another"):
        run_here(other, whole)


def no_room_for_21(build):
    def build_or_fail(router, train):
        if router.neighbours == 21:
            raise MemoryError("no room for 21 neighbours")
        return build(router, train)

    return build_or_fail


def test_bad_runs_are_stopped_and_failed_ones_recorded(log_folder, tmp_path, monkeypatch):
    parameters = {"smoothing.learning_rate": {"values": [0.001, 0.5]}, "smoothing.neighbours": {"values": [20, 21]}}
    parameters["smoothing.batch_size"] = {"value": 16}
    early = {"type": "hyperband", "min_iter": 2, "eta": 3, "strict": True}
    source = make_source(log_folder, parameters, method="grid", early_terminate=early)
    monkeypatch.setattr(Smoothing, "_outcome_graph", no_room_for_21(Smoothing._outcome_graph))
    made, _ = run_here(source, tmp_path)
    assert [trial.records[-1]["status"] for trial in made.trials] == ["finished", "failed", "stopped", "failed"]
    stopped, failed = made.trials[2].records[0], made.trials[1].records[0]
    assert [row["step"] for row in stopped["history"]] == [20, 40, 60]
    assert "evaluation 2" in stopped["error"]
    assert "no room for 21 neighbours" in failed["error"]
    assert best_trial(made) is made.trials[0]
    assert "4 trials (2 failed, 1 finished, 1 stopped)" in write_outcome(made)
    again, workers = run_here(source, tmp_path)
    assert workers.ran == []
    assert [trial.records for trial in again.trials] == [trial.records for trial in made.trials]


@pytest.mark.parametrize(
    "parameter",
    [{"values": [20, 0]}, {"min": 0, "max": 20}, {"distribution": "q_uniform", "min": -4, "max": 20, "q": 2}],
    ids=["list", "ends", "steps"],
)
def test_a_value_out_of_range_is_refused_before_the_first_run(log_folder, tmp_path, parameter):
    source = make_source(log_folder, {"smoothing.neighbours": parameter}, method="random", run_cap=2)
    with pytest.raises(UserError, match="router smoothing: smoothing.neighbours must be 1 or more, but is"):
        run_here(source, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_a_sweep_ends_at_its_target_or_says_that_nothing_finished(log_folder, tmp_path, monkeypatch):
    parameters = {"smoothing.rank": {"values": [2, 3, 4, 5, 6]}}
    metric = {"name": "validation/nll", "target": 5.0}
    made, _ = run_here(make_source(log_folder, parameters, method="grid", metric=metric), tmp_path / "target")
    assert len(made.trials) == 1
    monkeypatch.setattr(Smoothing, "_outcome_graph", no_room_for_21(Smoothing._outcome_graph))
    failing = make_source(
        log_folder, {"smoothing.neighbours": {"value": 21}, "smoothing.rank": {"values": [2, 3]}}, method="grid"
    )
    made, _ = run_here(failing, tmp_path / "failing")
    with pytest.raises(UserError, match="none did; the first says: .*no room for 21 neighbours"):
        write_outcome(made)


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("validation/nil", "no run has the metric 'validation/nil' of the sweep; did you mean 'validation/nll'"),
        ("validation/accuracy", "no run has the metric 'validation/accuracy' of the sweep"),
        ("validation/performance_first/rewards", "did you mean 'validation/performance_first/reward'"),
        ("validation/balance/reward", "theirs lack its scenario; known: .*validation/performance_first/reward"),
    ],
)
def test_a_metric_that_no_run_has_is_refused_before_the_first(log_folder, tmp_path, name, said):
    source = make_source(log_folder, {"smoothing.rank": {"values": [2, 3]}}, run_cap=1, metric={"name": name})
    with pytest.raises(UserError, match=said):
        run_here(source, tmp_path / "unknown")
    assert not (tmp_path / "unknown").exists()


def test_metrics_are_known_before_a_run(whole, log_folder):
    given = {name for record in records(whole).values() for name in record["metrics"] if name.startswith("validation/")}
    config = read_configs({"log": log_folder, "router": "knn", "scenarios": ["performance_first"]})[0]
    assert set(metric_names("validation", *scored_by(config))) == given


def test_a_configuration_is_run_once_and_the_sweep_says_when_there_are_no_more(log_folder, tmp_path):
    source = quick_source(log_folder)
    source["parameters"]["knn.k"] = {"values": [20, 40]}
    source["parameters"]["knn.strength"] = {"value": 5.0}
    made, workers = run_here(source, tmp_path, runs=6)
    assert sorted(trial.asked.values["knn.k"] for trial in made.trials) == [20, 40]
    assert made.exhausted
    assert len(workers.ran) == len(set(workers.ran)) == 3
    assert "quick: 2 trials (2 finished)" in (said := write_outcome(made))
    assert "every configuration has been run; 6 were asked for" in said
    again, workers = run_here(source, tmp_path, runs=6)
    assert (workers.ran, again.exhausted, len(again.trials)) == ([], True, 2)


def test_a_trial_that_is_the_default_is_not_run_twice(log_folder, tmp_path):
    default = read_configs({"log": log_folder, "router": "knn"})[0]
    k = settings(default)["knn.k"]
    source = quick_source(log_folder) | {"method": "grid"}
    source["parameters"] |= {"knn.k": {"values": [1, k]}}
    del source["parameters"]["knn.strength"]
    for ran in (2, 0):
        made, workers = run_here(source, tmp_path)
        assert len(workers.ran) == ran
        assert made.trials[1].records == made.default.records
    said = write_outcome(made)
    assert "No trial beats the default" in said
    assert "No trial beats the default" in (tmp_path / "best.yaml").read_text()
    assert read_router(tmp_path / "best.yaml").k == k


def test_trials_are_compared_with_the_default_under_what_the_sweep_fixes(log_folder, tmp_path):
    made, _ = run_here(make_source(log_folder, {"smoothing.rank": {"values": [2, 4]}}, method="grid"), tmp_path)
    default = made.default.records[0]["settings"]
    fixed = QUICK | {"smoothing.steps": 60}
    assert {name: default[name] for name in fixed} == fixed
    assert default["smoothing.rank"] not in (2, 4)
    said = write_outcome(made)
    assert "but for what the sweep fixes (smoothing.folds=2" in said
    assert "smoothing.steps=60" in said
    best, reached = best_trial(made), made.default.records[0]["metrics"]["validation/nll"]
    beats = best.value("validation/nll") < reached
    assert ("No trial beats the default" in said) is not beats


def test_a_value_over_several_seeds_is_their_mean(log_folder, tmp_path):
    parameters = {"smoothing.rank": {"values": [2, 4]}, "seeds": {"value": 2}, "seed": {"value": 5}}
    made, _ = run_here(make_source(log_folder, parameters, method="grid"), tmp_path)
    trial = made.trials[0]
    assert [record["config"]["seed"] for record in trial.records] == [5, 6]
    values = [record["metrics"]["validation/nll"] for record in trial.records]
    assert values[0] != values[1]
    assert trial.value("validation/nll") == pytest.approx(np.mean(values))
    assert len(records(tmp_path)) == 6


def test_the_best_is_checked_on_test_queries_of_new_seeds(whole, log_folder):
    made, _ = run_here(quick_source(log_folder), whole)
    text = check(made, 2, Here())
    table = pl.read_csv(whole / "check.csv")
    found = records(whole / "check")
    assert {(record["name"], record["config"]["seed"]) for record in found.values()} == {
        (name, seed) for name in ("best", "default") for seed in (1, 2)
    }
    row = table.row(by_predicate=pl.col("metric") == "test/nll", named=True)
    for name in ("best", "default"):
        means = [record["metrics"]["test/nll"] for record in found.values() if record["name"] == name]
        assert row[name] == pytest.approx(np.mean(means))
    assert row["difference"] == pytest.approx(row["best"] - row["default"])
    assert row["low"] <= row["difference"] <= row["high"]
    assert "seeds 1 to 2" in text
    assert text.strip() in (whole / "check.md").read_text()


def test_what_the_sweep_fixes_is_checked_against_the_router_as_it_comes(log_folder, tmp_path):
    source = quick_source(log_folder) | {"method": "grid"}
    source["parameters"] |= {"knn.k": {"values": [20, 40]}, "knn.strength": {"value": 2.0}}
    made, _ = run_here(source, tmp_path)
    assert "--check compares it with the router as it comes" in write_outcome(made)
    text = check(made, 1, Here())
    found = {record["name"]: record for record in records(tmp_path / "check").values()}
    strengths = {name: record["config"]["hyperparameters"].get("strength") for name, record in found.items()}
    assert strengths == {"best": 2.0, "default": 2.0, "as it comes": None}
    rows = pl.read_csv(tmp_path / "check.csv").filter(pl.col("metric") == "test/nll").rows_by_key("against", named=True)
    for name in ("default", "as it comes"):
        assert rows[name][0]["default"] == pytest.approx(found[name]["metrics"]["test/nll"])
    assert "Against knn as it comes, without the values that the sweep fixes" in text


def query_rows(seed, better):
    random = np.random.default_rng(seed)
    nll = random.random(400) + 0.5
    frame = {
        "query_id": [f"q{row}" for row in range(400)],
        "group": np.arange(400),
        "cells": random.integers(1, 9, 400),
    }
    return [
        pl.DataFrame(frame | {"nll": nll - shift, "reward:x": nll + random.normal(0, 0.1, 400), "cost:x": nll + shift})
        for shift in (better, 0.0)
    ]


def test_an_interval_that_leaves_out_zero_decides():
    parts = [query_rows(seed, 0.01) for seed in range(3)]
    table = compared(parts)
    rows = {row["metric"]: row for row in table.iter_rows(named=True)}
    assert rows["test/nll"]["difference"] == pytest.approx(-0.01)
    by_cells = [np.average(default["nll"], weights=default["cells"]) for _, default in parts]
    assert rows["test/nll"]["default"] == pytest.approx(np.mean(by_cells))
    verdicts = {name: row["verdict"] for name, row in rows.items()}
    assert verdicts == {"test/nll": "better", "test/x/reward": "unclear", "test/x/cost": "worse"}
    one = query_rows(0, 0.01)
    with pytest.raises(UserError, match="same test queries"):
        compared([[one[0], one[1].head(10)]])


class Deadly:
    """Ends the process that unpickles it."""

    def __reduce__(self):
        return os._exit, (3,)


class DeadlyPlaces:
    """Places whose first process dies."""

    def __init__(self, places):
        self.places, self.killed = places, False

    def submit(self, run, configuration):
        if not self.killed and configuration.prefix == "t000-":
            self.killed = True
            return self.places.submit(run, replace(configuration, on_evaluation=Deadly()))
        return self.places.submit(run, configuration)


def test_a_run_whose_process_dies_is_recorded_and_the_sweep_goes_on(log_folder, tmp_path):
    source = quick_source(log_folder) | {"method": "grid"}
    source["parameters"] |= {"knn.k": {"values": [20, 40]}, "knn.strength": {"value": 2.0}}
    made = SweepRun(make_sweep(source), tmp_path, jobs=2)
    made.begin()
    with Processes(2) as places:
        made.run(DeadlyPlaces(places))
        with pytest.raises(ProcessDiedError, match="process died"):
            places.submit(os._exit, 3).result()
        assert places.submit(abs, -3).result() == 3
    assert [trial.status for trial in made.trials] == ["failed", "finished"]
    assert made.default.status == "finished"
    assert "process died" in made.trials[0].records[0]["error"]
    assert {record["name"]: record["status"] for record in records(tmp_path).values()} == {
        "default": "finished",
        "trial 0": "failed",
        "trial 1": "finished",
    }


def test_a_sweep_of_an_earlier_version_is_refused_in_one_line(log_folder, tmp_path):
    (tmp_path / "trials.json").write_text("[]")
    with pytest.raises(UserError, match="holds a sweep of an earlier version .* name another --out"):
        run_here(quick_source(log_folder), tmp_path)


def test_processes_that_share_a_study_stop_bad_runs(log_folder, tmp_path):
    parameters = {"smoothing.learning_rate": {"values": [0.001, 0.5]}, "smoothing.batch_size": {"value": 16}}
    early = {"type": "hyperband", "min_iter": 2, "eta": 3, "strict": True}
    made = SweepRun(make_sweep(make_source(log_folder, parameters, method="grid", early_terminate=early)), tmp_path, 1)
    made.begin()
    with Processes(1) as places:
        made.run(places)
    assert [trial.status for trial in made.trials] == ["finished", "stopped"]
