"""LLMRouterBench: folders of result files."""

import json
from pathlib import Path

import pytest
from public_layouts import knows_only_its_own, write_json

from graphrouter.errors import UserError
from graphrouter.formats import llmrouterbench
from graphrouter.formats.builder import LogBuilder
from graphrouter.log import LLMLog


def record(number=1, score=1.0, **columns):
    return {
        "index": number,
        "origin_query": f"{number}+1?",
        "prompt": f"Work out {number}+1.",
        "prediction": "2",
        "ground_truth": "2",
        "score": score,
        "prompt_tokens": 10,
        "completion_tokens": 4,
        "cost": 2e-5,
        "raw_output": "It is 2.",
    } | columns


def put(folder: Path, records, dataset="aime", split="test", model="m", time="20250101_120000", **content) -> Path:
    named = {"dataset_name": dataset, "split": split, "model_name": model, "demo": False}
    file = folder / "results/bench" / dataset / split / model / f"{dataset}-{split}-{model}-{time}.json"
    return write_json(file, named | content | {"records": records})


def read(path: Path, skip_bad=False) -> tuple[LLMLog, LogBuilder]:
    builder = LogBuilder("log", skip_bad)
    llmrouterbench.read(path, builder)
    return builder.build(), builder


def test_a_record_keeps_everything(tmp_path):
    put(tmp_path, [record()])
    log, _ = read(tmp_path)
    assert log.queries.select("task", "query", "ground_truth", "source_split").row(0) == (
        "aime",
        "Work out 1+1.",
        "2",
        "test",
    )
    columns = ("llm", "performance", "input_tokens", "output_tokens", "cost", "prediction", "response_chars")
    assert log.records.select(columns).row(0) == ("m", 1.0, 10.0, 4.0, 2e-5, "2", 8.0)
    assert log.responses()["response"].to_list() == ["It is 2."]


def test_llms_and_splits_join_on_data_set_and_prompt(tmp_path):
    put(tmp_path, [record(1), record(2)], model="a")
    put(tmp_path, [record(2, 0.0, index=9)], model="b", split="all")
    put(tmp_path, [record(2)], model="b", dataset="math")
    log, _ = read(tmp_path)
    assert log.queries.height == 3
    assert log.records.height == 4
    both = log.queries.filter(task="aime", query="Work out 2+1.")
    assert both["source_split"].to_list() == [None]
    assert log.records.filter(query_id=both["query_id"][0])["llm"].to_list() == ["a", "b"]


@pytest.mark.parametrize(
    "start",
    ["", "results", "results/bench", "results/bench/aime", "results/bench/aime/test", "results/bench/aime/test/m"],
)
def test_any_folder_on_the_way_can_be_named(tmp_path, start):
    put(tmp_path, [record()])
    assert llmrouterbench.recognises(tmp_path / start)
    log, _ = read(tmp_path / start)
    assert log.queries["task"].to_list() == ["aime"]
    assert log.llm_names == ("m",)


def test_names_stand_in_the_path_where_the_file_has_none(tmp_path):
    file = write_json(tmp_path / "results/bench/mbpp/valid/qwen/20250101_120000.json", {"records": [record()]})
    for path in (tmp_path, file):
        log, _ = read(path)
        assert log.queries.select("task", "source_split").row(0) == ("mbpp", "valid")
        assert log.llm_names == ("qwen",)


def test_names_in_the_file_come_before_those_of_its_path(tmp_path):
    put(tmp_path, [record()], model_name="org/m", dataset_name="AIME", split="all")
    log, _ = read(tmp_path)
    assert log.queries.select("task", "source_split").row(0) == ("AIME", "all")
    assert log.llm_names == ("org/m",)


def test_the_newest_run_counts_by_the_time_in_its_name(tmp_path):
    put(tmp_path, [record(score=0.25)], time="20250902_000000")
    put(tmp_path, [record(score=0.5)], time="20251001_093000")
    put(tmp_path, [record(score=0.75)], time="20251231_235959", demo=True)
    put(tmp_path, [record(score=1.0)], time="20240101_235959")
    folder = tmp_path / "results/bench/aime/test/m"
    write_json(folder / "result.json", {"records": [record(score=0.1)]})
    log, _ = read(tmp_path)
    assert log.records["performance"].to_list() == [0.5]


def test_a_run_without_a_time_is_the_oldest(tmp_path):
    folder = tmp_path / "results/bench/aime/test/m"
    write_json(folder / "result.json", {"records": [record(score=0.1)]})
    assert read(tmp_path)[0].records["performance"].to_list() == [0.1]
    write_json(folder / "20200101_000000.json", {"records": [record(score=0.2)]})
    assert read(tmp_path)[0].records["performance"].to_list() == [0.2]


def test_failed_records_stay_missing_and_are_counted(tmp_path):
    failed = record(2, None, raw_output="Processing failed: timeout", ground_truth="", prompt_tokens=0)
    put(tmp_path, [record(1), failed])
    log, builder = read(tmp_path)
    assert log.records.height == 1
    assert builder.unscored == 1


