"""Every command that splits takes ``--rare-tasks``, and means the same by it."""

import dataclasses

import polars as pl
import pytest

from experiments.runs.config import RunConfig, read_run, run_id, settings
from experiments.runs.data import load_run
from fusion.cli import main as fusion
from graphrouter.cli import main
from graphrouter.errors import UserError
from graphrouter.identity import log_config, log_digest
from graphrouter.log import LLMLog, load_log
from graphrouter.testing import make_log

FIT = ("--encoder", "tfidf:8", "--device", "cpu", "--quiet")


@pytest.fixture(scope="module")
def log(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A log of which one task has a single query."""
    made = make_log(120)
    tasks = made.queries["task"].to_list()
    tasks[3] = "lonely"
    queries = made.queries.with_columns(task=pl.Series(tasks))
    said = made.records.select("query_id", "llm", response=pl.lit("Because two and two are four.\nAnswer: 4"))
    odd = LLMLog("odd", queries, made.llms, made.records, texts=said)
    return str(odd.save(tmp_path_factory.mktemp("logs") / "odd"))


COMMANDS = {
    "train": lambda log, out: main(["train", log, "--router", "knn", *FIT, "--out", out, *RARE]),
    "compare": lambda log, out: main(
        ["compare", log, "--routers", "knn,oracle", "--seeds", "1", *FIT, "--out", out, *RARE]
    ),
    "select": lambda log, out: fusion(["select", log, "--encoder", "tfidf:8", "--quiet", "--out", out, *RARE]),
    "mine": lambda log, out: fusion(
        ["templates", "mine", log, "--ranking", "performance", "--encoder", "tfidf:8", "--quiet", "--out", out, *RARE]
    ),
}
RARE: list[str] = []


@pytest.mark.parametrize("how", [None, "refuse", "pool", "drop"])
@pytest.mark.parametrize("command", COMMANDS)
def test_a_command_refuses_pools_or_drops(log, tmp_path, capsys, command, how):
    RARE[:] = ["--rare-tasks", how] if how else []
    status = COMMANDS[command](log, str(tmp_path / "out"))
    said = capsys.readouterr().err
    if how in (None, "refuse"):
        assert status == 2
        assert "'lonely' has 1; merge it with another task, or give --rare-tasks pool or drop" in said
    else:
        assert status == 0, said
        assert "merge it" not in said


def test_a_config_of_a_comparison_has_it_too(log, tmp_path, capsys):
    words = ["compare", log, "--routers", "knn", *FIT, "--out", str(tmp_path / "out"), "seeds=1"]
    assert main([*words, "rare_tasks=pool"]) == 0
    assert main([*words, "rare_tasks=keep"]) == 2
    assert "rare_tasks must be one of refuse, pool, drop, but is 'keep'\n" in capsys.readouterr().err


@pytest.mark.parametrize(("how", "queries"), [("pool", 120), ("drop", 119)])
def test_a_run_has_it_too(log, how, queries):
    config = read_run({"log": log, "router": "knn", "encoder": "tfidf:8"}, [f"rare_tasks={how}"])
    data = load_run(config)
    assert sum(len(part.queries) for part in (data.train, data.validation, data.test)) == queries
    with pytest.raises(UserError, match="rare_tasks in a config"):
        load_run(dataclasses.replace(config, rare_tasks="refuse"))
    assert settings(config)["rare_tasks"] == how
    assert "rare_tasks" not in settings(RunConfig())
    assert run_id(config) != run_id(dataclasses.replace(config, rare_tasks="refuse"))


def test_the_choice_is_part_of_what_identifies_a_log(log):
    plain, pooled = load_log(log), load_log(log, "pool")
    assert log_digest(plain) != log_digest(pooled)
    assert log_config(pooled)["rare_tasks"] == "pool"
    assert "rare_tasks" not in log_config(plain)


@pytest.mark.parametrize(
    "words",
    [["collect"], ["prompt"], ["evaluate"], ["select"], ["templates", "mine"]],
)
def test_the_commands_of_fusion_name_it(words, capsys):
    with pytest.raises(SystemExit):
        fusion([*words, "--help"])
    assert "--rare-tasks" in capsys.readouterr().out
