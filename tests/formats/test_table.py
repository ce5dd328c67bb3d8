"""Plain tables with columns that the user names."""

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from public_layouts import write_json, write_lines, write_table

from graphrouter.cli import main
from graphrouter.errors import UserError
from graphrouter.formats import guess_format, read_log, table
from graphrouter.log import LLMLog

EMBEDLLM = [
    {
        "prompt_id": 0,
        "model_id": at,
        "category_id": 2,
        "label": at,
        "prompt": "1+1?",
        "model_name": f"m{at}",
        "category": "c",
    }
    for at in (0, 1)
]
NAMED = ("query=prompt", "llm=model_name", "performance=label")


def one(folder: Path, row: dict[str, Any], **columns: str) -> LLMLog:
    return read_log(write_lines(folder / "x.jsonl", [row]), "table", columns=columns)[0]


@pytest.mark.parametrize("ends", ["csv", "jsonl", "json", "parquet"])
def test_each_type_of_table_reads_alike(ends: str, tmp_path: Path) -> None:
    file = tmp_path / f"x.{ends}"
    if ends == "parquet":
        pl.DataFrame(EMBEDLLM).write_parquet(file)
    else:
        {"csv": write_table, "jsonl": write_lines, "json": write_json}[ends](file, EMBEDLLM)  # type: ignore[operator]
    options = [word for name in (*NAMED, "query_id=prompt_id", "task=category") for word in ("--column", name)]
    assert main(["import", str(file), "--out", str(tmp_path / "log"), "--quiet", *options]) == 0
    log = LLMLog.load(tmp_path / "log")
    assert log.queries.select("query_id", "task", "query").rows() == [("0", "c", "1+1?")]
    assert log.records.select("llm", "performance", "cost").rows() == [("m0", 0.0, None), ("m1", 1.0, None)]


def test_our_own_names_need_no_option_and_nothing_is_rescaled(tmp_path: Path) -> None:
    row = {"query": "1+1?", "llm": "m", "performance": "0.5", "response": "2", "draw": 3, "judge_score": 7, "cost": 0.0}
    row |= {"input_tokens": 4, "output_tokens": 1, "latency_s": 0.2, "input_price": 2, "output_price": 3, "size_b": 7}
    log = one(tmp_path, row | {"task": "sums", "ground_truth": 2, "description": "small"})
    columns = ("draw", "performance", "judge_score", "input_tokens", "output_tokens", "cost", "latency_s")
    assert log.records.select(columns).row(0) == (3, 0.5, 7.0, 4.0, 1.0, 0.0, 0.2)
    assert log.llms.select("size_b", "input_price", "output_price", "description").row(0) == (7.0, 2.0, 3.0, "small")
    assert log.queries.select("task", "ground_truth").row(0) == ("sums", "2")
    assert log.responses()["response"].to_list() == ["2"]


def test_a_query_may_be_chat_messages_and_a_response_a_reply(tmp_path: Path) -> None:
    chat = [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "1+1?"}]
    reply = {"choices": [{"message": {"role": "assistant", "content": "2"}}]}
    for asked in (chat, json.dumps(chat)):
        log = one(tmp_path, {"input": asked, "model": "m", "score": True, "output": reply}, query="input", llm="model", performance="score", response="output")  # fmt: skip
        assert log.queries["query"].to_list() == ["1+1?"]
        assert log.responses()["response"].to_list() == ["2"]
    assert one(tmp_path, {"query": "[1, 2]", "llm": "m", "performance": 1}).queries["query"].to_list() == ["[1, 2]"]


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"prompt": ""}, "row 2: prompt must be text, but is empty"),
        ({"prompt": None}, "row 2: prompt must be text, but is empty"),
        ({"prompt": "  "}, "row 2: prompt must be text, but is blank"),
        ({"prompt": {"a": 1}}, "row 2: prompt must be text, but is a JSON object"),
        ({"prompt": True}, "row 2: prompt must be text, but is True"),
        ({"model_name": None}, "row 2: model_name must be text, but is empty"),
        ({"model_name": float("nan")}, "row 2: model_name must be text, but is empty"),
        ({"label": -1}, r"row 2: label must be within \[0, 1\], but is -1; map its scale .*-1 becomes 0"),
        ({"label": 85}, r"row 2: label must be within .*0 to 100: divide by 100"),
        ({"label": "1,0"}, "row 2: label must be a number, but is '1,0'; write a point"),
        ({"label": "50%"}, "row 2: label must be a number, but is '50%'; write the share"),
        ({"label": "1_0"}, "row 2: label must be a number"),
        ({"label": {"acc": 1}}, "row 2: label must be a number, but is a JSON object"),
        ({"label": [1.0]}, "row 2: label must be a number"),
        ({"cost": True}, "row 2: cost must be a number, but is True"),
        ({"cost": "$0.01"}, "row 2: cost must be a number, .*write the number alone"),
        ({"cost": [1]}, "row 2: cost must be a number"),
        ({"cost": -1}, "row 2: cost must be finite and at least 0"),
        ({"draw": 0.5}, "row 2: draw must be a whole number"),
        ({"response": ["a", {"b": 1}], "prompt": ["x"]}, "row 2: each message must be an object"),
    ],
)
def test_a_bad_cell_names_file_row_and_the_user_s_column(change: dict[str, Any], reason: str, tmp_path: Path) -> None:
    row = {"prompt": "1+1?", "model_name": "m", "label": 1}
    file = write_lines(tmp_path / "x.jsonl", [row, row | {"prompt": "2+2?"} | change])
    columns = dict(name.split("=") for name in NAMED)
    with pytest.raises(UserError, match=f"x.jsonl, {reason}"):
        read_log(file, columns=columns)
    log, rejected = read_log(file, columns=columns, skip_bad=True)
    assert (log.records.height, len(rejected)) == (1, 1)