def test_a_cost_or_count_of_zero_is_not_known(tmp_path):
    put(tmp_path, [record(cost=0.0, prompt_tokens=0, completion_tokens=0)])
    log, _ = read(tmp_path)
    assert log.records.select("cost", "input_tokens", "output_tokens").row(0) == (None, None, None)


@pytest.mark.parametrize(
    ("raw", "text"),
    [
        ("plain", "plain"),
        (["one", "two"], "one\ntwo"),
        ([{"type": "text", "text": "one"}, {"type": "image_url", "image_url": {}}], "one"),
        ({"choices": [{"message": {"content": "said"}}]}, "said"),
        ({"content": "said"}, "said"),
        ({"reward": 1}, '{"reward": 1}'),
        (None, None),
        ([], None),
    ],
)
def test_an_output_may_be_text_a_list_or_an_object(tmp_path, raw, text):
    put(tmp_path, [record(raw_output=raw)])
    log, _ = read(tmp_path)
    assert (log.responses()["response"].to_list() if log.has_responses else [None]) == [text]


def test_prompts_and_answers_that_are_no_text_become_json(tmp_path):
    put(tmp_path, [record(prompt=[{"role": "user", "content": "é"}], ground_truth=["a", "b"], prediction={"x": 1})])
    log, _ = read(tmp_path)
    assert json.loads(log.queries["query"][0]) == [{"role": "user", "content": "é"}]
    assert log.queries["ground_truth"].to_list() == ['["a", "b"]']
    assert log.records["prediction"].to_list() == ['{"x": 1}']


def test_without_a_prompt_the_question_stands_for_it(tmp_path):
    put(tmp_path, [record(prompt="")])
    assert read(tmp_path)[0].queries["query"].to_list() == ["1+1?"]


def test_one_prompt_with_two_answers_in_a_run_is_two_questions(tmp_path):
    same = [record(1, 1.0, ground_truth="joy"), record(1, 0.0, ground_truth="anger")]
    put(tmp_path, same, model="a")
    put(tmp_path, same[::-1], model="b")
    log, _ = read(tmp_path)
    assert sorted(log.queries["ground_truth"]) == ["anger", "joy"]
    joy = log.queries.filter(ground_truth="joy")["query_id"][0]
    assert log.records.filter(query_id=joy)["performance"].to_list() == [1.0, 1.0]


def test_an_answer_on_which_files_differ_is_not_known(tmp_path):
    put(tmp_path, [record(ground_truth="2")], model="a")
    put(tmp_path, [record(ground_truth="2.0")], model="b")
    log, _ = read(tmp_path)
    assert log.queries["ground_truth"].to_list() == [None]
    assert log.records.height == 2


def test_an_answer_that_one_file_lacks_comes_from_the_other(tmp_path):
    put(tmp_path, [record(ground_truth="")], model="a")
    put(tmp_path, [record(ground_truth="2")], model="b")
    assert read(tmp_path)[0].queries["ground_truth"].to_list() == ["2"]


def test_the_order_of_records_does_not_matter(tmp_path):
    rows = [record(number, number / 8, raw_output=f"r{number}") for number in range(6)] + [record(1, 0.9)]
    put(tmp_path / "a", rows)
    put(tmp_path / "b", rows[::-1])
    one, two = read(tmp_path / "a")[0], read(tmp_path / "b")[0]
    assert one.queries.equals(two.queries)
    assert one.records.equals(two.records)
    assert one.responses().equals(two.responses())


@pytest.mark.parametrize(
    ("bad", "reason"),
    [
        (record(2, "high"), "score must be a number"),
        (record(2, 1.5), "score must be within"),
        (record(2, prompt="", origin_query=None), "prompt must be text"),
        (record(2, cost=-1), "cost must be"),
        ("text", "must be a JSON object"),
    ],
)
def test_a_bad_record_is_refused_or_listed(tmp_path, bad, reason):
    file = put(tmp_path, [record(1), bad])
    with pytest.raises(UserError, match=reason) as raised:
        read(tmp_path)
    assert "row 2" in str(raised.value)
    assert file.name in str(raised.value)
    log, builder = read(tmp_path, skip_bad=True)
    assert log.records.height == 1
    assert [(row.file.name, row.row) for row in builder.rejected] == [(file.name, 2)]


def test_what_is_no_result_is_refused(tmp_path):
    with pytest.raises(UserError, match="must hold"):
        read(tmp_path)
    file = write_json(tmp_path / "results/bench/a/b/c/20250101_000000.json", {"records": {}})
    with pytest.raises(UserError, match="list of records"):
        read(tmp_path)
    file.write_text('{"records": [')
    with pytest.raises(UserError, match="must be JSON"):
        read(tmp_path)


def test_knows_its_own_layout_and_no_other(tmp_path):
    assert knows_only_its_own(llmrouterbench, tmp_path)
    assert not llmrouterbench.recognises(tmp_path / "absent")
    (tmp_path / "broken").mkdir()
    (tmp_path / "broken/a.json").write_bytes(b"\xff\xfe")
    assert not llmrouterbench.recognises(tmp_path / "broken")
