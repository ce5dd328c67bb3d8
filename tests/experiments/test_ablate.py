import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import polars as pl
import pytest
import yaml

from experiments.ablate import main
from experiments.ablation.comparing import Scores, compare
from experiments.ablation.grid import read_plan
from experiments.ablation.results import Results
from experiments.runs import jobs as run_jobs
from graphrouter.errors import UserError
from graphrouter.evaluation.differences import verdict
from graphrouter.evaluation.simultaneous import simultaneous
from graphrouter.log import load_log
from graphrouter.metrics import auroc

GRID = {
    "base": {"router": "knn", "encoder": "tfidf:16"},
    "seeds": 2,
    "factors": {
        "neighbours": [{"name": "few", "set": {"knn.k": 3}}, {"name": "many", "set": {"knn.k": 60}}],
        "share": {"product": {"router": ["knn", "best_per_task"], "train_share": [0.2, 1.0]}, "against": "router"},
    },
}


@pytest.fixture(scope="module")
def log_folder(tmp_path_factory):
    log = load_log("micropool")
    rows = np.arange(0, log.queries.height, log.queries.height // 300)
    return str(log.take_llms(list(log.llm_names[:4])).take(rows).save(tmp_path_factory.mktemp("logs") / "small"))


def write(file: Path, log_folder: str, **changes) -> Path:
    grid = json.loads(json.dumps(GRID)) | changes
    grid["base"]["log"] = log_folder
    file.write_text(yaml.safe_dump(grid, sort_keys=False))
    return file


@pytest.fixture(scope="module")
def finished(log_folder, tmp_path_factory):
    """The folder of a grid that was run with one worker."""
    folder = tmp_path_factory.mktemp("ablation")
    file = write(folder / "grid.yaml", log_folder)
    assert main(["--config", str(file), "--out", str(folder / "out"), "--jobs", "1", "--quiet"]) == 0
    return folder / "out"


def metrics_of(out: Path, factor: str | None, name: str, key: str) -> list[float]:
    records = [json.loads(file.read_text()) for file in (out / "runs").glob("*/run.json")]
    chosen = [record for record in records if (record["group"], record["name"]) == (factor, name)]
    return [record["metrics"][key] for record in sorted(chosen, key=lambda record: record["config"]["seed"])]


def test_the_table_holds_mean_paired_differences(finished):
    table = pl.read_csv(finished / "table.csv")
    row = table.filter((pl.col("name") == "many") & (pl.col("metric") == "nll")).row(0, named=True)
    many, base = (np.array(metrics_of(finished, *key, "test/nll")) for key in (("neighbours", "many"), (None, "base")))
    assert len(many) == len(base) == row["units"] == 2
    assert row["mean"] == pytest.approx(many.mean(), rel=1e-6)
    assert row["other_mean"] == pytest.approx(base.mean(), rel=1e-6)
    assert row["difference"] == pytest.approx((many - base).mean(), rel=1e-4)
    assert row["seed_deviation"] == pytest.approx((many - base).std(ddof=1), rel=1e-4)
    for metric, key in (("auroc", "test/auroc"), ("reward", "test/balance/reward")):
        row = table.filter(
            (pl.col("name") == "few")
            & (pl.col("metric") == metric)
            & (pl.col("scenario").fill_null("balance") == "balance")
        ).row(0, named=True)
        assert row["mean"] == pytest.approx(np.mean(metrics_of(finished, "neighbours", "few", key)), rel=1e-6)
        assert row["low"] < row["difference"] < row["high"]


def test_routers_are_compared_where_all_else_is_equal(finished):
    table = pl.read_csv(finished / "table.csv").filter(pl.col("metric") == "nll")
    against = {row["name"]: row["against"] for row in table.filter(pl.col("factor") == "share").iter_rows(named=True)}
    assert against == {
        "knn, train_share=0.2": "base",
        "best_per_task, train_share=0.2": "knn, train_share=0.2",
        "best_per_task, train_share=1.0": "knn, train_share=1.0",
    }  # and knn with all queries is the base itself
    row = table.filter(pl.col("name") == "best_per_task, train_share=1.0").row(0, named=True)
    assert row["other_mean"] == pytest.approx(np.mean(metrics_of(finished, None, "base", "test/nll")))


def test_standard_errors_are_those_of_a_bootstrap_over_wordings(finished):
    results = Results.read(finished)
    scores = Scores(results, results.columns())
    table = compare(results, scores).filter((pl.col("name") == "many") & (pl.col("metric") == "nll"))
    plan = results.plan.variants
    pairs = results.pairs(plan["neighbours", "many"], plan["", "base"])
    assert [dict(unit)["seed"] for unit in pairs] == [0, 1]
    frames = []
    for first, second in pairs.values():
        frame = first.queries.with_columns(
            gap=(pl.col("nll") * pl.col("cells") - second.queries["nll"] * pl.col("cells")) / pl.col("cells").mean()
        )
        frames.append(frame.select("group", gap=pl.col("gap") / frame.height / 2))
    # What a wording adds to the mean over seeds; the bootstrap draws wordings of both seeds together.
    by_group = pl.concat(frames).group_by("group").agg(pl.col("gap").sum())["gap"].to_numpy()
    error = np.sqrt(((by_group - by_group.mean()) ** 2).sum())
    assert table["error"][0] == pytest.approx(error, rel=0.15)
    first, second = (run for run, _ in pairs.values())
    shared = set(first.queries["group"]) & set(second.queries["group"])
    columns = [[run.queries["group"].to_list().index(group) for group in shared] for run in (first, second)]
    drawn = [
        scores.resampled.weights(run.record["id"])[:, rows] for run, rows in zip((first, second), columns, strict=True)
    ]
    assert shared
    assert np.array_equal(*drawn)  # a wording that both seeds test is drawn once for both
    run = first
    found = float(auroc(run.predictions.quality, run.outcomes.performance))
    assert scores.of(run, ("", "auroc"))[0] == pytest.approx(found)


def test_the_output_is_there_in_every_form(finished):
    runs = pl.read_csv(finished / "runs.csv")
    assert runs.height == len(list((finished / "runs").iterdir())) == 2 * (1 + 2 + 3)
    assert {"id", "factor", "name", "seed", "status", "router", "knn.k", "train_share", "test/nll"} <= set(runs.columns)
    assert "encoder" not in runs.columns  # it does not vary
    markdown, latex, page = ((finished / f"table.{kind}").read_text() for kind in ("md", "tex", "html"))
    assert "| neighbours | few | base |" in markdown
    lines = [line for line in latex.splitlines() if line.endswith(r"\\")]
    assert len(lines) == page.count("<tr") == markdown.count("\n|") + 1 - 1
    assert all(line.count("&") - line.count(r"\&") == lines[0].count("&") for line in lines)
    assert r"best\_per\_task" in latex
    assert "best_per_task" in page
    figures = {file.name for file in (finished / "figures").iterdir()}
    assert {"differences-nll.png", "differences-nll.svg", "share-nll.svg", "share-balance-reward.png"} <= figures
    assert (finished / "figures" / "share-nll.png").read_bytes().startswith(b"\x89PNG")
    assert "best_per_task" in (finished / "figures" / "share-nll.svg").read_text()


def test_tables_can_be_written_again_without_a_run(finished, capsys):
    kept = (finished / "table.csv").read_text()
    (finished / "table.csv").unlink()
    written = {file: file.stat().st_mtime_ns for file in (finished / "runs").glob("*/run.json")}
    assert main(["tables", "--out", str(finished), "--quiet"]) == 0
    assert (finished / "table.csv").read_text() == kept
    assert written == {file: file.stat().st_mtime_ns for file in written}
    assert capsys.readouterr().out.startswith("| factor | difference |")


def test_a_failed_run_is_recorded_and_the_others_go_on(log_folder, tmp_path, capsys):
    # The mistake shows only when the log's LLMs are known.
    factors = {"pool": [{"name": "too many", "set": {"pool": 40}}, {"name": "three", "set": {"pool": 3}}]}
    command = [
        "--config",
        str(write(tmp_path / "g.yaml", log_folder, factors=factors, seeds=1)),
        "--jobs",
        "1",
        "--quiet",
    ]
    with pytest.raises(SystemExit) as left:
        main([*command, "--out", str(tmp_path / "out")])
    assert left.value.code == 1
    said = capsys.readouterr().err.strip().splitlines()
    assert said[-1].endswith("2 runs finished, 0 kept from before, 1 failed; the same command runs those again")
    assert "pool must be at most the 4 LLMs" in said[-2]
    runs = pl.read_csv(tmp_path / "out" / "runs.csv")
    assert dict(runs.select("name", "status").iter_rows()) == {
        "base": "finished",
        "too many": "failed",
        "three": "finished",
    }
    assert "too many" not in (tmp_path / "out" / "table.md").read_text()


RUN_BUNDLE = run_jobs.run_bundle


def die(bundle):
    if bundle[0].about["name"] == "few":
        os.kill(os.getpid(), signal.SIGKILL)
    return RUN_BUNDLE(bundle)


def test_a_run_whose_process_dies_is_recorded_and_the_others_go_on(log_folder, tmp_path, monkeypatch):
    jobs = read_plan(str(write(tmp_path / "g.yaml", log_folder, seeds=1))).jobs("neighbours", tmp_path)
    monkeypatch.setattr(run_jobs, "run_bundle", die)
    counts = run_jobs.run_all(jobs, 1)
    assert counts.finished == 2
    assert list(counts.failed) == [jobs[1].id]
    assert "its process died" in counts.failed[jobs[1].id]
    record = json.loads((tmp_path / "runs" / jobs[1].id / "run.json").read_text())
    assert (record["status"], record["name"]) == ("failed", "few")


def test_a_grid_that_was_killed_goes_on_without_losing_or_repeating_a_run(log_folder, tmp_path):
    file, out = write(tmp_path / "g.yaml", log_folder, seeds=4), tmp_path / "out"
    command = [sys.executable, "-m", "experiments.ablate", "--config", str(file), "--out", str(out), "--jobs", "1"]
    killed = subprocess.Popen([*command, "--quiet"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        wait_for(lambda: len(list(out.glob("runs/*/run.json"))) >= 3 or killed.poll() is not None)
        workers = Path(f"/proc/{killed.pid}/task/{killed.pid}/children").read_text().split()
    finally:
        killed.kill()
    assert killed.wait() == -signal.SIGKILL
    wait_for(lambda: not any(is_running(worker) for worker in workers))
    kept = {run: run.stat().st_mtime_ns for run in out.glob("runs/*/run.json")}
    jobs = read_plan(str(file)).jobs()
    assert 3 <= len(kept) < len(jobs)
    assert all(json.loads(run.read_text())["status"] == "finished" for run in kept)
    done = subprocess.run([*command, "--quiet"], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert done.stderr.strip().endswith(
        f"{len(jobs) - len(kept)} runs finished, {len(kept)} kept from before, 0 failed"
    )
    assert {run: run.stat().st_mtime_ns for run in kept} == kept
    assert {run.parent.name for run in out.glob("runs/*/run.json")} == {job.id for job in jobs}


def is_running(process: str) -> bool:
    try:
        return Path(f"/proc/{process}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except OSError:
        return False


def wait_for(holds, seconds=60.0):
    end = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < end
        time.sleep(0.01)


def test_ray_runs_the_same_grid(log_folder, finished, tmp_path, monkeypatch):
    pytest.importorskip("ray")
    monkeypatch.setenv("RAY_DISABLE_IMPORT_WARNING", "1")
    file = write(tmp_path / "g.yaml", log_folder, seeds=1)
    command = ["--config", str(file), "--out", str(tmp_path / "out"), "--jobs", "2", "--engine", "ray", "--quiet"]
    assert main([*command, "--only", "neighbours"]) == 0
    records = [json.loads(run.read_text()) for run in (tmp_path / "out").glob("runs/*/run.json")]
    assert sorted(record["name"] for record in records) == ["base", "few", "many"]
    for record in records:
        same = json.loads((finished / "runs" / record["id"] / "run.json").read_text())
        assert record["metrics"] == same["metrics"]


def test_intervals_hold_together_where_nothing_differs():
    """Of correlated null comparisons, by chance one is outside its interval in 5% of the tables, not in far more."""
    random = np.random.default_rng(0)
    comparisons, queries, tables = 12, 200, 80
    mixing = 0.7 * np.eye(comparisons) + 0.3 * random.random((comparisons, comparisons))
    outside, alone = 0, 0
    for number in range(tables):
        sample = random.standard_normal((queries, comparisons)) @ mixing
        counts = random.multinomial(queries, np.full(queries, 1 / queries), size=200)
        found = simultaneous(sample.mean(axis=0), (counts @ sample / queries).T, seed=number)
        outside += ((found.low > 0) | (found.high < 0)).any()
        alone += (np.abs(sample.mean(axis=0)) > 1.96 * found.error).any()
        assert (found.p < 0.05).any() == ((found.low > 0) | (found.high < 0)).any()
    assert 0.005 < outside / tables < 0.1
    assert alone / tables > 0.25  # what intervals for one comparison alone would do


def test_the_correction_knows_what_belongs_together():
    random = np.random.default_rng(1)
    one = random.standard_normal((1, 2000))
    many = random.standard_normal((50, 2000))
    assert simultaneous(np.zeros(1), one).critical == pytest.approx(1.96, abs=0.03)
    assert simultaneous(np.zeros(50), np.repeat(one, 50, axis=0)).critical == pytest.approx(1.96, abs=0.03)
    assert simultaneous(np.zeros(50), many).critical == pytest.approx(3.28, abs=0.08)  # Sidak: 0.05 over 50
    far = simultaneous(np.array([0.0, 4.5 * many[1].std()]), many[:2])
    assert far.p[0] > 0.9
    assert far.p[1] < 0.001
    same = simultaneous(np.zeros(2), np.vstack([np.zeros(2000), one]))
    assert (same.low[0], same.high[0], same.p[0]) == (0, 0, 1)


def test_better_is_lower_for_losses():
    assert verdict("nll", -0.2, -0.1) == verdict("reward", 0.1, 0.2) == "better"
    assert verdict("nll", 0.1, 0.2) == verdict("auroc", -0.2, -0.1) == "worse"
    assert verdict("nll", -0.1, 0.2) == "unclear"


def test_a_factor_may_have_a_base_of_its_own_and_a_grid_may_be_run_over_tasks(tmp_path):
    grid = {
        "base": {"log": "micropool", "router": "knn", "protocol": "leave_task_out"},
        "seeds": 2,
        "over": {"held_out": "tasks"},
        "factors": {
            "other": {"base": {"router": "kmeans"}, "differences": [{"name": "more", "set": {"kmeans.clusters": 9}}]},
            "not held out": {
                "over": {},
                "differences": [{"name": "all", "set": {"protocol": "by_query", "held_out": None}}],
            },
        },
    }
    (tmp_path / "g.yaml").write_text(yaml.safe_dump(grid, sort_keys=False))
    plan = read_plan(str(tmp_path / "g.yaml"))
    tasks = load_log("micropool").tasks
    assert plan.grid.over == {"held_out": list(tasks)}
    assert [(key, variant.against) for key, variant in plan.variants.items()] == [
        (("", "base"), ()),
        (("other", "base"), (("", "base"),)),
        (("other", "more"), (("other", "base"), ("", "base"))),
        (("not held out", "all"), (("", "base"),)),
    ]
    jobs = plan.jobs()
    assert len(jobs) == len({job.id for job in jobs}) == 2 * (3 * len(tasks) + 1)
    assert [job.about["base"] for job in jobs if job.config.router == "kmeans"].count(True) == 2 * len(tasks)
    assert {job.config.held_out for job in plan.jobs("other")} == set(tasks)


@pytest.mark.parametrize(
    ("changes", "overrides", "said"),
    [
        ({"seeds": 0}, [], "seeds must be 1 or more"),
        ({}, ["sead=3"], "'sead'; did you mean 'seed"),
        ({"factors": {"x": [{"name": "y", "set": {"knn.kk": 1}}]}}, [], "x, y, router knn: unknown key 'kk'"),
        ({"factors": {"x": [{"nam": "y", "set": {}}]}}, [], "a difference must be {name"),
        ({"factors": {"x": [{"name": "y", "set": {"knn.k": k}} for k in (1, 2)]}}, [], "two differences 'y'"),
        ({"factors": {"x": {"product": {"knn.k": 3}}}}, [], "must have a list of values"),
        ({"factors": {"x": {"product": {"knn.k": [3]}, "against": "router"}}}, [], "against must be a key"),
        ({"factors": {"x": {"produkt": {}}}}, [], "did you mean 'product'"),
        ({"over": {"held_in": "tasks"}}, [], "did you mean 'held_out'"),
        ({"over": {"held_out": "task"}}, [], "tasks, llms or a list"),
    ],
)
def test_a_grid_that_does_not_do_says_why(tmp_path, changes, overrides, said):
    with pytest.raises(UserError) as caught:
        read_plan(str(write(tmp_path / "g.yaml", "micropool", **changes)), overrides)
    assert said in str(caught.value)


def test_a_folder_of_other_runs_is_left_alone(finished, log_folder, tmp_path, capsys):
    file = write(tmp_path / "g.yaml", log_folder)
    command = ["--config", str(file), "--out", str(finished), "--jobs", "1", "--quiet"]
    assert main([*command, "knn.k=7"]) == 2
    assert "runs that this grid does not ask for" in capsys.readouterr().err
    assert main([*command, "--only", "neighbors"]) == 2
    assert "did you mean 'neighbours'" in capsys.readouterr().err
    assert main([*command, "--engine", "rai"]) == 2
    assert "did you mean 'ray'" in capsys.readouterr().err
    assert main(["tables", "--out", str(tmp_path)]) == 2
    assert "must be the folder of an ablation" in capsys.readouterr().err


def test_every_grid_that_comes_along_can_be_read():
    files = sorted(Path("configs/ablation").glob("*.yaml"))
    assert {"small"} <= {file.stem for file in files}
    for file in files:
        plan = read_plan(file.stem, ["log=micropool"])
        assert plan.jobs()
