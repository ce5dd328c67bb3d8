import csv
import json
import random
import re
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from graphrouter.errors import UserError
from graphrouter.formats import guess_format, read_log
from graphrouter.formats.fusionbench import PASS_AT_1, performance_of, without_step_by_step
from graphrouter.formats.rows import BadRow, Row
from graphrouter.log import LLMLog

ROW: dict[str, Any] = {
    "task_name": "gsm8k",
    "task_id": "",
    "task_description": "Grade school math.",
    "task_description_embedding": "",
    "query": "What is 6 times 7?",
    "query_embedding": "",
    "ground_truth": "#### 42",
    "metric": "GSM8K",
    "llm": "small",
    "input_price": 0.2,
    "output_price": 0.4,
    "input_tokens_num": 10,
    "output_tokens_num": 5,
    "performance": 1.0,
    "cost": 4.0,
    "response": "42",
    "llm_description": "A small one.",
    "llm_judge": 0.8,
}
TENSOR = "tensor([ 1.5000e-02, -2.0000e+00,\n         3.0000e-01], device='cuda:0')"


def rows_of(**changes: Any) -> list[dict[str, Any]]:
    """A block as the source writes it: plain and reasoning candidates alternate, vectors stand on the first row."""
    rows = []
    for llm in ("small", "large"):
        for think in (False, True):
            row = ROW | {"llm": llm + "_think" * think} | changes
            row["query"] = row["query"] + "\nLet's think step by step." * think
            row["query_embedding"] = TENSOR if (llm, think) == ("small", False) else ""
            rows.append(row)
    return rows


def write(file: Path, rows: list[dict[str, Any]]) -> Path:
    file.parent.mkdir(parents=True, exist_ok=True)
    if file.suffix == ".csv":
        with file.open("w", newline="", encoding="utf-8") as stream:
            writer = csv.DictWriter(stream, list(ROW))
            writer.writeheader()
            writer.writerows(rows)
    elif file.suffix == ".json":
        file.write_text(json.dumps(rows))
    else:
        texts = [row | {"performance": str(row["performance"])} for row in rows]
        pl.DataFrame(texts, infer_schema_length=None, strict=False).write_parquet(file)
    return file


def same(one: LLMLog, other: LLMLog) -> bool:
    tables = ("queries", "llms", "records")
    equal = all(getattr(one, table).equals(getattr(other, table)) for table in tables)
    return equal and (not one.has_responses or one.responses().equals(other.responses()))


@pytest.mark.parametrize("ending", ["csv", "json", "parquet"])
def test_a_block_becomes_one_query_with_all_its_candidates(ending: str, tmp_path: Path) -> None:
    file = write(tmp_path / f"train.{ending}", rows_of())
    assert guess_format(file) == "fusionbench"
    log, rejected = read_log(file)
    assert not rejected
    assert log.name == "train"
    query = log.queries.row(0, named=True)
    assert log.queries.height == 1
    assert (query["task"], query["query"], query["metric"]) == ("gsm8k", "What is 6 times 7?", "GSM8K")
    assert (query["ground_truth"], query["source_split"]) == ("#### 42", "train")
    assert query["task_description"] == "Grade school math."
    assert query["vector"] == pytest.approx([0.015, -2.0, 0.3])
    assert log.llm_names == ("large", "large_think", "small", "small_think")
    assert log.llms.select("input_price", "output_price").unique().rows() == [(0.2, 0.4)]
    assert set(log.llms["description"]) == {"A small one."}
    record = log.records.row(0, named=True)
    assert record["cost"] == pytest.approx(4e-6)
    assert (record["performance"], record["judge_score"]) == (1.0, 0.8)
    assert (record["input_tokens"], record["output_tokens"], record["response_chars"]) == (10, 5, 2)
    assert set(log.responses()["response"]) == {"42"}


def test_the_order_of_rows_makes_no_difference(tmp_path: Path) -> None:
    rows = [row for number in range(6) for row in rows_of(query=f"What is {number} plus 1?", response=f"r{number}")]
    rows += rows_of(query="What is 3 plus 1?", response="another draw", performance=0.0)
    rows += rows_of(query="What is 4 plus 1?", response="r4", input_price=0.3, cost=5.0)
    rows[0]["llm_description"] = "Described otherwise once."
    with pytest.warns(UserWarning, match="prices change from row to row.*large, large_think, small"):
        straight, _ = read_log(write(tmp_path / "one.csv", rows))
    assert straight.records["draw"].max() == 1
    assert set(straight.llms["description"]) == {"A small one."}
    assert set(straight.llms["input_price"]) == {0.2}
    for seed in range(3):
        random.Random(seed).shuffle(rows)
        with pytest.warns(UserWarning, match="prices change"):
            shuffled, _ = read_log(write(tmp_path / "two.csv", rows))
        assert same(straight, shuffled)