def test_scores_on_another_scale_are_not_dropped_in_silence(tmp_path: Path) -> None:
    rows = [{"query": f"{at}?", "llm": "m", "performance": mark} for at, mark in enumerate((1, -1, -1))]
    file = write_lines(tmp_path / "x.jsonl", rows)
    with pytest.warns(UserWarning, match=r"2 rows have a score outside \[0, 1\]"):
        read_log(file, "table", skip_bad=True)


def test_ids_that_are_numbers_join_whatever_their_type(tmp_path: Path) -> None:
    rows = [
        {"query_id": key, "query": "1+1?", "llm": f"m{at}", "performance": 1} for at, key in enumerate((7, 7.0, "7"))
    ]
    log, _ = read_log(write_lines(tmp_path / "x.jsonl", rows), "table")
    assert log.queries["query_id"].to_list() == ["7"]


def test_copies_are_counted_and_others_are_draws(tmp_path: Path) -> None:
    row = {"query": "1+1?", "llm": "m", "performance": 1}
    file = write_lines(tmp_path / "x.jsonl", [row, row, row | {"performance": 0}])
    with pytest.warns(UserWarning, match="1 rows are exact copies"):
        log, _ = read_log(file, "table")
    assert log.records["draw"].to_list() == [0, 1]


def test_what_is_left_out_or_misspelt_is_named(tmp_path: Path) -> None:
    file = write_lines(tmp_path / "x.jsonl", [{"query": "q", "llm": "m", "performance": 1, "costs": 0.1, "note": "n"}])
    with pytest.warns(UserWarning, match="left out|no column") as told:
        log, _ = read_log(file, "table")
    said = " ".join(str(warning.message) for warning in told)
    assert "'costs' is no column of a log" in said
    assert "'cost'" in said
    assert "left out: costs, note" in said
    assert log.records["cost"].to_list() == [None]


@pytest.mark.parametrize("ends", ["csv", "jsonl"])
def test_common_names_are_no_layout_and_the_error_says_what_to_type(
    ends: str, tmp_path: Path, fail: Callable[..., str]
) -> None:
    row = {"task_name": "t", "query": "1+1?", "llm": "m", "performance": 1, "cost": 0.01}
    file = tmp_path / f"x.{ends}"
    {"csv": write_table, "jsonl": write_lines}[ends](file, [row])  # type: ignore[operator]
    said = fail("import", str(file), "--out", str(tmp_path / "log"))
    assert "columns task_name, query, llm, performance, cost" in said
    proposed = re.search(r"read it with (--format table .*?) \(", said)
    assert proposed
    assert "cost in US dollars" in said
    assert main(["import", str(file), "--out", str(tmp_path / "log"), "--quiet", *proposed[1].split()]) == 0
    log = LLMLog.load(tmp_path / "log")
    assert log.records["cost"].to_list() == [0.01]
    assert log.tasks == ("t",)


def test_columns_that_cannot_be_told_are_asked_for(tmp_path: Path) -> None:
    columns = ["prompt_id", "model_id", "label", "prompt", "model_name", "category"]
    wanted = "--format table --column query=prompt --column llm=model_name --column performance=label"
    assert table.proposal(columns) == f"{wanted} --column task=category"
    assert "--column query=COLUMN" in table.proposal(["alpha"])
    with pytest.raises(UserError, match="fits none"):
        guess_format(write_table(tmp_path / "x.csv", [{"query": "q", "llm": "m", "performance": 1}]))


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        (["query"], "must be NAME=COLUMN"),
        (["query="], "must be NAME=COLUMN"),
        (["querry=prompt"], "did you mean 'query'"),
        (["query=prompt", "query=category"], "'query' is given twice"),
        (["query=prompts"], "must have the columns prompts, llm, performance, but has prompt_id"),
        ([*NAMED, "cost=money"], "but has no 'money'"),
    ],
)
def test_a_wrong_option_is_one_line(words: list[str], reason: str, tmp_path: Path, fail: Callable[..., str]) -> None:
    file = write_table(tmp_path / "x.csv", EMBEDLLM)
    options = [word for name in words for word in ("--column", name)]
    assert reason in fail("import", str(file), "--out", str(tmp_path / "log"), "--quiet", *options)
    assert not (tmp_path / "log").exists()
    assert "columns are named for the format table" in fail(
        "import", str(file), "--out", str(tmp_path / "log"), "--column", "query=prompt", "--format", "gateway"
    )


@pytest.mark.parametrize(
    ("row", "says"),
    [
        (
            {"doc_id": 1, "doc": {}, "resps": [["a"]], "filtered_resps": ["a"], "acc": 1},
            "samples of lm-evaluation-harness",
        ),
        ({"version": 2, "status": "success", "eval": {}, "samples": []}, "a log of Inspect"),
        ({"custom_id": "1", "response": {}, "error": None}, "the output of a batch"),
        ({"id": "1", "traceId": "2", "input": "q", "output": "a"}, "an export of Langfuse"),
        ({"request_id": "1", "model": "m", "spend": 0.1}, "a spend log of LiteLLM without messages"),
        ({"prompt": "q", "model_a": "a", "model_b": "b", "winner": "a"}, "votes between two LLMs"),
    ],
)
def test_public_files_that_are_no_log_are_named(
    row: dict[str, Any], says: str, tmp_path: Path, fail: Callable[..., str]
) -> None:
    file = write_lines(tmp_path / "x.jsonl", [row])
    assert f"it seems to be {says}" in fail("import", str(file), "--out", str(tmp_path / "log"))
