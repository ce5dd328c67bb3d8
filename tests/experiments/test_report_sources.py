import json
import shutil
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import polars as pl
import pytest
import wandb
from report_runs import real_run, small_log

from experiments.reporting import read_runs, render
from experiments.reporting.offline import records
from experiments.reporting.online import read_online
from experiments.reporting.paired import differences
from experiments.reporting.panels import panels
from experiments.reporting.publish import build, publish
from experiments.runs.wandb_log import Logging, logged
from graphrouter.encoders import TfidfEncoder
from graphrouter.errors import UserError
from graphrouter.evaluation import compare
from graphrouter.log import load_log
from graphrouter.routers import find_router


@pytest.fixture(scope="module")
def log(tmp_path_factory: pytest.TempPathFactory) -> str:
    return small_log(tmp_path_factory.mktemp("log"))


@pytest.fixture(scope="module")
def two_seeds(log: str, tmp_path_factory: pytest.TempPathFactory) -> list[dict[str, Any]]:
    out = tmp_path_factory.mktemp("runs")
    return [real_run(out / f"s{seed}", log, seed=seed) for seed in (0, 1)]


# Comparisons


@pytest.fixture(scope="module")
def comparison(log: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("comparison") / "out"
    routers = [find_router(name)() for name in ("best_single", "linear", "oracle")]
    compare(load_log(log), TfidfEncoder(16), routers, seeds=[0, 1], out=out, ours=["linear"])
    return out


def test_a_comparison_becomes_the_same_records(comparison: Path) -> None:
    runs = read_runs([comparison])
    assert [(run.name, run.seed, run.base, run.group) for run in runs[:3]] == [
        ("best_single", 0, False, None),
        ("linear", 0, True, None),
        ("oracle", 0, False, "oracle"),
    ]
    results = pl.read_csv(comparison / "results.csv").with_columns(pl.col("scenario", "task").fill_null(""))
    compared = 0
    for run in runs:
        mine = results.filter((pl.col("router") == run.name) & (pl.col("seed") == run.seed))
        for scenario, metric, value in (
            mine.filter((pl.col("task") == "") & (pl.col("split") == "test"))
            .select("scenario", "metric", "value")
            .iter_rows()
        ):
            key = f"test/{scenario}/{metric}" if scenario else f"test/{metric}"
            if metric not in ("aiq", "performance_gain", "cost_saving", "pareto_dist"):
                assert run.metrics[key] == pytest.approx(value), key
                compared += 1
        by_task = {row["task"]: row["performance"] for row in run.tasks}
        for task, value in (
            mine.filter(
                (pl.col("scenario") == "performance_first")
                & (pl.col("metric") == "performance")
                & (pl.col("task") != "")
            )
            .select("task", "value")
            .iter_rows()
        ):
            assert by_task[task] == pytest.approx(value)
    assert compared > 100
    linear = runs[1]
    frame = linear.frame()
    assert frame is not None
    assert (frame["nll"] * frame["cells"]).sum() / frame["cells"].sum() == pytest.approx(linear.metrics["test/nll"])
    gain = linear.metrics["test/balance/reward"] - linear.references["best_single"]["test/balance/reward"]
    assert gain == pytest.approx(linear.metrics["test/balance/gain_over_best_single"])
    page = render(runs)
    assert "Differences to the base" in page
    (panel,) = panels(runs)
    assert panel.configurations[-1].label == "oracle"  # it knows the outcomes, and is never the best
    assert {one.one.label for one in differences(panel)[0]} == {"best_single"}


def test_a_comparison_that_has_not_ended_names_what_is_absent(comparison: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    shutil.copytree(comparison, out)
    (out / "runs" / "linear-seed1" / "run.json").unlink()
    assert [run.id for run in read_runs([out]) if run.status == "unfinished"] == ["linear-seed1"]


def test_folders_of_an_earlier_version_are_refused(comparison: Path, log: str, tmp_path: Path) -> None:
    real_run(tmp_path / "kept", log)
    for source, mark in ((comparison, "predictions/linear-seed0.npz"), (tmp_path / "kept", "edges.npz")):
        out = tmp_path / "copies" / source.parent.name
        shutil.copytree(source, out)
        (out / mark).parent.mkdir(exist_ok=True)
        (out / mark).touch()
        with pytest.raises(
            UserError, match="earlier version, which kept predictions in another form; name another folder"
        ):
            read_runs([out])


# W&B


@pytest.fixture(scope="module")
def offline(two_seeds: list[dict[str, Any]], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An offline run of two seeds, logged as a sweep does."""
    out = tmp_path_factory.mktemp("offline")
    first = two_seeds[0]
    pipeline = SimpleNamespace(
        save=lambda folder: (folder.mkdir(parents=True), (folder / "router.json").write_text("{}"))
    )
    about = {"id": "linear-s0", "kind": "sweep", "name": "trial 3", "base": False}
    with logged(Logging("offline", out, "test", "group"), first["settings"] | {"seeds": 2}, about) as log:
        for seed, record in enumerate(two_seeds):
            for step in (20, 40, 60):
                losses = {
                    "step": step,
                    "train_loss": 1.0 + seed - (step - 20) / 200,
                    "validation_loss": 2.0 + seed - (step - 20) / 200,
                }
                log.on_evaluation("quality", losses)
                log.on_evaluation("cost", losses)
            log.on_result(pipeline, record, out / "models" / f"s{seed}")
            log.next_seed()
        log.end(two_seeds)
    wandb.teardown()  # the last records are in the file only once W&B's own process has ended
    return out


def test_an_offline_run_gives_back_each_of_its_seeds(offline: Path, two_seeds: list[dict[str, Any]]) -> None:
    runs = read_runs([offline])
    assert [(run.seed, run.status, run.kind, run.name, run.group) for run in runs] == [
        (0, "finished", "sweep", "trial 3", "group"),
        (1, "finished", "sweep", "trial 3", "group"),
    ]
    for run, record in zip(runs, two_seeds, strict=True):
        assert run.metrics == pytest.approx(record["metrics"])
        assert run.tasks == record["tasks"]
        assert run.shares == record["shares"]
        assert run.llms == record["llms"]
        assert run.curve == record["curve"]
        assert run.references.keys() == record["references"].keys()
        for name, values in record["references"].items():
            known = {key: value for key, value in values.items() if key in record["metrics"]}
            assert run.references[name] == pytest.approx(known)
        assert {key: value for key, value in run.settings.items() if key != "seed"} == {
            key: value for key, value in record["settings"].items() if key != "seed"
        }
    seconds = [entry for entry in runs[1].history if "validation_loss" in entry]
    assert [entry["validation_loss"] for entry in seconds if entry["label"] == "router"] == [3.0, 2.9, 2.8]
    assert [entry["step"] for entry in runs[0].history if entry["label"] == "cost"] == [20, 40, 60]
    (panel,) = panels(runs)
    assert len(panel.configurations) == 1
    assert "Which LLM is picked" in render(runs)


def test_offline_runs_are_found_in_the_folder_the_wandb_folder_and_alone(offline: Path) -> None:
    (folder,) = (offline / "wandb").glob("offline-run-*")
    for source in (offline, offline / "wandb", folder):
        assert len(read_runs([source])) == 2


def test_a_wandb_file_that_was_cut_off_is_read_up_to_there(offline: Path, tmp_path: Path) -> None:
    (folder,) = (offline / "wandb").glob("offline-run-*")
    copy = tmp_path / "wandb" / folder.name
    shutil.copytree(folder, copy)
    (file,) = copy.glob("*.wandb")
    content, whole = file.read_bytes(), sum(1 for _ in records(file))
    file.write_bytes(content[: len(content) // 2])
    assert 3 < sum(1 for _ in records(file)) < whole
    (run,) = read_runs([tmp_path])
    assert run.status == "unfinished"
    assert run.settings["router"] == "linear"
    file.write_bytes(b"not a log")
    (run,) = read_runs([tmp_path])
    assert run.status == "unreadable"
    assert "no .wandb file" in str(run.error)
    assert "cannot be read" in render([run])


def test_a_run_that_something_else_logged_is_read_too(tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    text = "".join(map(chr, random.integers(97, 123, 100_000)))
    with wandb.init(
        mode="offline", dir=tmp_path, config={"log": "a", "text": text, "seed": 4}, settings=wandb.Settings(silent=True)
    ) as run:
        run.log({"step": 1, "train_loss": 2.0})
        run.summary["status"] = "stopped"
    wandb.teardown()
    (found,) = read_runs([tmp_path])
    assert found.settings == {"log": "a", "text": text, "seed": 4}
    assert found.status == "stopped"
    assert found.history == [{"label": "router", "step": 1, "train_loss": 2.0}]


class Api:
    """Stands in for `wandb.Api`: a project with one run, whose table is a file to download."""

    def __init__(self, record: dict[str, Any]) -> None:
        self.record = record

    def runs(self, project: str) -> list[Any]:
        assert project == "me/project"
        table = {"columns": ["metric", "value"], "data": [["nll", 0.25]]}

        def download(root: str) -> None:
            (Path(root) / "media").mkdir()
            (Path(root) / "media" / "validation.json").write_text(json.dumps(table))

        run = SimpleNamespace(
            id="abc", name="linear-s0", group=None, job_type="run", state="finished", created_at="2026-01-01T00:00:00",
            config=self.record["settings"] | {"name": "base"},
            summary={"_runtime": 3, "test/nll": 0.5, "tables/validation": {"_type": "table-file", "path": "media/validation.json"}},
            scan_history=lambda: iter([{"step": 20, "validation_loss": 0.7, "_step": 0}]),
            file=lambda path: SimpleNamespace(download=download) if path == "media/validation.json" else None,
        )  # fmt: skip
        crashed = SimpleNamespace(**(vars(run) | {"state": "crashed", "summary": {}}))
        return [run, crashed, SimpleNamespace(**(vars(run) | {"state": "running", "summary": {}}))]


def test_online_runs_become_the_same_records(two_seeds: list[dict[str, Any]]) -> None:
    run, crashed, running = read_online("me/project", Api(two_seeds[0]))
    assert run.source == "wandb:me/project"
    assert run.metrics == {"validation/nll": 0.25}
    assert run.history == [{"label": "router", "step": 20, "validation_loss": 0.7}]
    assert run.seconds == 3
    assert (run.status, crashed.status, running.status) == ("finished", "failed", "unfinished")


def test_online_runs_need_an_account_and_a_project(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in ("WANDB_API_KEY", "WANDB_BASE_URL"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("NETRC", str(tmp_path / "none"))
    with pytest.raises(UserError, match="wandb login"):
        read_runs(["wandb:me/project"])
    with pytest.raises(UserError, match="ENTITY/PROJECT"):
        read_runs(["wandb:project"])
    with pytest.raises(UserError, match="needs an account"):
        publish(read_some(), "me/project", "T")


def read_some() -> list[Any]:
    from experiments.reporting import Run

    settings = {"log": "a", "router": "gnn", "seed": 0, "gnn.x": 1}
    one = Run(
        "a",
        "out",
        "finished",
        settings=settings,
        metrics={"validation/nll": 0.5, "test/nll": 0.6},
        base=True,
        name="base",
    )
    return [one, replace(one, id="b", name="x<2", base=False, settings=settings | {"gnn.x": 2})]


def test_a_wandb_report_has_the_text_the_tables_and_panels_over_the_log() -> None:
    pytest.importorskip("wandb_workspaces", reason="wandb-workspaces, of the extra experiments, is not installed")
    made = build(read_some(), "me/project", "T" * 200)
    assert (made.entity, made.project, len(made.title)) == ("me", "project", 128)
    kinds = [type(block).__name__ for block in made.blocks]
    assert kinds[:3] == ["TableOfContents", "H1", "UnorderedList"]
    grid = made.blocks[kinds.index("PanelGrid")]
    assert [type(panel).__name__ for panel in grid.panels] == [
        "ParallelCoordinatesPlot",
        "ParameterImportancePlot",
        "LinePlot",
        "BarPlot",
    ]
    assert grid.panels[1].with_respect_to == "validation/nll"
    assert [column.metric.name for column in grid.panels[0].columns] == ["gnn.x", "validation/nll"]
    assert "'a'" in grid.runsets[0].filters
    text = "\n".join(block.text for block in made.blocks if type(block).__name__ == "MarkdownBlock")
    assert "has the best nll on validation: 0.5000" in text
    assert "**" in text
    assert "<b>" not in text
    assert "| x<2 | 1 | 0.5 | 0.6 |" in text
    for block in made.blocks:
        if type(block).__name__ != "PanelGrid":  # a run set asks the server for its project
            block._to_model()
    for panel in grid.panels:
        panel._to_model()


def test_a_wandb_report_goes_to_a_project() -> None:
    pytest.importorskip("wandb_workspaces", reason="wandb-workspaces, of the extra experiments, is not installed")
    for project in ("project", "me/", "a/b/c"):
        with pytest.raises(UserError, match="ENTITY/PROJECT"):
            build(read_some(), project, "T")


def test_names_and_values_cannot_put_anything_into_the_page() -> None:
    bad = "<img src=x>"
    one, two = read_some()
    many = [
        replace(
            two, id=f"{bad}{n}", name=f"{bad}{n}", group=bad, settings=two.settings | {"gnn.x": f"{bad}{n}", bad: n}
        )
        for n in range(4)
    ]
    rich = {"tasks": [{"task": bad, "queries": 3, "performance": 0.5, "best_single": 0.4}], "shares": {bad: {bad: 1.0}}}
    rich |= {"history": [{"label": bad, "step": n, "validation_loss": 1.0 - n, "train_loss": 1.0} for n in range(3)]}
    rich |= {
        "curve": [{"alpha": 1, "cost": 0.1, "performance": 0.5}],
        "llms": [{"llm": bad, "cost": 0.1, "performance": 0.4}],
    }
    page = render([replace(run, **rich) for run in (one, *many)], bad)
    assert page.count("&lt;img src=x&gt;") > 20
    assert "<img" not in page
