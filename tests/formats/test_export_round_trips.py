import csv
import json
import tempfile
import warnings
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from random_logs import TEXTS, first_responses, logs, means

from graphrouter.errors import UserError
from graphrouter.formats import EXPORTS, export_log, read_log
from graphrouter.log import LLMLog
from graphrouter.testing import make_log

PLAIN = TEXTS.filter(lambda name: "|" not in name)
LLM_COLUMNS = ("llm", "description", "input_price", "output_price", "size_b")


def there_and_back(log: LLMLog, layout: str, file: str) -> LLMLog:
    with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        export_log(log, layout, Path(folder) / file)
        back, rejected = read_log(Path(folder) / file, layout)
        assert not rejected
        return back


def close(found: dict[Any, Any], expected: dict[Any, Any]) -> None:
    assert found.keys() == expected.keys()
    for key, value in expected.items():
        assert found[key] == (pytest.approx(value, rel=1e-12, abs=0) if isinstance(value, float) else value), key


def ids(log: LLMLog) -> dict[str, str]:
    return dict(log.queries.select("query_id", "query").iter_rows())


def by_text(log: LLMLog, values: dict[tuple[str, str], Any]) -> dict[tuple[str, str], Any]:
    names = ids(log)
    return {(names[query], llm): value for (query, llm), value in values.items()}


def spent(log: LLMLog) -> dict[tuple[str, str], float | None]:
    """Mean cost; where none is given, mean tokens at the LLM's prices."""
    cost, tokens_in, tokens_out = (means(log, column) for column in ("cost", "input_tokens", "output_tokens"))
    prices = {row["llm"]: (row["input_price"], row["output_price"]) for row in log.llms.iter_rows(named=True)}
    for key, value in cost.items():
        parts = (tokens_in[key], tokens_out[key], *prices[key[1]])
        if value is None and None not in parts:
            cost[key] = (parts[0] * parts[2] + parts[1] * parts[3]) / 1e6
    return cost


@given(log=logs(alike=True))
def test_the_canonical_layout_loses_nothing(log: LLMLog) -> None:
    back = there_and_back(log, "canonical", "log")
    assert back.name == log.name
    for table in ("queries", "llms"):
        columns = getattr(log, table).columns
        assert getattr(back, table).select(columns).equals(getattr(log, table))
    columns = [column for column in log.records.columns if column != "response_chars"]
    assert back.records.select(columns).equals(log.records.select(columns))
    assert back.has_responses == log.has_responses
    assert not log.has_responses or back.responses().equals(log.responses())


@given(log=logs())
def test_router_data_keeps_queries_llms_performance_and_cost(log: LLMLog) -> None:
    back = there_and_back(log, "router_data", "out")
    columns = ["task", "query", "ground_truth", "metric"]
    assert sorted(back.queries.select(columns).rows(), key=str) == sorted(log.queries.select(columns).rows(), key=str)
    assert back.llms.select(LLM_COLUMNS).equals(log.llms.select(LLM_COLUMNS))
    close(by_text(back, means(back, "performance")), by_text(log, means(log, "performance")))
    close(by_text(back, means(back, "cost")), by_text(log, spent(log)))


@given(log=logs())
def test_llmrouter_keeps_queries_llms_performance_tokens_responses_and_splits(log: LLMLog) -> None:
    back = there_and_back(log, "llmrouter", "out")
    columns = ["task", "query", "ground_truth", "metric"]
    if log.queries["source_split"].null_count() == 0:
        columns.append("source_split")
    assert sorted(back.queries.select(columns).rows(), key=str) == sorted(log.queries.select(columns).rows(), key=str)
    assert back.llms.select(LLM_COLUMNS).equals(log.llms.select(LLM_COLUMNS))
    for column in ("performance", "input_tokens", "output_tokens"):
        close(by_text(back, means(back, column)), by_text(log, means(log, column)))
    assert by_text(back, first_responses(back)) == by_text(log, first_responses(log))


@given(log=logs(names=PLAIN, alike=True), ending=st.sampled_from(["csv", "parquet"]))
def test_the_wide_table_keeps_ids_texts_performance_cost_and_responses(log: LLMLog, ending: str) -> None:
    back = there_and_back(log, "routerbench", f"out.{ending}")
    columns = ["query_id", "task", "query"]
    assert back.queries.select(columns).equals(log.queries.select(columns))
    assert back.llm_names == log.llm_names
    close(means(back, "performance"), means(log, "performance"))
    close(means(back, "cost"), spent(log))
    assert first_responses(back) == first_responses(log)


@pytest.mark.parametrize("name", ["a|b", "prompt", "oracle_model_to_route_to"])
def test_the_wide_table_refuses_an_llm_whose_name_cannot_be_a_column(name: str, tmp_path: Path) -> None:
    log = make_log(10)
    swap = pl.col("llm").replace("alpha", name)
    odd = LLMLog("odd", log.queries, log.llms.with_columns(swap), log.records.with_columns(swap))
    with pytest.raises(UserError, match="rename the LLM"):
        export_log(odd, "routerbench", tmp_path / "out.csv")
    assert not list(tmp_path.iterdir())


def test_the_wide_table_routes_to_the_cheapest_of_the_best(tmp_path: Path) -> None:
    queries = pl.DataFrame({"query_id": ["a", "b", "c"], "task": "t", "query": ["x", "y", "z"]})
    records = pl.DataFrame(
        [
            ("a", "dear", 1.0, 0.2),
            ("a", "cheap", 1.0, 0.1),
            ("a", "bad", 0.5, 0.0),
            ("a", "unknown", 1.0, None),
            ("b", "bad", 0.0, 0.0),
        ],
        schema=["query_id", "llm", "performance", "cost"],
        orient="row",
    )
    log = LLMLog("oracle", queries, pl.DataFrame({"llm": ["dear", "cheap", "bad", "unknown"]}), records)
    export_log(log, "routerbench", tmp_path / "out.csv")
    with (tmp_path / "out.csv").open(newline="") as stream:
        assert [row["oracle_model_to_route_to"] for row in csv.DictReader(stream)] == ["cheap", "no_model_correct", ""]


