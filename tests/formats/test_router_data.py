import csv
import json
import random
from pathlib import Path
from typing import Any

import pytest

from graphrouter.errors import UserError
from graphrouter.formats import guess_format, read_log

ROW: dict[str, Any] = {
    "task_id": "alpaca_data",
    "query": "Name a colour.",
    "query_embedding": "[[ 3.85295739e-03  6.32412061e-02\n  2.88434885e-02]]",
    "ground_truth": "Red",
    "metric": "f1_score",
    "llm": "small",
    "effect": 0.5,
    "cost": 0.25,
    "task_description": "Instructions.",
    "task_description_embedding": "[[0.1 0.2 0.3]]",
}
DESCRIPTIONS = {
    "small": {
        "feature": "A small one.",
        "input_price": 0.2,
        "output_price": 0.4,
        "model": "org/small",
        "api_key": "sk-1",
    },
    "idle": {"feature": "Never asked.", "input_price": 1, "output_price": 1, "model": "org/idle"},
}


def write(folder: Path, rows: list[dict[str, Any]], descriptions: object = DESCRIPTIONS) -> Path:
    folder.mkdir(exist_ok=True)
    with (folder / "router_data.csv").open("w", newline="") as stream:
        writer = csv.DictWriter(stream, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    (folder / "LLM_Descriptions.json").write_text(json.dumps(descriptions))
    return folder


def test_a_folder_is_read_with_its_descriptions(tmp_path: Path) -> None:
    folder = write(tmp_path / "gr", [ROW, ROW | {"llm": "large", "effect": 1}])
    assert guess_format(folder) == guess_format(folder / "router_data.csv") == "router_data"
    for path in (folder, folder / "router_data.csv"):
        log, _ = read_log(path)
        query = log.queries.row(0, named=True)
        assert (query["task"], query["query"], query["ground_truth"]) == ("alpaca_data", "Name a colour.", "Red")
        assert (query["metric"], query["task_description"]) == ("f1_score", "Instructions.")
        assert query["vector"] == pytest.approx([0.00385295739, 0.0632412061, 0.0288434885])
        assert log.llm_names == ("idle", "large", "small")
        assert log.llms.row(2, named=True)["source_name"] == "org/small"
        assert "sk-1" not in str(log.llms.rows())
        assert dict(log.records.select("llm", "performance").iter_rows()) == {"small": 0.5, "large": 1.0}


def test_the_scaled_cost_is_not_taken_for_money_and_the_raw_one_is(tmp_path: Path) -> None:
    log, _ = read_log(write(tmp_path / "gr", [ROW]))
    assert log.records["cost"].to_list() == [None]
    assert log.records["source_cost"].to_list() == [0.25]
    assert not log.has_cost
    log, _ = read_log(write(tmp_path / "gr", [ROW | {"raw_cost": 0.002}]))
    assert log.records["cost"].to_list() == [0.002]
    assert "source_cost" not in log.records.columns


def test_blocks_are_never_counted_and_order_makes_no_difference(tmp_path: Path) -> None:
    rows = [
        ROW | {"query": f"q{number}", "llm": llm, "effect": number / 10}
        for number in range(5)
        for llm in ("small", "large", "huge")
        if (number, llm) != (2, "large")
    ]
    straight, _ = read_log(write(tmp_path / "gr", rows))
    random.Random(0).shuffle(rows)
    shuffled, _ = read_log(write(tmp_path / "gr", rows))
    assert straight.records.height == 14
    for table in ("queries", "llms", "records"):
        assert getattr(straight, table).equals(getattr(shuffled, table))


def test_one_text_with_two_ground_truths_is_two_queries(tmp_path: Path) -> None:
    log, _ = read_log(write(tmp_path / "gr", [ROW, ROW | {"ground_truth": "Blue", "effect": 0}]))
    assert sorted(log.queries["ground_truth"]) == ["Blue", "Red"]


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"effect": "2"}, r"effect must be within \[0, 1\], but is '2'"),
        ({"effect": "good"}, "effect must be a number, but is 'good'"),
        ({"query": ""}, "query must be text"),
    ],
)
def test_a_bad_row_is_named(change: dict[str, Any], reason: str, tmp_path: Path) -> None:
    folder = write(tmp_path / "gr", [ROW, ROW | {"query_embedding": "", "llm": "large"} | change])
    with pytest.raises(UserError, match=f"router_data.csv, row 4: {reason}"):  # the vector of the first takes two lines
        read_log(folder)


@pytest.mark.parametrize(
    ("descriptions", "reason"),
    [
        ({"small": {"feature": "x", "input_price": "cheap"}}, "input_price must be a number"),
        ({"m": {"size": "big"}}, "like 7B"),
    ],
)
def test_a_bad_description_is_named(descriptions: object, reason: str, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=f"LLM_Descriptions.json, row 1: .*{reason}"):
        read_log(write(tmp_path / "gr", [ROW], descriptions))


def test_a_table_without_the_columns_is_refused(tmp_path: Path) -> None:
    (tmp_path / "x.csv").write_text("a,b\n1,2\n")
    with pytest.raises(UserError, match="no table there has the columns task_id, query, llm, effect"):
        read_log(tmp_path / "x.csv", "router_data")


@pytest.mark.parametrize(
    "other",
    [[1], "text", {}, {"name": "package"}, {"name": ["model"]}, {"small": {"size": "3B"}, "odd": {"a": 1}}, None],
)
def test_other_json_files_are_passed_over(other: object, tmp_path: Path) -> None:
    folder = write(tmp_path / "gr", [ROW])
    (folder / "other.json").write_text("{" if other is None else json.dumps(other))
    assert read_log(folder)[0].llms.select("llm", "size_b").rows() == [("idle", None), ("small", None)]