@pytest.mark.parametrize(
    ("plain", "thinking"),
    [
        ("What?", "What?\nLet's think step by step."),
        ("What?", "What? let's think step by step"),
        ("What?", "What?\n\nLET’S  THINK STEP-BY-STEP!\n"),
        (
            "\n        Question: What?\n        ",
            "\n        Question: What?\n        Let's think step by step\n        ",
        ),
        ("## Context:\n    a\n    b", "## Context:\n        a\n        b\n        \nLet's think step by step.\n   "),
        ("Answer in a line.\n\n**Answer:**", "Answer in a line.\n\nLet's think step by step.\n\n**Answer:**"),
        (
            "Who said let's think step by step. Why?",
            "Who said let's think step by step. Why?\nLet's think step by step.",
        ),
    ],
)
def test_both_candidates_join_one_query_with_the_plain_text(plain: str, thinking: str, tmp_path: Path) -> None:
    rows = [ROW | {"llm": "a_think", "query": thinking}, ROW | {"llm": "a", "query": plain}]
    log, _ = read_log(write(tmp_path / "x.csv", rows))
    assert log.queries["query"].to_list() == [plain]
    assert log.records.height == 2


def test_a_question_that_speaks_of_steps_keeps_its_text() -> None:
    assert without_step_by_step("Why do people write let's think step by step in prompts?") == (
        "Why do people write let's think step by step in prompts?"
    )


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("{'pass@1': np.float64(1.0)}", 1.0),
        ("{'pass@1': 0.25}", 0.25),
        ('{"pass@1": numpy.float64( 5e-1 )}', 0.5),
        ("0.75", 0.75),
        (1, 1.0),
        ({"pass@1": 0.5}, 0.5),
        ("", None),
        (None, None),
        (float("nan"), None),
        ("None", None),
    ],
)
def test_performance_is_read_in_each_of_its_forms(text: object, value: float | None) -> None:
    assert performance_of(Row(Path("x"), 1, {"performance": text})) == value


@pytest.mark.parametrize(
    "text", ["1.5", "-1", "inf", "{'pass@1': np.float64(2.0)}", "{'pass@1': 1.0, 'x': 2}", "[1]", "1.2.3", "yes"]
)
def test_a_performance_that_is_no_share_is_a_bad_row(text: str) -> None:
    with pytest.raises(BadRow, match="performance must be"):
        performance_of(Row(Path("x"), 1, {"performance": text}))


def test_a_performance_that_is_a_program_does_nothing(tmp_path: Path) -> None:
    trap = tmp_path / "trap"
    attacks = [
        f"__import__('pathlib').Path({str(trap)!r}).touch()",
        f"{{'pass@1': open({str(trap)!r}, 'w')}}",
        f"{{'pass@1': np.float64(__import__('os').system('touch {trap}'))}}",
    ]
    rows = [ROW | {"llm": f"m{number}", "performance": text} for number, text in enumerate(attacks)]
    log, rejected = read_log(write(tmp_path / "x.csv", [ROW, *rows]), skip_bad=True)
    assert [row.row for row in rejected] == [3, 4, 5]
    assert log.records.height == 1
    assert not trap.exists()


@given(value=st.floats(0, 1, allow_nan=False))
def test_every_share_is_read_from_its_printed_form(value: float) -> None:
    found = PASS_AT_1.fullmatch(f"{{'pass@1': np.float64({value!r})}}")
    assert found
    assert float(found[1]) == value


def test_failed_calls_stay_missing_and_empty_answers_do_not(tmp_path: Path) -> None:
    failed = dict.fromkeys(("performance", "cost", "response", "input_price", "output_price", "input_tokens_num"), "")
    rows = [ROW, ROW | {"llm": "failed"} | failed, ROW | {"llm": "silent", "response": "", "performance": 0.0}]
    with pytest.warns(UserWarning, match="1 rows have no performance"):
        log, rejected = read_log(write(tmp_path / "x.csv", rows))
    assert not rejected
    assert dict(log.records.select("llm", "performance").iter_rows()) == {"small": 1.0, "silent": 0.0}
    assert "failed" in log.llm_names
    assert dict(log.responses().select("llm", "response").iter_rows()) == {"small": "42", "silent": ""}


def test_a_judge_that_said_nothing_stays_missing(tmp_path: Path) -> None:
    rows = [
        ROW | {"llm": f"m{number}", "llm_judge": judge} for number, judge in enumerate(("", "nan", "None", 0.0, 1.0))
    ]
    log, _ = read_log(write(tmp_path / "x.csv", rows))
    assert log.records["judge_score"].to_list() == [None, None, None, 0.0, 1.0]
    with pytest.raises(UserError, match=r"row 2: llm_judge must be within \[0, 1\]"):
        read_log(write(tmp_path / "x.csv", [ROW | {"llm_judge": 8}]))