def test_the_wide_table_goes_to_csv_or_parquet_only(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"\.csv or \.parquet"):
        export_log(make_log(10), "routerbench", tmp_path / "out.pkl")


def test_router_data_can_be_cut_into_blocks_of_all_llms_and_scales_cost_within_a_task(tmp_path: Path) -> None:
    log = make_log(20, missing=0.3)
    with pytest.warns(UserWarning, match="query ids"):
        export_log(log, "router_data", tmp_path / "out")
    with (tmp_path / "out" / "router_data.csv").open(newline="") as stream:
        rows = list(csv.DictReader(stream))
    names = list(json.loads((tmp_path / "out" / "LLM_Descriptions.json").read_text()))
    assert [row["llm"] for row in rows] == names * 20
    blocks = [rows[start : start + len(names)] for start in range(0, len(rows), len(names))]
    assert all(len({row["query"] for row in block}) == 1 for block in blocks)
    assert [block[0]["task_id"] for block in blocks] == sorted(block[0]["task_id"] for block in blocks)
    for task in ("algebra", "history"):
        scaled = [float(row["cost"]) for row in rows if row["task_id"] == task and row["effect"]]
        assert (min(scaled), max(scaled)) == (0, 1)
    assert sum(row["effect"] == "" for row in rows) == 60 - log.records.height


def test_router_data_carries_vectors_as_its_reader_parses_them(tmp_path: Path) -> None:
    log = make_log(10)
    vectors = [[number / 7, -1e-20, 3.0] for number in range(10)]
    log = LLMLog("vectors", log.queries.with_columns(vector=pl.Series(vectors)), log.llms, log.records)
    back = there_and_back(log, "router_data", "out")
    found = dict(back.queries.select("query", "vector").iter_rows())
    for query, vector in log.queries.select("query", "vector").iter_rows():
        assert found[query] == pytest.approx(vector, rel=1e-6)
    with pytest.warns(UserWarning, match="router_data cannot hold"):
        export_log(log, "router_data", tmp_path / "out")
    with (tmp_path / "out" / "router_data.csv").open(newline="") as stream:
        cell = next(csv.DictReader(stream))["query_embedding"]
    assert len(json.loads(", ".join(cell.split()))[0]) == 3  # how GraphRouter reads it


@pytest.mark.parametrize(
    ("layout", "words"),
    [
        ("router_data", ["further draws", "responses", "records.judge_score", "query ids", "simulated"]),
        ("llmrouter", ["further draws", "first one's response", "records.judge_score", "records.cost", "query ids"]),
        ("routerbench", ["further draws", "first one's response", "queries.metric", "llms.size_b", "input_tokens"]),
    ],
)
def test_an_export_says_what_it_could_not_hold(layout: str, words: list[str], tmp_path: Path) -> None:
    log = make_log(10, draws=2)
    records = log.records.with_columns(judge_score=0.5, cost=pl.lit(0.1))
    responses = records.select("query_id", "llm", "draw", response=pl.lit("r"))
    log = LLMLog(
        "full", log.queries.with_columns(metric=pl.lit("em")), log.llms, records, simulated=True, texts=responses
    )
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        export_log(log, layout, tmp_path / "out.csv")
    said = [str(warning.message) for warning in caught]
    assert len(said) == 1
    assert not [word for word in words if word not in said[0]], said
    assert "queries.task" not in said[0]
    assert "queries.query" not in said[0]


def test_an_export_says_when_queries_will_be_joined(tmp_path: Path) -> None:
    queries = pl.DataFrame({"query_id": ["a", "b"], "task": "t", "query": "same", "source_split": ["train", "test"]})
    records = pl.DataFrame({"query_id": ["a", "b"], "llm": "l", "performance": [0.0, 1.0]})
    log = LLMLog("alike", queries, pl.DataFrame({"llm": ["l"]}), records)
    with pytest.warns(UserWarning, match="1 queries that differ"):
        export_log(log, "router_data", tmp_path / "one")
    assert there_and_back(log, "llmrouter", "two").queries.height == 2  # which tells the splits apart


def test_exports_are_the_layouts_that_can_be_written() -> None:
    with pytest.raises(UserError, match=", ".join(EXPORTS)):
        export_log(make_log(10), "fusionbench", "nowhere")


@pytest.mark.real_data
@pytest.mark.parametrize("source", ["llmrouter", "routeprofile"])
@pytest.mark.parametrize("layout", EXPORTS)
def test_real_logs_survive_every_export(source: str, layout: str, real_data: Path, tmp_path: Path) -> None:
    log = LLMLog.load(real_data / source)
    out = tmp_path / ("out.parquet" if layout == "routerbench" else "out")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        export_log(log, layout, out)
        back, _ = read_log(out, layout)
    if layout in ("canonical", "routerbench"):
        close(means(back, "performance"), means(log, "performance"))
        assert first_responses(back) == first_responses(log)
    else:  # no ids: queries that nothing tells apart are joined, and nothing else is lost
        assert set(ids(back).values()) == set(ids(log).values())
        single = set(log.queries.filter(~pl.col("query").is_duplicated())["query"])
        before, after = by_text(log, means(log, "performance")), by_text(back, means(back, "performance"))
        assert {key: after.get(key) for key in before if key[0] in single} == {
            key: value for key, value in before.items() if key[0] in single
        }
