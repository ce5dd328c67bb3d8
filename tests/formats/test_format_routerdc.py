"""RouterDC: questions with one score per LLM."""

from pathlib import Path

import polars as pl
import pytest
from public_layouts import knows_only_its_own, write_json

from graphrouter.errors import UserError
from graphrouter.formats import routerdc
from graphrouter.formats.builder import LogBuilder
from graphrouter.log import LLMLog


def question(text="1+1?", **scores):
    return {"question": text, "scores": scores or {"mistralai/Mistral-7B-v0.1": 0.7, "meta-llama/Meta-Llama-3-8B": 0}}


def read(path: Path, skip_bad=False) -> tuple[LLMLog, LogBuilder]:
    builder = LogBuilder("log", skip_bad)
    routerdc.read(path, builder)
    return builder.build(), builder


def test_a_share_of_samples_is_the_performance(tmp_path):
    log, _ = read(write_json(tmp_path / "gsm8k-test.json", [question()]))
    assert log.queries.select("task", "source_split", "metric").row(0) == (
        "gsm8k",
        "test",
        "share of ten samples right",
    )
    assert log.records.select("performance", "raw_score").rows() == [(0.0, 0.0), (0.7, 0.7)]
    assert log.llm_names == ("meta-llama/Meta-Llama-3-8B", "mistralai/Mistral-7B-v0.1")


def test_a_probability_above_zero_is_right(tmp_path):
    log, _ = read(write_json(tmp_path / "cmmlu_train.json", [question(a=0.0001, b=0, c=0.93) | {"cluster_id": 3}]))
    assert log.queries.select("task", "source_split", "metric").row(0) == ("cmmlu", "train", "accuracy")
    assert log.records.select("llm", "performance", "raw_score").rows() == [
        ("a", 1.0, 0.0001),
        ("b", 0.0, 0.0),
        ("c", 1.0, 0.93),
    ]


@pytest.mark.parametrize(
    ("name", "task", "split"),
    [
        ("gsm8k-train", "gsm8k", "train"),
        ("humaneval_test", "humaneval", "test"),
        ("arc_easy_train", "arc_easy", "extra train"),
        ("arc_easy_test", "arc_easy", "extra test"),
        ("javascript", "humaneval_javascript", "extra test"),
        ("MATH_prealgebra", "math_prealgebra", "test, out of distribution"),
        ("mbpp", "mbpp", "test, out of distribution"),
        ("ceval", "ceval", "test, out of distribution"),
        ("my_own", "my_own", "test"),
        ("trained_models", "trained_models", "test"),
    ],
)
def test_task_and_split_stand_in_the_file_name(tmp_path, name, task, split):
    log, _ = read(write_json(tmp_path / f"{name}.json", [question(a=0.5)]))
    assert log.queries.select("task", "source_split").row(0) == (task, split)


def test_an_unknown_task_keeps_its_scores(tmp_path):
    log, _ = read(write_json(tmp_path / "my_own.json", [question(a=0.5)]))
    assert log.records["performance"].to_list() == [0.5]
    assert log.queries["metric"].to_list() == [None]


def test_a_question_in_train_and_test_is_two_queries(tmp_path):
    write_json(tmp_path / "mmlu_train.json", [question(a=0.5), question(a=0.0)])
    write_json(tmp_path / "mmlu_test.json", [question(a=0.5)])
    log, _ = read(tmp_path)
    assert sorted(log.queries["source_split"]) == ["test", "train"]
    train = log.queries.filter(source_split="train")["query_id"][0]
    assert sorted(log.records.filter(query_id=train)["performance"]) == [0.0, 1.0]


def test_the_repository_is_read_without_its_copies(tmp_path):
    write_json(tmp_path / "datasets/split2_model7/mbpp.json", [question(a=0.5)])
    write_json(tmp_path / "datasets/split2_model7_cluster/mbpp.json", [question(a=0.5) | {"cluster_id": 1}])
    assert routerdc.recognises(tmp_path)
    assert read(tmp_path)[0].records.height == 1


def test_missing_scores_stay_missing_and_order_does_not_matter(tmp_path):
    rows = [question(f"{at}?", a=at / 10, b=None if at % 2 else 1) for at in range(6)]
    one, builder = read(write_json(tmp_path / "a/mbpp.json", rows))
    two, _ = read(write_json(tmp_path / "b/mbpp.json", rows[::-1]))
    assert one.records.equals(two.records)
    assert one.queries.equals(two.queries)
    assert one.records.height == 9
    assert builder.unscored == 3


@pytest.mark.parametrize(
    ("bad", "reason"),
    [
        ({"scores": {"a": 1}}, "question must be text"),
        (question("2?") | {"scores": [1, 0]}, "scores must be an object"),
        (question("2?") | {"scores": {}}, "scores must be an object"),
        (question("2?", a=1.0, b=1.2), "score of b must be within"),
        (question("2?", a="high"), "score of a must be a number"),
        (["2?", 1], "must be a JSON object"),
    ],
)
def test_a_bad_row_is_refused_whole_or_listed(tmp_path, bad, reason):
    file = write_json(tmp_path / "mbpp.json", [question(a=1.0), bad])
    with pytest.raises(UserError, match=reason):
        read(file)
    log, builder = read(file, skip_bad=True)
    assert log.queries.height == log.records.height == 1
    assert [(row.file, row.row) for row in builder.rejected] == [(file, 2)]


def test_an_empty_folder_is_refused(tmp_path):
    with pytest.raises(UserError, match="must hold JSON files"):
        read(tmp_path)


def test_knows_its_own_layout_and_no_other(tmp_path):
    assert knows_only_its_own(routerdc, tmp_path)
    assert not routerdc.recognises(tmp_path / "absent.json")


@pytest.mark.real_data
@pytest.mark.parametrize("name", ["gsm8k-test", "arc_challenge_train"])
def test_conventions_agree_with_the_converted_data(real_data, tmp_path, name):
    """Writes the raw scores of the converted data in RouterDC's own layout, and reads them back."""
    folder = real_data / "routerdc"
    queries, records = (pl.read_parquet(folder / f"{table}.parquet") for table in ("queries", "records"))
    queries = queries.filter(pl.col("query_id").str.starts_with(f"routerdc/{name}/"))
    theirs = records.join(queries, on="query_id")
    rows: dict[str, dict] = {}
    for row in theirs.iter_rows(named=True):
        rows.setdefault(row["query_id"], question(row["query"]) | {"scores": {}})["scores"][row["llm"]] = row[
            "raw_score"
        ]
    log, _ = read(write_json(tmp_path / f"{name}.json", list(rows.values())))
    assert set(log.queries["task"]) == set(theirs["task"])
    assert set(log.queries["source_split"]) == set(theirs["source_split"])
    assert set(log.queries["metric"]) == set(theirs["metric"])
    once = theirs.filter(pl.len().over("query", "llm") == 1)
    both = log.records.join(log.queries.select("query_id", "query"), on="query_id").join(
        once, on=["query", "llm"], suffix="_there"
    )
    assert both.height == once.height
    assert (both["performance"] - both["performance_there"]).abs().max() < 1e-6
