from dataclasses import replace
from pathlib import Path

import polars as pl
import pytest

from graphrouter.errors import UserError
from graphrouter.formats import guess_format, read_log
from graphrouter.testing import make_log


def write_csv(folder: Path, **tables: str) -> Path:
    folder.mkdir(exist_ok=True)
    usual = {
        "queries": "query_id,task,query,note\na,t,What?,n\nb,,Why?,\n",
        "llms": "llm,input_price\nsmall,0.2\n",
        "records": "query_id,llm,draw,performance,judge_score\na,small,0,0.5,7\na,small,1,1,\nb,small,0,0,\n",
        "responses": "query_id,llm,draw,response\na,small,1,yes\n",
    }
    for table, text in (usual | tables).items():
        (folder / f"{table}.csv").write_text(text)
    return folder


def test_a_folder_of_csv_files_becomes_a_log(tmp_path: Path) -> None:
    folder = write_csv(tmp_path / "elsewhere")
    assert guess_format(folder) == "canonical"
    log, _ = read_log(folder)
    assert log.name == "elsewhere"
    assert log.queries.select("query_id", "task", "note").rows() == [("a", "t", "n"), ("b", None, None)]
    assert log.records.select("query_id", "draw", "performance", "judge_score").rows() == [
        ("a", 0, 0.5, 7.0),
        ("a", 1, 1.0, None),
        ("b", 0, 0.0, None),
    ]
    assert log.responses().rows() == [("a", "small", 1, "yes")]


def test_what_a_log_says_of_itself_goes_along(tmp_path: Path) -> None:
    folder = replace(make_log(20), encoder="tfidf:64").save(tmp_path / "log")
    log, _ = read_log(folder)
    assert (log.name, log.simulated, log.cost_estimated, log.encoder) == ("planted", True, False, "tfidf:64")
    assert read_log(folder, name="mine")[0].name == "mine"


def test_further_columns_and_vectors_are_kept(tmp_path: Path) -> None:
    log = make_log(10)
    queries = log.queries.with_columns(vector=pl.Series([[0.5, 1.0]] * 10), empty=pl.lit(None, pl.String))
    folder = log.save(tmp_path / "log")
    queries.write_parquet(folder / "queries.parquet")
    back, _ = read_log(folder)
    assert back.queries["vector"].to_list() == [[0.5, 1.0]] * 10
    assert back.queries["empty"].to_list() == [None] * 10


@pytest.mark.parametrize(
    ("table", "text", "reason"),
    [
        (
            "records",
            "query_id,llm,performance\na,small,1.5\nb,small,1\n",
            r"row 2: performance must be within \[0, 1\]",
        ),
        ("records", "query_id,llm,performance\nz,small,1\nb,small,1\n", "row 2: query 'z' and LLM 'small' must occur"),
        ("records", "query_id,llm,performance\na,small,1\na,small,0\n", "row 3: a record must occur once"),
        ("records", "query_id,llm,performance,draw\na,small,1,0.5\nb,small,1,0\n", "draw must be a whole number"),
        ("records", "query_id,llm,performance,cost\na,small,1,-1\nb,small,1,1\n", "cost must be finite and at least 0"),
        ("queries", "query_id,task,query\na,t,What?\na,t,What?\nb,t,Why?\n", "row 3: a query_id must occur once"),
        ("llms", "llm,input_price\nsmall,1\nsmall,2\n", "input_price of LLM 'small' must be the same"),
    ],
)
def test_each_bad_row_is_named_and_can_be_skipped(table: str, text: str, reason: str, tmp_path: Path) -> None:
    folder = write_csv(tmp_path / "bad", **{"responses": "query_id,llm,response\n", table: text})
    with pytest.raises(UserError, match=f"{table}.csv, {reason}" if reason.startswith("row") else reason):
        read_log(folder)
    log, rejected = read_log(folder, skip_bad=True)
    assert len(rejected) == 1
    assert log.records.height


def test_responses_without_a_record_are_counted(tmp_path: Path) -> None:
    folder = write_csv(tmp_path / "x", responses="query_id,llm,response\nb,small,yes\nz,small,no\n")
    with pytest.warns(UserWarning, match="1 responses are left out"):
        log, _ = read_log(folder)
    assert log.responses().rows() == [("b", "small", 0, "yes")]


def test_a_folder_without_a_table_is_refused(tmp_path: Path) -> None:
    folder = write_csv(tmp_path / "x")
    (folder / "llms.csv").unlink()
    with pytest.raises(UserError, match="but has no llms"):
        read_log(folder, "canonical")


def test_a_misspelt_column_is_named(tmp_path: Path) -> None:
    folder = write_csv(tmp_path / "x", records="query_id,llm,draw,performance,costs\na,small,1,1,0.5\n")
    with pytest.warns(UserWarning, match=r"records.csv: 'costs' is no column of a log.*'cost'"):
        log, _ = read_log(folder)
    assert log.records["costs"].to_list() == ["0.5"]
