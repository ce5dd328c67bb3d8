import json

import polars as pl
import pytest
from guided import make_library, make_log
from tiny_models import TEMPLATE, save_tiny

from fusion.cli import main
from fusion.guidance import estimate, find_room
from fusion.llms import LLM
from fusion.prompts import THOUGHTS


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    folder = tmp_path_factory.mktemp("prompt")
    log = make_log(12)
    log.save(folder / "log")
    make_library(log).save(folder / "lib")
    return folder


@pytest.fixture
def run(tmp_path):
    def ask(source, *options):
        status = main(["prompt", str(source), "--out", str(tmp_path / "p.jsonl"), *options])
        return [json.loads(line) for line in (tmp_path / "p.jsonl").read_text().splitlines()] if status == 0 else status

    return ask


def test_a_log_gets_a_line_for_each_query(run, place):
    log = make_log(12)
    rows = run(place / "log")
    assert [(row["query_id"], row["task"]) for row in rows] == log.queries.select("query_id", "task").rows()
    assert [row["messages"] for row in rows] == [[{"role": "user", "content": text}] for text in log.queries["query"]]
    assert {tuple(row["shown"]) for row in rows} == {()}


def test_thoughts_stand_above_and_are_not_the_querys_own(run, place, capsys):
    for row in run(place / "log", "--templates", str(place / "lib")):
        assert len(row["shown"]) == 3
        (message,) = row["messages"]
        head, *thoughts, _, _ = message["content"].split("\n")
        assert head == THOUGHTS
        assert len(thoughts) == 3
        assert all(f" {row['query_id']} " not in f"{thought} " for thought in thoughts)
    assert "36 prompts, 36 of them guided, by 3.0 each" in capsys.readouterr().err


def test_examples_are_turns(run, place):
    options = ["--shots", str(place / "log"), "--ranking", "performance", "--shown", "2"]
    for row in run(place / "log", *options):
        assert [message["role"] for message in row["messages"]] == ["user", "assistant"] * 2 + ["user"]
        assert len(row["shown"]) == 2
        assert row["query_id"] not in row["shown"]
        assert all(query.startswith(row["task"]) for query in row["shown"])


def test_the_budget_is_counted_by_the_estimate_or_by_a_tokenizer(run, place, tmp_path):
    guide = ["--shots", str(place / "log"), "--ranking", "performance", "--tokens", "90"]
    estimated = run(place / "log", *guide)
    assert max(estimate(row["messages"]) for row in estimated) <= 90
    assert {len(row["shown"]) for row in estimated} <= {1, 2}
    folder = str(save_tiny(tmp_path / "model", TEMPLATE, num_hidden_layers=1))
    counted = run(place / "log", *guide, "--tokenizer", folder)
    room = find_room(LLM("tiny", folder, engine="transformers"), 90)
    assert all(room.fits(row["messages"], 0) for row in counted)
    assert {len(row["shown"]) for row in counted} != {len(row["shown"]) for row in estimated}


class TestFiles:
    def test_lines_of_text(self, run, place, tmp_path):
        (tmp_path / "q.txt").write_text("sums question about item2\n\n  colours about item1 \n")
        rows = run(tmp_path / "q.txt", "--templates", str(place / "lib"))
        assert [row["messages"][0]["content"].split("\n")[-1] for row in rows] == [
            "sums question about item2",
            "colours about item1",
        ]
        assert [(row["query_id"], row["task"]) for row in rows] == [(None, None)] * 2
        assert all(row["shown"] for row in rows)

    def test_rows_may_have_a_task_and_an_id(self, run, place, tmp_path):
        rows = [
            {"query": "about item2", "task": "colours", "query_id": "a"},
            {"query": "about item1", "task": "dances"},
        ]
        (tmp_path / "q.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
        found = run(tmp_path / "q.jsonl", "--shots", str(place / "log"), "--ranking", "performance")
        assert [(row["query_id"], row["task"]) for row in found] == [("a", "colours"), (None, "dances")]
        assert {query.split("-")[0] for query in found[0]["shown"]} == {"colours"}
        assert found[1]["shown"] == []

    def test_a_question_that_is_worded_as_a_training_query_does_not_see_it(self, run, place, tmp_path):
        log = make_log(12)
        pl.DataFrame({"query": log.queries["query"].str.to_uppercase()}).write_csv(tmp_path / "q.csv")
        for row, query_id in zip(
            run(tmp_path / "q.csv", "--templates", str(place / "lib"), "--shown", "2"),
            log.queries["query_id"],
            strict=True,
        ):
            assert f"{query_id} " not in row["messages"][0]["content"].replace("\n", " ")


class TestBadInput:
    @pytest.mark.parametrize(
        ("options", "says"),
        [
            (["--templates", "lib", "--shots", "log"], "both were asked for; leave one out"),
            (["--templates", "nowhere"], "a library must be a folder"),
            (["--shots", "nowhere"], "a log must be a folder"),
            (["--shots", "log", "--ranking", "best"], "unknown ranking 'best'"),
            (["--tokens", "0"], "must be 1 or more, but are 0"),
            (["--tokenizer", "nowhere"], "must bring a tokenizer"),
            (["--template", "lib"], "has no option --template; did you mean '--templates'"),
        ],
    )
    def test_options(self, run, place, options, says, capsys, monkeypatch):
        monkeypatch.chdir(place)
        assert run(place / "log", *options) == 2
        error = capsys.readouterr().err
        assert says in error
        assert error.count("\n") == 1

    @pytest.mark.parametrize(
        ("name", "content", "says"),
        [
            ("q.jsonl", '{"task": "sums"}\n', "row 1: query must be text, but is absent"),
            ("q.jsonl", "nonsense\n", "q.jsonl"),
            ("q.txt", "\n \n", "must hold questions, but is empty"),
        ],
    )
    def test_files(self, run, tmp_path, name, content, says, capsys):
        (tmp_path / name).write_text(content)
        assert run(tmp_path / name) == 2
        assert says in capsys.readouterr().err

    def test_what_is_neither_a_log_nor_a_file(self, run, tmp_path, capsys):
        assert run(tmp_path / "nothing") == 2
        assert "a log must be a folder" in capsys.readouterr().err

    def test_bytes_that_are_no_text(self, run, tmp_path, capsys):
        (tmp_path / "q.txt").write_bytes(b"\xff\xfe\xff")
        assert run(tmp_path / "q.txt") == 2
        assert "must be a UTF-8 text file" in capsys.readouterr().err
