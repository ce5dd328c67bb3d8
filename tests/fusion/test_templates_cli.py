import json

import polars as pl
import pytest
import scripted
import template_logs

from fusion.cli import main
from fusion.engines import ENGINES
from fusion.templates import Library


@pytest.fixture
def log(tmp_path, monkeypatch):
    monkeypatch.setitem(ENGINES, "local", ("template_engines", "Summarises"))
    monkeypatch.setitem(ENGINES, "guided", ("template_engines", "Guided"))
    scripted.ASKED.clear()
    return str(template_logs.make_log().save(tmp_path / "log"))


@pytest.fixture
def lib(tmp_path):
    return str(tmp_path / "lib")


def mine(log, lib, *options, ranking="performance"):
    words = ["templates", "mine", log, "--out", lib, "--ranking", ranking, "--encoder", "tfidf:16", "--quiet"]
    return main([*words, *options])


def show(capsys, *words):
    capsys.readouterr()
    assert main(["templates", "show", *words]) == 0
    return capsys.readouterr().out


def test_mine_says_what_became_of_the_drafts(log, lib, capsys):
    assert mine(log, lib, "--limit", "10") == 0
    said = capsys.readouterr().err
    assert "10 of 24 training queries; dropped: none" in said
    assert "10 passed the checks, 0 of all shortened" in said
    assert "sums: 5 passed, 5 in the library; dropped: none" in said
    library = Library.load(lib)
    assert f"{lib}: {len(library)} templates" in said
    assert library.about["settings"] == {"top_k": 3, "limit": 10, "near": 0.92}


def test_a_kept_ranking_is_read_again_and_one_of_other_options_is_refused(log, lib, tmp_path, capsys):
    kept = tmp_path / "ranking.parquet"
    assert mine(log, lib, "--keep-ranking", str(kept)) == 0
    scored = pl.read_parquet(kept).with_columns(score=pl.lit(0.25))
    scored.write_parquet(kept, metadata=pl.read_parquet_metadata(kept))
    assert mine(log, f"{lib}2", "--keep-ranking", str(kept)) == 0
    assert {one.score for one in Library.load(lib).templates} == {1.0}
    assert {one.score for one in Library.load(f"{lib}2").templates} == {0.25}
    capsys.readouterr()
    assert mine(log, f"{lib}3", "--keep-ranking", str(kept), "--seed", "1") == 2
    assert "must be the ranking of this log and these options, but its log differs" in capsys.readouterr().err


def test_show_prints_templates_with_what_they_come_from(log, lib, capsys):
    mine(log, lib)
    out = show(capsys, lib, "--task", "rivers", "--limit", "2")
    library = Library.load(lib)
    rivers = [one for one in library.templates if one.task == "rivers"]
    assert f"{len(library)} templates, {len(rivers)} of them here; ranking performance, log small, split seed 0" in out
    assert out.count("score 1.000 (performance), by good") == 2
    assert f"rivers {rivers[0].id}" in out
    assert rivers[0].queries[0] in out
    assert rivers[0].text.splitlines()[0] in out
    assert "sums " not in out


def test_show_finds_the_templates_of_similar_queries(log, lib, capsys):
    mine(log, lib)
    out = show(capsys, lib, "--query", "Which river crosses Osdal, asks guest 10?", "--limit", "1")
    assert "Rivers of Osdal flow north" in out
    assert (
        show(capsys, lib, "--query", "Which river crosses Osdal?", "--task", "sums", "--limit", "1").count("sums ") == 1
    )


def test_merge_makes_one_library(log, lib, capsys):
    for number in ("4", "24"):
        mine(log, f"{lib}{number}", "--limit", number)
    assert main(["templates", "merge", f"{lib}4", f"{lib}24", "--out", lib]) == 0
    both = Library.load(lib)
    assert f"{lib}: {len(both)} templates of" in capsys.readouterr().err
    assert {one.text for one in both.templates} == {one.text for one in Library.load(f"{lib}24").templates}


def test_an_llm_summarises_and_the_next_run_asks_for_nothing(log, lib, capsys):
    llm = ["--engine", "local", "--model", "sage", "input_price=1", "output_price=1"]
    assert mine(log, lib, *llm, "--top-k", "1", "--budget", "1") == 0
    assert "summaries cost $0.0036" in capsys.readouterr().err
    assert len(scripted.ASKED) == 24
    assert mine(log, lib, *llm, "--top-k", "1", "--budget", "1") == 0
    assert len(scripted.ASKED) == 24


