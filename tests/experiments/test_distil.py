"""The distillation experiment at a tiny scale: every arm for real, and what is kept of it."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from experiments.distil.__main__ import PROGRAM
from experiments.distil.config import read_distil
from experiments.distil.students import CONFIG, find_choice, run_job, waves
from experiments.distil.tables import report
from experiments.micropool.config import read_pool
from experiments.micropool.pool import write_tasks
from fusion.selection import make_settings
from fusion.training import make_config
from graphrouter.errors import UserError
from graphrouter.log import load_log
from graphrouter.settings import merge

MODELS = Path(__file__).parents[1] / "models"
BASE = "spark-0.1m"
TASKS = ("arithmetic", "world_places")
ARMS = [
    {"name": "random", "select": {"ranking": "random", "top_k": 2, "skip": ["extras"]}},
    {"name": "random_dpo", "after": "random", "train": {"method": "dpo", "dpo": {"max_steps": 1}}, "tries": [{}]},
    {"name": "label", "seeds": 1, "select": {"ranking": "baseline", "skip": ["extras"]}},
]


@pytest.fixture(scope="module")
def work(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A log of two tasks, the pool that it is from, and the experiment on it."""
    folder = tmp_path_factory.mktemp("distil")
    log = load_log("micropool")
    rows = [np.flatnonzero((log.queries["task"] == task).to_numpy())[:30] for task in TASKS]
    log.take(np.concatenate(rows)).save(folder / "log")
    write_tasks(read_pool("pool"), folder / "tasks")
    for file in (folder / "tasks").iterdir():
        if file.stem not in TASKS:
            file.unlink()
    (folder / "models").mkdir()
    shutil.copytree(MODELS / BASE, folder / "models" / BASE)
    values: dict[str, Any] = {"log": str(folder / "log"), "pool": str(folder), "base": BASE, "seeds": 2, "arms": ARMS}
    values |= {"train": {"max_steps": 2, "batch_size": 4}, "tries": [{"learning_rate": 1e-3}, {"learning_rate": 0.3}]}
    (folder / "tiny.yaml").write_text(json.dumps(values))
    return folder


def test_every_arm_is_made_once_and_stands_in_the_tables(work: Path, capsys: pytest.CaptureFixture[str]) -> None:
    config = read_distil(str(work / "tiny.yaml"))
    assert [(arm.name, seed) for arm, seed in config.jobs()][-2:] == [("random_dpo", 0), ("random_dpo", 1)]
    for arm, seed in config.jobs():
        run_job(config, arm, seed, work / "out")
    students = sorted((work / "out" / "students").iterdir())
    assert len(students) == 2 * 2 + 2 + 2
    stamps = [(student / "training.json").stat().st_mtime_ns for student in students]
    choice = find_choice("random-s1", work / "out")
    assert choice["student"] == "random-s1-t0"  # the other rate is far too high
    assert choice["settings"] == {"learning_rate": 1e-3}
    assert choice["validation"][0] > choice["validation"][1]
    about = json.loads((work / "out" / "students" / "random_dpo-s1-t0" / "training.json").read_text())
    assert about["config"]["model"].endswith("random-s1-t0")
    assert about["stages"]["dpo"]["steps"] == 1
    assert [file.name for file in sorted((work / "out" / "rankings").iterdir())] == [
        "random-s0.parquet",
        "random-s1.parquet",
    ]

    words = ["run", "--config", str(work / "tiny.yaml"), "--out", str(work / "out"), "--jobs", "1", "--quiet"]
    assert PROGRAM.main(words) == 0
    assert [(student / "training.json").stat().st_mtime_ns for student in students] == stamps
    printed = capsys.readouterr().out
    assert printed.endswith((work / "out" / "report.md").read_text())
    scores = pl.read_csv(work / "out" / "scores_2.csv").filter(pl.col("scope") == "all")
    assert scores.filter(pl.col("kind") == "student")["candidate"].to_list() == ["random", "random_dpo"]
    assert set(scores["queries"]) == {2 * 12}
    pairs = pl.read_csv(work / "out" / "differences_2.csv").filter(pl.col("scope") == "all")
    assert {"random", BASE} <= set(pairs.filter(pl.col("candidate") == "random_dpo")["against"])
    assert pl.read_csv(work / "out" / "scores_1.csv")["candidate"].is_in(["label"]).any()
    assert "| random_dpo | " in printed
    assert "1 seeds; best LLM of the base's size in hindsight: " in printed
    assert PROGRAM.main([*words, "seeds=1"]) == 2
    assert "must be this experiment, but is another" in capsys.readouterr().err


def test_the_shipped_experiment_loads_and_has_the_arms_of_the_issue() -> None:
    config = read_distil("distil")
    assert config.seeds == 3
    rankings = {arm.select.get("ranking") for arm in config.arms}
    assert rankings == {"baseline", "random", "performance", "graph", None}
    assert len(config.jobs()) == 11 * 3 + 1
    ranked, own, after = waves(config)
    assert len(ranked[1]) == 4 * 3  # the graph's ranking, which takes minutes, is made once for a seed
    assert (len(own[1]), len(after[1])) == (10 * 3 + 1, 3)
    for arm in config.arms:
        make_settings(arm.select, arm.name)
        for settings in config.tries if arm.tries is None else arm.tries:
            chosen = merge(merge(config.train, arm.train), settings)
            made = make_config({"model": "m", "data": "d", **chosen}, arm.name)
            assert made.method == ("sft" if arm.after is None else "dpo")


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("seds=1", "unknown key 'seds'; did you mean 'seeds'"),
        ("arms=[{name: a}, {name: a}]", "each with a name of its own, but has 'a'"),
        ("arms=[]", "must have arms, each with a name of its own, but has 'none'"),
        ("arms=[{name: abc}, {name: b, after: abd}]", "comes after 'abd', which is no arm; did you mean 'abc'"),
    ],
)
def test_a_bad_experiment_is_refused(override: str, message: str) -> None:
    with pytest.raises(UserError, match=message):
        read_distil("distil", [override])


def test_a_report_needs_an_experiment_that_has_ended(work: Path, tmp_path: Path) -> None:
    (tmp_path / CONFIG).write_text((work / "tiny.yaml").read_text())
    with pytest.raises(UserError, match=r"random-s0 must hold the answers of a student, but does not"):
        report(tmp_path)