def test_a_cost_that_contradicts_tokens_and_prices_is_kept_and_named(tmp_path: Path) -> None:
    rows = [ROW, ROW | {"llm": "deepseek-r1", "cost": 400.0}]
    with pytest.warns(UserWarning, match=r"cost of 1 records is not tokens times prices.*\(deepseek-r1\)"):
        log, _ = read_log(write(tmp_path / "x.csv", rows))
    assert dict(log.records.select("llm", "cost").iter_rows())["deepseek-r1"] == pytest.approx(4e-4)


def test_splits_are_told_by_file_and_folder_and_may_overlap(tmp_path: Path) -> None:
    write(tmp_path / "fb" / "train-00000-of-00001.parquet", rows_of())
    write(tmp_path / "fb" / "partial_test" / "0000.parquet", rows_of(performance=0.0))
    log, _ = read_log(tmp_path / "fb")
    assert sorted(log.queries["source_split"]) == ["partial_test", "train"]
    assert log.queries["query"].n_unique() == 1
    means = dict(
        log.records.join(log.queries, on="query_id")
        .group_by("source_split")
        .agg(pl.col("performance").mean())
        .iter_rows()
    )
    assert means == {"train": 1.0, "partial_test": 0.0}


def test_one_text_with_two_ground_truths_is_two_queries(tmp_path: Path) -> None:
    log, _ = read_log(write(tmp_path / "x.csv", [ROW, ROW | {"ground_truth": "#### 43", "performance": 0.0}]))
    assert sorted(log.queries["ground_truth"]) == ["#### 42", "#### 43"]
    assert log.records.height == 2


def test_equal_rows_are_copies_and_others_are_draws(tmp_path: Path) -> None:
    rows = [ROW, ROW, ROW | {"response": "It is 42."}, ROW | {"response": "It is 42."}]
    with pytest.warns(UserWarning, match="2 rows are exact copies"):
        log, _ = read_log(write(tmp_path / "x.csv", rows))
    assert log.records["draw"].to_list() == [0, 1]


@pytest.mark.parametrize(
    "vector", ["", "tensor([1.0, 2.0, ..., 3.0])", "tensor([nan, 1.0, 2.0])", "tensor([1.0, 2.0])"]
)
def test_vectors_are_left_out_unless_every_query_has_one(vector: str, tmp_path: Path) -> None:
    rows = [ROW | {"query_embedding": TENSOR}, ROW | {"query": "Another?", "query_embedding": vector}]
    with pytest.warns(UserWarning, match="vectors are left out"):
        log, _ = read_log(write(tmp_path / "x.csv", rows))
    assert "vector" not in log.queries.columns


def test_unit_tests_as_a_list_become_json(tmp_path: Path) -> None:
    row = ROW | {"ground_truth": ["assert f(1) == 2"], "task_id": 11, "task_name": "mbpp"}
    log, _ = read_log(write(tmp_path / "x.json", [row]))
    query = log.queries.row(0, named=True)
    assert json.loads(query["ground_truth"]) == ["assert f(1) == 2"]
    assert query["source_id"] == "11"


def test_a_bad_row_is_named_and_the_import_refused(tmp_path: Path) -> None:
    file = write(tmp_path / "x.csv", [ROW, ROW | {"llm": ""}, ROW | {"llm": "b", "input_tokens_num": -1}])
    with pytest.raises(UserError, match=re.escape(f"{file}, row 3: llm must be text, but is empty")):
        read_log(file)
    log, rejected = read_log(file, skip_bad=True)
    assert [(row.row, row.file) for row in rejected] == [(3, file), (4, file)]
    assert log.records.height == 1


def test_a_hub_that_cannot_be_reached_is_one_clear_error() -> None:
    assert guess_format("ulab-ai/FusionBench") == "fusionbench"
    with pytest.raises(
        UserError, match="ulab-ai/FusionBench must be a data set on the Hugging Face hub.*local copy"
    ) as error:
        read_log("ulab-ai/FusionBench")
    assert "\n" not in str(error.value)


def test_a_folder_of_the_hubs_form_is_read_through_the_datasets_library(tmp_path: Path) -> None:
    from graphrouter.formats.hub import hub_rows

    folder = tmp_path / "FusionBench"
    for split in ("train", "partial_test"):
        write(folder / split / "data.csv", rows_of())
    files = "\n".join(f"- config_name: {split}\n  data_files: {split}/data.csv" for split in ("train", "partial_test"))
    (folder / "README.md").write_text(f"---\nconfigs:\n{files}\n---\n")
    rows = list(hub_rows(str(folder)))
    assert [row.file.name for row in rows] == ["train"] * 4 + ["partial_test"] * 4
    assert rows[0].values["query"] == "What is 6 times 7?"
