import json
import re

import numpy as np
import pytest
import wandb

from experiments.reporting.offline import find_offline, read_logged, read_offline, records
from experiments.run import main
from experiments.runs.wandb_log import Logging, cost_figure, logged, tables
from graphrouter.errors import UserError
from graphrouter.log import load_log
from graphrouter.pipeline import RoutingPipeline

QUICK = ["gnn.members=1", "gnn.hidden=8", "gnn.steps=40", "--gnn.neighbours=20", "encoder=tfidf:8"]


@pytest.fixture(scope="module")
def small_log(tmp_path_factory):
    log = load_log("micropool")
    rows = np.arange(0, log.queries.height, log.queries.height // 260)
    return log.take_llms(log.llm_names[:4]).take(rows).save(tmp_path_factory.mktemp("logs") / "small")


@pytest.fixture(scope="module")
def out(small_log, tmp_path_factory):
    """One configuration on two seeds, as `wandb agent` would start it, logged offline."""
    folder = tmp_path_factory.mktemp("run") / "out"
    words = [f"log={small_log}", *QUICK, "seeds=2", "--out", str(folder), "--wandb", "offline", "--quiet"]
    assert main(words) == 0
    wandb.teardown()  # waits until W&B's own process has written everything, as the end of a command does
    return folder


@pytest.fixture(scope="module")
def kept(out):
    """The records of both seeds."""
    files = sorted(out.glob("runs/*/run.json"), key=lambda file: json.loads(file.read_text())["config"]["seed"])
    return [json.loads(file.read_text()) for file in files]


@pytest.fixture(scope="module")
def run(out):
    (folder,) = find_offline(out)
    return read_logged(folder, "here")


def test_a_run_logs_its_flat_config(run, kept, small_log):
    assert run.config["gnn.hidden"] == 8
    assert run.config["log"] == str(small_log)
    assert run.config["seeds"] == 2
    assert run.name == kept[0]["id"]
    assert run.exit == 0
    assert "_wandb" in run.config


def test_curves_have_a_row_for_each_evaluation_and_end_with_the_metric(run, kept):
    first = [row for row in run.history if "validation_loss" in row]
    assert [row["step"] for row in first] == [20, 40]
    assert [row["validation_loss"] for row in first] == [row["validation_loss"] for row in kept[0]["history"]]
    # early termination on W&B's servers counts these, so the metric of the sweep has a value for each evaluation
    assert [row["validation/nll"] for row in first] == [row["validation_loss"] for row in first]
    second = [row["seed1/validation_loss"] for row in run.history if "seed1/validation_loss" in row]
    assert second == [row["validation_loss"] for row in kept[1]["history"]]


def test_the_summary_has_the_mean_of_every_metric_under_its_own_name(run, kept):
    for name in ("validation/nll", "validation/performance_first/reward", "test/balance/cost", "test/aiq"):
        assert run.summary[name] == pytest.approx(np.mean([record["metrics"][name] for record in kept]))
    assert run.summary["status"] == "finished"


def test_tables_and_the_figure_are_in_the_folder(run, kept, out):
    (folder,) = find_offline(out)
    for name, (columns, rows) in tables(kept[0]).items():
        stored = run.table(run.summary[f"tables/{name}"]["path"])
        assert (stored["columns"], stored["data"]) == (columns, rows)
    assert {"validation", "test", "test_tasks", "routing_shares"} <= tables(kept[0]).keys()
    shares = run.table(run.summary["tables/routing_shares"]["path"])["data"]
    assert sum(share for scenario, _, share in shares if scenario == "balance") == pytest.approx(1)
    assert run.table(run.summary["seed1/tables/validation"]["path"])["data"] == tables(kept[1])["validation"][1]
    page = (folder / "files" / run.summary["figures/cost_quality"]["path"]).read_text()
    assert "<svg" in page
    assert not re.search(
        r"(?:src|href)\s*=|url\((?!#)|@import", page.partition("<script>")[0]
    )  # nothing from elsewhere
    assert page == cost_figure(kept[0])


def test_the_fitted_router_is_an_artifact_that_still_predicts(out, kept):
    (folder,) = find_offline(out)
    logged_ones = [one["artifact"] for one in records(next(folder.glob("run-*.wandb"))) if one["type"] == "artifact"]
    artifacts = {one["name"]: one for one in logged_ones if one["type"] == "model"}
    assert set(artifacts) == {f"router-{record['id']}" for record in kept}
    for record in kept:
        contents = artifacts[f"router-{record['id']}"]["manifest"]["contents"]
        files = {entry["path"]: entry["local_path"] for entry in contents}
        assert "router.json" in files
        model = out / "runs" / record["id"] / "model"
        assert all((model / name).samefile(place) for name, place in files.items())
        loaded = RoutingPipeline.load(model)
        assert loaded.route(["what is 2 + 2?"])[0].llm in loaded.llm_names
        assert loaded.seed == record["config"]["seed"]


def test_a_report_reads_the_runs_back(out, kept):
    (folder,) = find_offline(out)
    runs = read_offline(folder, out)
    assert [one.settings["seed"] for one in runs] == [0, 1]
    for one, record in zip(runs, kept, strict=True):
        assert one.metrics == pytest.approx(record["metrics"])
        assert one.shares == record["shares"]
        assert one.tasks == record["tasks"]
        assert one.curve == record["curve"]


def test_a_run_that_fails_says_so(small_log, tmp_path, capsys):
    words = [f"log={small_log}", *QUICK, "encoder=log", "--out", str(tmp_path), "--wandb", "offline"]
    assert main([*words, "--device", "cpu"]) == 2
    wandb.teardown()
    said = capsys.readouterr().err
    assert "the run must finish, but " in said
    (folder,) = find_offline(tmp_path)
    run = read_logged(folder, "here")
    assert run.summary["status"] == "failed"
    assert "must have a column 'vector' for the encoder 'log'" in run.summary["error"]
    assert run.exit == 1


def test_without_a_login_online_is_one_line(tmp_path, monkeypatch):
    def refuse(**_):
        raise wandb.errors.UsageError("api_key not configured (no-tty)")

    monkeypatch.setattr(wandb, "init", refuse)
    about = {"id": "x", "kind": "run", "name": "x", "base": False}
    with (
        pytest.raises(UserError, match="W&B must be reachable for --wandb online"),
        logged(Logging("online", tmp_path), {}, about),
    ):
        pass


def test_off_logs_nothing(tmp_path):
    with logged(Logging("off", tmp_path), {}, {}) as log:
        log.on_evaluation("gnn", {"step": 20, "validation_loss": 1.0})
        log.end([{"status": "finished", "metrics": {}, "error": None}])
    assert list(tmp_path.iterdir()) == []
