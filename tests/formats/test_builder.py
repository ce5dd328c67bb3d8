import random
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from graphrouter.errors import UserError
from graphrouter.formats.builder import LogBuilder
from graphrouter.formats.rows import BadRow, Row
from graphrouter.log import COLUMNS
from graphrouter.log_frames import content_id

RECORDS = st.tuples(
    st.sampled_from("ab"),
    st.sampled_from("xy"),
    st.sampled_from([0.0, 0.5, 1.0]),
    st.none() | st.sampled_from(["r", "s"]),
)


def build(rows: list[tuple[Any, ...]]) -> LogBuilder:
    builder = LogBuilder("built")
    for query, llm, performance, response in rows:
        query_id = builder.add_query("t", query)
        builder.add_llm(llm)
        builder.add_record(query_id, llm, performance, response=response)
    return builder


@given(rows=st.lists(RECORDS, min_size=1, max_size=8), seed=st.integers(0, 9))
def test_the_order_of_rows_makes_no_difference(rows: list[tuple[Any, ...]], seed: int) -> None:
    shuffled = random.Random(seed).sample(rows, len(rows))
    one, other = build(rows), build(shuffled)
    assert one.copies == other.copies == len(rows) - len(set(rows))
    first, second = one.build(), other.build()
    assert first.records.height == len(set(rows))
    for table in ("queries", "llms", "records"):
        assert getattr(first, table).equals(getattr(second, table))
    assert first.has_responses == second.has_responses
    assert not first.has_responses or first.responses().equals(second.responses())


def test_a_later_row_fills_in_and_must_not_contradict() -> None:
    builder = LogBuilder("built")
    builder.add_llm("m", description=None, input_price=1.0)
    builder.add_llm("m", description="d", size_b=7.0)
    with pytest.raises(BadRow, match="input_price of LLM 'm' must be the same in all rows, but is 2.0 after 1.0"):
        builder.add_llm("m", output_price=9.0, input_price=2.0)
    builder.add_record(builder.add_query(None, "q"), "m", 1.0)
    llm = builder.build().llms.row(0, named=True)
    assert (llm["description"], llm["input_price"], llm["size_b"]) == ("d", 1.0, 7.0)
    assert llm["output_price"] is None  # nothing of the bad row is taken


def test_draws_that_the_source_counts_are_kept_and_others_follow() -> None:
    builder = LogBuilder("built")
    query_id = builder.add_query("t", "q")
    builder.add_llm("m")
    builder.add_record(query_id, "m", 0.25)
    builder.add_record(query_id, "m", 0.5, draw=3)
    builder.add_record(query_id, "m", 0.5, draw=1)
    with pytest.raises(BadRow, match="draw 3 was there before"):
        builder.add_record(query_id, "m", 0.5, draw=3)
    assert builder.build().records.select("draw", "performance").rows() == [(1, 0.5), (3, 0.5), (4, 0.25)]


def test_further_columns_are_sorted_and_of_two_vectors_one_stays_in_any_order() -> None:
    vectors = [np.array([1.0, 2.0], dtype=np.float32), np.array([1.0, 3.0], dtype=np.float32)]
    for order in (vectors, vectors[::-1]):
        builder = LogBuilder("built")
        query_id = builder.add_query("t", "q", zeta=1, eta="x", alpha=None, mu=2.5)
        for vector in order:
            builder.add_vector(query_id, vector)
        builder.add_record(query_id, builder.add_llm("m"), 1.0)
        queries = builder.build().queries
        assert queries["vector"].to_list() == [[1.0, 2.0]]
        assert [name for name in queries.columns if name not in COLUMNS["queries"]] == [
            "alpha",
            "eta",
            "mu",
            "zeta",
            "vector",
        ]


@pytest.mark.parametrize("performance", [-0.1, 1.1, float("nan")])
def test_performance_must_be_a_share(performance: float) -> None:
    builder = LogBuilder("built")
    with pytest.raises(BadRow, match=r"within \[0, 1\]"):
        builder.add_record(builder.add_query("t", "q"), builder.add_llm("m"), performance)


def test_ids_follow_from_what_tells_queries_apart() -> None:
    assert content_id("t", "q", None) == content_id("t", "q", None)
    ids = [
        ("t", "q"),
        ("u", "q"),
        (None, "q"),
        ("None", "q"),
        ("t", "q", None),
        ("t", "a\nb"),
        ("t", "a", "b"),
        ("t", "ab"),
    ]
    assert len({content_id(*parts) for parts in ids}) == len(ids)


def test_bad_rows_end_the_import_or_are_noted() -> None:
    row = Row(Path("f.csv"), 3, {})
    with pytest.raises(UserError, match=r"f\.csv, row 3: why; mend it, or leave bad rows out with --skip-bad"):
        LogBuilder("x").reject(row.file, row.number, "why")
    builder = LogBuilder("x", skip_bad=True)
    with builder.checking(row):
        row.text("query")
    assert [(bad.file, bad.row) for bad in builder.rejected] == [(Path("f.csv"), 3)]
    with pytest.raises(
        UserError, match="at least one scored response, but holds none; 1 rows were bad, the first: query"
    ):
        builder.build()


def test_rows_are_added_and_the_bad_ones_told_and_where_none_is_scored_that_can_be_asked(tmp_path: Path) -> None:
    files = [tmp_path / "one.jsonl", tmp_path / "two.jsonl"]
    for file in files:
        file.write_text('{"kind": "missing"}\n')

    def add(row: Row, into: LogBuilder) -> None:
        if row.text("kind") == "bad":
            raise BadRow("it is bad")
        into.leave_missing()

    builder = LogBuilder("built", skip_bad=True)
    builder.add_rows(files, add)
    assert builder.unscored == 2
    assert builder.found_nothing
    files[1].write_text('{"kind": "bad"}\n')
    builder.add_rows(files, add)
    assert [(row.file, row.row, row.reason) for row in builder.rejected] == [(files[1], 1, "it is bad")]
    assert not builder.found_nothing
    assert not build([("q", "m", 1.0, None)]).found_nothing