def test_validation_by_the_tasks_of_a_file(log, lib, tmp_path, capsys):
    rows = [template_logs.question("sums", number) for number in range(20)]
    lines = [json.dumps({"id": f"{n}", "question": q, "ground_truth": gold}) for n, (q, gold, _) in enumerate(rows)]
    (tmp_path / "sums.jsonl").write_text("\n".join(lines) + "\n")
    (tmp_path / "sums.yaml").write_text("{metric: exact_match, prompts: {direct: '{question}'}}")
    (tmp_path / "llms.yaml").write_text(
        "{defaults: {engine: guided, input_price: 1, output_price: 1}, llms: [{model: one}, {model: other}]}"
    )
    options = ["--validate-with", str(tmp_path / "llms.yaml"), "--tasks", str(tmp_path / "sums.yaml"), "--tries", "2"]
    assert mine(log, lib, *options) == 2
    assert "one LLM must try the templates, but 2 are named" in capsys.readouterr().err
    assert mine(log, lib, *options, "--only", "other") == 0
    said = capsys.readouterr().err
    assert "tried on held-back queries, mean worth +0.000; 0 hurt and went" in said
    assert {model for model, _ in scripted.ASKED} == {"other"}
    assert Library.load(lib).about["validation"]["tried"] > 0


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (["--ranking", "grpah"], "did you mean 'graph'?"),
        (["--summariser", "llm"], "needs --model"),
        (["--summariser", "extractive", "--model", "sage"], "asks no LLM, but --model is given"),
        (["--budget", "3"], "asks no LLM, but --budget is given"),
        (["base_url=http://localhost"], "asks no LLM, but base_url=http://localhost is given"),
        (["--only", "sage"], "--only is for a validation"),
        (["--validation-budget", "1"], "--validation-budget is for a validation"),
        (["--model", "sage", "--engine", "local", "--window", "200"], "the window must be"),
        (["--near", "2"], "must be within (0, 1]"),
        (["--limt", "2"], "did you mean --limit?"),
    ],
)
def test_bad_options_of_mine(log, lib, options, says, capsys):
    assert mine(log, lib, *options) == 2
    assert says in capsys.readouterr().err.replace("'--limit'", "--limit")
    assert scripted.ASKED == []


def test_validation_needs_tasks_that_can_be_graded(log, lib, tmp_path, capsys):
    (tmp_path / "llms.yaml").write_text("{llms: [{model: one, engine: guided}]}")
    assert mine(log, lib, "--validate-with", str(tmp_path / "llms.yaml")) == 2
    assert "'rivers' is no task of the package; name the tasks' files with --tasks" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["show", "absent"], "a library must be a folder with about.json"),
        (["show", "LIB", "--task", "river"], "has no task 'river'; did you mean 'rivers'?"),
        (["show", "LIB", "--limit", "0"], "--limit must be 1 or more"),
        (["merge", "LIB", "--out", "LOG"], "must be new, or hold a library"),
        (["mime"], "invalid choice"),
    ],
)
def test_bad_words(log, lib, words, says, capsys):
    mine(log, lib)
    assert main(["templates", *({"LIB": lib, "LOG": log}.get(word, word) for word in words)]) == 2
    assert says in capsys.readouterr().err


def test_the_window_of_a_model_here_is_its_context(log, lib, tmp_path):
    from tiny_models import TEMPLATE, save_tiny

    model = save_tiny(tmp_path / "model", TEMPLATE, num_hidden_layers=1, max_position_embeddings=2048)
    words = ["--engine", "transformers", "--model", str(model), "max_tokens=8", "--top-k", "2", "--limit", "3"]
    status = mine(log, lib, *words)
    journal = [json.loads(line) for line in (tmp_path / "lib" / "mine" / "answers.jsonl").read_text().splitlines()]
    assert len(journal) == 3
    assert all("failed" not in entry and entry["input_tokens"] < 2040 for entry in journal)
    assert status in (0, 2)  # a random model may write nothing of use, which is an error that says so
