import json
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from graphrouter import files
from graphrouter.errors import UserError
from graphrouter.log import LLMLog, load_log
from graphrouter.log_checks import MOST

TABLES = ("queries", "llms", "records")


def tables() -> dict[str, pl.DataFrame]:
    """Three queries, two LLMs; the cell (c, small) is missing, and (a, small) has two draws."""
    queries = {"query_id": ["a", "b", "c"], "task": ["sums", "sums", None], "query": ["1+1", "2+2", "hello"]}
    llms = {"llm": ["big", "small"], "size_b": [70.0, 7.0], "input_price": [1.0, 0.1], "output_price": [2.0, None]}
    records = {
        "query_id": ["a", "a", "a", "b", "b", "c"],
        "llm": ["big", "small", "small", "big", "small", "big"],
        "draw": [0, 0, 1, 0, 0, 0],
        "performance": [1.0, 0.0, 1.0, 0.25, 0.0, 0.5],
        "input_tokens": [10, 10, 10, 20, 20, None],
        "output_tokens": [5, 5, 5, 5, 5, None],
        "cost": [None, 0.1, 0.3, None, None, 0.7],
        "latency": [1, 2, 3, 4, 5, 6],
    }
    return {"queries": pl.DataFrame(queries), "llms": pl.DataFrame(llms), "records": pl.DataFrame(records)}


def write(folder: Path, **changes: pl.DataFrame) -> Path:
    folder.mkdir(exist_ok=True)
    for name, frame in (tables() | changes).items():
        frame.write_parquet(folder / f"{name}.parquet")
    return folder


def assert_same(left: LLMLog, right: LLMLog) -> None:
    for name in TABLES:
        assert_frame_equal(getattr(left, name), getattr(right, name))


def message(call, *arguments) -> str:
    with pytest.raises(UserError) as caught:
        call(*arguments)
    text = str(caught.value)
    assert "\n" not in text
    return text


def test_cells_are_means_over_draws_and_nan_where_missing():
    log = LLMLog("tiny", **tables())
    np.testing.assert_array_equal(log.cells("performance"), [[1.0, 0.5], [0.25, 0.0], [0.5, np.nan]])
    np.testing.assert_array_equal(log.cells("draws"), [[1, 2], [1, 1], [1, 0]])
    assert log.tasks == ("sums",)
    assert log.llm_names == ("big", "small")


def test_cost_comes_from_the_record_else_from_tokens_and_prices_else_is_nan():
    log = LLMLog("tiny", **tables())
    expected = [[(10 * 1 + 5 * 2) / 1e6, 0.2], [(20 * 1 + 5 * 2) / 1e6, np.nan], [0.7, np.nan]]
    np.testing.assert_allclose(log.cells("cost"), expected)
    assert not log.has_cost
    assert log.take_llms(["big"]).has_cost


def test_source_columns_are_kept_and_absent_columns_are_null():
    log = LLMLog("tiny", **tables())
    assert log.records["latency"].to_list() == [1, 2, 3, 4, 5, 6]
    assert log.records["judge_score"].null_count() == 6


@given(st.permutations(range(3)), st.permutations(range(2)), st.permutations(range(6)))
def test_row_order_is_irrelevant(queries, llms, records):
    orders = {"queries": queries, "llms": llms, "records": records}
    shuffled = LLMLog("tiny", **{name: frame[list(orders[name])] for name, frame in tables().items()})
    straight = LLMLog("tiny", **tables())
    assert_same(shuffled, straight)
    for column in ("performance", "cost", "draws"):
        np.testing.assert_array_equal(shuffled.cells(column), straight.cells(column))


CELL = st.fixed_dictionaries(
    {
        "performance": st.floats(0, 1),
        "cost": st.none() | st.floats(0, 1e3),
        "judge_score": st.none() | st.floats(-5, 5),
        "note": st.none() | st.text(max_size=5),
    }
)


@given(
    st.dictionaries(st.tuples(st.sampled_from("abc"), st.sampled_from(["big", "small"])), CELL, min_size=1),
    st.booleans(),
    st.sampled_from([None, "tfidf"]),
)
def test_save_and_load_give_the_same_log(tmp_path_factory, cells, simulated, encoder):
    rows = [{"query_id": query, "llm": llm, **cell} for (query, llm), cell in cells.items()]
    records = pl.DataFrame(rows, schema_overrides={"cost": pl.Float64, "judge_score": pl.Float64, "note": pl.String})
    log = LLMLog("tiny", **(tables() | {"records": records}), simulated=simulated, encoder=encoder)
    loaded = LLMLog.load(log.save(tmp_path_factory.mktemp("logs") / "saved"))
    assert (loaded.name, loaded.simulated, loaded.cost_estimated, loaded.encoder) == ("tiny", simulated, False, encoder)
    assert_same(loaded, log)


def test_responses_go_along_for_the_queries_and_llms_that_are_kept(tmp_path):
    folder = write(tmp_path / "source")
    said = {"query_id": ["a", "a", "b"], "llm": ["big", "small", "small"], "response": ["2", "3", "4"]}
    pl.DataFrame(said).write_parquet(folder / "responses.parquet")
    part = LLMLog.load(folder).take(np.array([0])).take_llms(["small"])
    copy = LLMLog.load(part.save(tmp_path / "copy"))
    assert copy.responses().rows() == [("a", "small", 0, "3")]
    assert "no responses" in message(LLMLog("tiny", **tables()).responses)


def test_responses_in_memory_are_saved_with_their_draws(tmp_path):
    said = pl.DataFrame({"query_id": ["b", "a"], "llm": ["small", "big"], "draw": [1, 0], "response": ["y", "x"]})
    log = LLMLog("tiny", **tables(), texts=said)
    assert log.has_responses
    loaded = LLMLog.load(log.save(tmp_path / "saved"))
    assert loaded.responses().rows() == [("a", "big", 0, "x"), ("b", "small", 1, "y")]


def test_save_keeps_what_it_is_told_to_keep(tmp_path):
    log, folder = LLMLog("tiny", **tables()), tmp_path / "log"
    (folder / "journal").mkdir(parents=True)
    (folder / "journal" / "answers").write_text("one")
    assert "other files" in message(log.save, folder)
    for _ in range(2):
        log.save(folder, keep=("journal", "absent"))
        assert (folder / "journal" / "answers").read_text() == "one"
    assert_same(LLMLog.load(folder), log)
    log.save(folder)
    assert not (folder / "journal").exists()


def test_take_and_hide_choose_rows_and_cells():
    log = LLMLog("tiny", **tables())
    assert log.take(np.array([False, True, False])).records["query_id"].to_list() == ["b", "b"]
    hidden = log.hide(np.array([[0, 1], [0, 0], [0, 0]], dtype=bool))
    np.testing.assert_array_equal(hidden.cells("draws"), [[1, 0], [1, 1], [1, 0]])
    assert "big, small" in message(log.take_llms, ["huge"])


def test_with_target_puts_another_score_in_the_place_of_performance():
    records = tables()["records"].with_columns(judge_score=pl.Series([0.9, None, None, None, 0.1, None]))
    judged = LLMLog("tiny", **(tables() | {"records": records})).with_target("judge_score")
    np.testing.assert_allclose(judged.cells("performance"), [[0.9, np.nan], [np.nan, 0.1], [np.nan, np.nan]], rtol=1e-6)
    assert "judge_score" in message(LLMLog("tiny", **tables()).with_target, "judge_score")


@pytest.mark.parametrize("value", [7.0, -0.1])
def test_a_judge_score_off_the_scale_is_named(value):
    records = tables()["records"].with_columns(judge_score=pl.Series([float("nan"), 0.9, None, value, 0.1, None]))
    log = LLMLog("tiny", **(tables() | {"records": records}))
    text = message(log.with_target, "judge_score")
    assert (
        f"(b, big, 0): judge_score must be within [0, 1] to stand for performance, but judge_score is {value}" in text
    )
    infinite = records.with_columns(judge_score=pl.lit(float("inf")))
    assert "judge_score must be finite" in message(lambda: LLMLog("tiny", **(tables() | {"records": infinite})))


def broken(table: str, row: int, column: str, value: object) -> dict[str, pl.DataFrame]:
    frame = tables()[table]
    values = frame[column].to_list()
    values[row] = value
    return {table: frame.with_columns(pl.Series(column, values, strict=False))}


BAD = {
    "duplicate record": (
        broken("records", 2, "draw", 0),
        ("records.parquet", "row 1", "query_id, llm, draw", "a, small"),
    ),
    "duplicate query": (broken("queries", 2, "query_id", "b"), ("queries.parquet", "row 1", "query_id")),
    "unknown llm": (broken("records", 4, "llm", "huge"), ("records.parquet", "row 4", "llm", "'huge'")),
    "unknown query": (broken("records", 3, "query_id", "z"), ("records.parquet", "row 3", "query_id", "'z'")),
    "performance above 1": (
        broken("records", 3, "performance", 1.2),
        ("records.parquet", "row 3", "performance", "1.2"),
    ),
    "performance below 0": (
        broken("records", 0, "performance", -0.1),
        ("records.parquet", "row 0", "performance", "-0.1"),
    ),
    "performance is nan": (
        broken("records", 5, "performance", float("nan")),
        ("records.parquet", "row 5", "performance"),
    ),
    "performance is null": (broken("records", 5, "performance", None), ("records.parquet", "row 5", "performance")),
    "negative cost": (broken("records", 1, "cost", -0.5), ("records.parquet", "row 1", "cost", "-0.5")),
    "infinite cost": (broken("records", 2, "cost", float("inf")), ("records.parquet", "row 2", "cost", "inf")),
    "negative tokens": (broken("records", 2, "input_tokens", -1), ("records.parquet", "row 2", "input_tokens")),
    "negative price": (broken("llms", 1, "input_price", -1.0), ("llms.parquet", "row 1", "input_price")),
    "text is null": (broken("queries", 1, "query", None), ("queries.parquet", "row 1", "query")),
    "missing column": ({"records": tables()["records"].drop("performance")}, ("records.parquet", "'performance'")),
    "no rows": ({"records": tables()["records"].clear()}, ("records.parquet", "empty")),
    "text for a number": (
        {"records": tables()["records"].with_columns(performance=pl.lit("good"))},
        ("records.parquet", "'performance'", "number"),
    ),
    "number for a text": (
        {"llms": tables()["llms"].with_columns(llm=pl.Series([1, 2]))},
        ("llms.parquet", "'llm'", "text"),
    ),
}


@pytest.mark.parametrize("case", BAD)
def test_a_broken_rule_names_the_file_the_column_and_the_first_row(tmp_path, case):
    changes, words = BAD[case]
    text = message(LLMLog.load, write(tmp_path / "log", **changes))
    for word in words:
        assert word in text


TEN = "performance", "judge_score", "input_tokens", "output_tokens", "cost", "response_chars", "draw"
NO_NUMBERS = {
    "struct": pl.Series([{"acc": 1.0}] * 6),
    "list": pl.Series([[1.0]] * 6),
    "array": pl.Series([[1.0]] * 6, dtype=pl.Array(pl.Float64, 1)),
    "binary": pl.Series([b"1"] * 6),
    "duration": pl.Series([1_000_000] * 6).cast(pl.Duration("us")),
    "date": pl.Series([1] * 6).cast(pl.Date),
    "categorical": pl.Series(["1"] * 6, dtype=pl.Categorical),
    "enum": pl.Series(["1"] * 6, dtype=pl.Enum(["1"])),
    "text": pl.Series(["1"] * 6),
}


@pytest.mark.parametrize("kind", NO_NUMBERS)
@pytest.mark.parametrize("column", TEN)
def test_a_column_of_another_type_than_numbers_is_named(tmp_path, kind, column):
    records = tables()["records"].with_columns(NO_NUMBERS[kind].alias(column))
    text = message(LLMLog.load, write(tmp_path / "log", records=records))
    assert f"records.parquet: {column!r} must be a number, but is" in text
    assert len(text) < 500


@pytest.mark.parametrize(
    "values", [[1, 2, 3], [1.0, 2.0, 3.0], [b"a", b"b", b"c"], [["a"], ["b"], ["c"]], [{"id": "a"}] * 3]
)
def test_a_column_of_another_type_than_text_is_named(tmp_path, values):
    for column in ("query_id", "task", "query", "domain"):
        queries = tables()["queries"].with_columns(pl.Series(column, values))
        text = message(LLMLog.load, write(tmp_path / "log", queries=queries))
        assert f"queries.parquet: {column!r} must be text, but is" in text
        assert "graphrouter import" in text


def test_categories_count_as_text(tmp_path):
    enum = pl.Enum(["a", "b", "c", "big", "small", "sums"])
    frames = {
        name: frame.with_columns(pl.col(column).cast(kind) for column in ("query_id", "llm", "task") if column in frame)
        for name, frame in tables().items()
        for kind in (pl.Categorical if name == "queries" else enum,)
    }
    assert_same(LLMLog.load(write(tmp_path / "log", **frames)), LLMLog("tiny", **tables()))


@pytest.mark.parametrize("kind", [pl.Int8, pl.UInt64, pl.Float32, pl.Decimal(10, 2), pl.Boolean])
def test_every_type_of_number_is_taken(kind):
    records = tables()["records"].with_columns(
        pl.Series("performance", [1, 0, 1, 0, 0, 1]).cast(kind), pl.col("draw").cast(kind)
    )
    log = LLMLog("tiny", **(tables() | {"records": records}))
    assert log.records["performance"].to_list() == [1, 0, 1, 0, 0, 1]
    assert log.records["draw"].to_list() == [0, 0, 1, 0, 0, 0]


@pytest.mark.parametrize("column", [*TEN, "size_b", "input_price"])
def test_nan_is_a_missing_number(column):
    table = "records" if column in TEN else "llms"
    frame = tables()[table].with_columns(pl.lit(float("nan")).alias(column))
    if column in ("performance", "draw"):
        frame = frame.unique(["query_id", "llm"], maintain_order=True)
    if column == "performance":
        assert "row 0 (a, big, 0): performance must be within [0, 1], but performance is nan" in message(
            lambda: LLMLog("tiny", **(tables() | {table: frame}))
        )
        return
    found = getattr(LLMLog("tiny", **(tables() | {table: frame})), table)[column]
    assert set(found) == ({0} if column == "draw" else {None})


@pytest.mark.parametrize("draw", [0.5, 1e308, float("inf"), -float("inf"), 2.0**60])
def test_a_draw_must_be_a_whole_number(tmp_path, draw):
    records = tables()["records"].with_columns(draw=pl.Series([0.0, None, 1.0, draw, float("nan"), 0.0]))
    text = message(LLMLog.load, write(tmp_path / "log", records=records))
    assert f"records.parquet, row 3: draw must be a whole number, or null for 0, but is {draw}" in text


@pytest.mark.parametrize("value", [1e17, 1e308, float("inf"), -1.0])
@pytest.mark.parametrize(
    ("table", "column"),
    [
        *(("records", column) for column in ("input_tokens", "output_tokens", "cost", "response_chars")),
        *(("llms", column) for column in ("size_b", "input_price", "output_price")),
    ],
)
def test_a_number_beyond_all_bounds_is_named(table, column, value):
    frame = (
        tables()[table]
        .with_columns(pl.lit(1.0).alias(column))[:-1]
        .vstack(tables()[table].with_columns(pl.lit(value).alias(column))[-1:])
    )
    text = message(lambda: LLMLog("tiny", **(tables() | {table: frame})))
    assert f"row {frame.height - 1}" in text
    assert f"{column} must be finite, not negative and at most 1e+16, or null, but {column} is {value}" in text


def test_figures_of_the_largest_numbers_are_finite():
    largest = [pl.lit(MOST).alias(column) for column in ("input_tokens", "output_tokens", "response_chars")]
    prices = tables()["llms"].with_columns(pl.lit(MOST).alias(c) for c in ("size_b", "input_price", "output_price"))
    log = LLMLog("big", **(tables() | {"records": tables()["records"].with_columns(largest), "llms": prices}))
    seen = log.cells("draws") > 0
    for column in ("cost", "input_tokens", "response_chars"):
        assert np.isfinite(log.cells(column)[seen] ** 2).all()


@pytest.mark.parametrize("table", TABLES)
def test_an_extra_column_may_have_any_name(tmp_path, table):
    extra = tables()[table].with_columns(pl.lit(3).alias(name) for name in ("row", "index", "in", "out", "draws"))
    log = LLMLog.load(write(tmp_path / "log", **{table: extra}))
    assert set(getattr(log, table)["row"]) == {3}
    unknown = broken("records", 4, "llm", "huge") | ({table: extra} if table != "records" else {})
    assert "row 4" in message(LLMLog.load, write(tmp_path / "log", **unknown))


def test_an_unknown_llm_is_named_rather_than_the_keys_that_it_repeats():
    records = pl.concat([tables()["records"], tables()["records"].with_columns(llm=pl.lit("hgue"))])
    text = message(lambda: LLMLog("tiny", **(tables() | {"records": records})))
    assert "every llm must occur in llms, but 'hgue' does not (6 records)" in text


def test_a_name_with_control_characters_is_taken_and_escaped_in_errors():
    name = "a\x1b[2J\n\x00"
    queries = tables()["queries"].with_columns(query_id=pl.Series([name, "b", "c"]), task=pl.lit(name))
    records = tables()["records"].with_columns(query_id=pl.col("query_id").replace("a", name))
    frames = tables() | {"queries": queries, "records": records}
    assert LLMLog("tiny", **frames).tasks == (name,)
    for changes in (broken("records", 3, "llm", name), {"records": records.with_columns(cost=pl.lit(-1.0))}):
        assert message(lambda: LLMLog("tiny", **(frames | changes))).isprintable()  # noqa: B023


def test_long_values_are_cut():
    long = "x" * 300_000
    for changes in (
        {"records": tables()["records"].with_columns(llm=pl.lit(long))},
        {"queries": tables()["queries"].with_columns(query_id=pl.lit(long))},
        {"queries": tables()["queries"].rename({"query": long})},
        {
            "llms": tables()["llms"].with_columns(
                size_b=pl.lit("x", dtype=pl.Enum([f"x{i}" for i in range(900)] + ["x"]))
            )
        },
    ):
        assert len(message(lambda: LLMLog("tiny", **(tables() | changes)))) < 600  # noqa: B023


@pytest.mark.parametrize("name", ["\ud800", "a\x1b[2J", "a\nb", "a\x00"])
def test_a_name_of_a_log_can_be_printed(tmp_path, name):
    assert "name" in message(lambda: LLMLog(name, **tables()))
    folder = write(tmp_path / "log")
    for key in ("name", "encoder"):
        (folder / "log.json").write_text(json.dumps({key: name}))
        assert f"log.json: {key} must be text without control characters" in message(LLMLog.load, folder)


def test_tables_must_be_polars():
    class Frame:
        height = 3

    text = message(lambda: LLMLog("tiny", **(tables() | {"queries": Frame()})))
    assert "tiny/queries must be a polars.DataFrame, but is a" in text
    assert "polars.from_pandas(frame)" in text
    assert "tiny/responses must be a polars.DataFrame" in message(lambda: LLMLog("tiny", **tables(), texts=Frame()))
    assert "needs the column 'llm', but the frame has query_id" in message(load_log, tables()["queries"])
    for part in ("a name, a folder, a DataFrame or an LLMLog, but is a list", "'graphrouter import'"):
        assert part in message(load_log, ["micropool"])


SAID = {"query_id": ["a", "a", "b"], "llm": ["big", "small", "small"], "response": ["2", "3", "4"]}
BAD_RESPONSES = {
    "no response": (pl.DataFrame(SAID).drop("response"), "must have the column 'response', but has query_id, llm"),
    "integer ids": (pl.DataFrame(SAID | {"query_id": [1, 1, 2]}), "'query_id' must be text, but is Int64"),
    "binary names": (pl.DataFrame(SAID | {"llm": [b"x"] * 3}), "'llm' must be text, but is Binary"),
    "lists": (pl.DataFrame(SAID | {"response": [["2"]] * 3}), "'response' must be text, but is List(String)"),
    "text for a draw": (pl.DataFrame(SAID | {"draw": ["x"] * 3}), "'draw' must be a number, but is String"),
}


@pytest.mark.parametrize("case", BAD_RESPONSES)
def test_bad_responses_are_named_when_the_log_is_loaded(tmp_path, case):
    folder = write(tmp_path / "log")
    BAD_RESPONSES[case][0].write_parquet(folder / "responses.parquet")
    assert f"responses.parquet: {BAD_RESPONSES[case][1]}".replace(": must", " must") in message(LLMLog.load, folder)


def test_a_repeated_response_is_named_with_its_row(tmp_path):
    folder = write(tmp_path / "log")
    pl.concat([pl.DataFrame(SAID)] * 2).with_columns(row=1).write_parquet(folder / "responses.parquet")
    text = message(LLMLog.load(folder).responses)
    assert "responses.parquet, row 0 (a, big, 0): a key (query_id, llm, draw) must occur once" in text
    pl.DataFrame(SAID | {"draw": [0.0, 0.5, 0.0]}).write_parquet(folder / "responses.parquet")
    assert "responses.parquet, row 1: draw must be a whole number" in message(LLMLog.load(folder).responses)


def test_responses_with_categories_further_columns_and_missing_draws_are_taken(tmp_path):
    folder = write(tmp_path / "log")
    said = pl.DataFrame(SAID | {"draw": [float("nan"), None, 1.0]}).with_columns(
        pl.col("llm").cast(pl.Categorical), row=pl.lit(1), index=pl.lit(2)
    )
    said.write_parquet(folder / "responses.parquet")
    assert LLMLog.load(folder).responses().rows() == [
        ("a", "big", 0, "2"),
        ("a", "small", 0, "3"),
        ("b", "small", 1, "4"),
    ]


@pytest.mark.parametrize("keep", [0, 4, 200])
def test_an_empty_or_truncated_file_is_named(tmp_path, keep):
    file = write(tmp_path / "log") / "records.parquet"
    file.write_bytes(file.read_bytes()[:keep])
    assert "records.parquet must be a whole Parquet file" in message(LLMLog.load, file.parent)


def test_an_absent_file_or_folder_is_named(tmp_path):
    folder = write(tmp_path / "log")
    (folder / "llms.parquet").unlink()
    assert "llms.parquet" in message(LLMLog.load, folder)
    assert "nowhere" in message(load_log, tmp_path / "nowhere")


@pytest.mark.parametrize(
    "content",
    [
        "{",
        "[]",
        "[" * 100_000,
        '{"a": ' * 100_000,
        "9" * 5000,
        json.dumps({"simulated": "yes"}),
        json.dumps({"encoder": 3}),
    ],
)
def test_a_bad_log_json_is_named(tmp_path, content):
    folder = write(tmp_path / "log")
    (folder / "log.json").write_text(content)
    assert "log.json" in message(LLMLog.load, folder)


@pytest.fixture
def saved(tmp_path):
    """A folder with an old log, which must be whole and alone when the test is over."""
    LLMLog("old", **tables()).save(tmp_path / "log")
    yield tmp_path / "log"
    assert [entry.name for entry in tmp_path.iterdir()] == ["log"]
    assert LLMLog.load(tmp_path / "log").name == "old"


@pytest.mark.parametrize("error", [OSError("disk full"), KeyboardInterrupt()])
def test_a_write_that_fails_leaves_the_old_log_whole(saved, monkeypatch, error):
    original = pl.DataFrame.write_parquet

    def write_parquet(self, file, **options):
        original(self, file, **options)
        if file.name == "records.parquet":
            raise error

    monkeypatch.setattr(pl.DataFrame, "write_parquet", write_parquet)
    with pytest.raises((UserError, KeyboardInterrupt)):
        LLMLog("new", **tables()).save(saved)


def test_a_replacement_that_fails_leaves_the_old_log_whole(saved, monkeypatch):
    def fail(draft: Path, folder: Path) -> None:
        raise OSError("no more links")

    monkeypatch.setattr(files, "_take_place", fail)
    assert "no more links" in message(LLMLog("new", **tables()).save, saved)


def test_save_refuses_a_place_that_is_not_for_a_log(tmp_path):
    log = LLMLog("tiny", **tables())
    (tmp_path / "notes").mkdir()
    (tmp_path / "notes" / "mine.txt").write_text("keep me")
    assert "other files" in message(log.save, tmp_path / "notes")
    (tmp_path / "file").write_text("keep me")
    for place in (tmp_path / "file", tmp_path / "file" / "log"):
        assert "can be written" in message(log.save, place)
    assert (tmp_path / "file").read_text() == "keep me"


@pytest.mark.real_data
@pytest.mark.parametrize(
    ("name", "queries", "llms", "records", "density"),
    [
        ("mmlu_pro", 9594, 29, 276837, 0.995),
        ("fasteval", 2273, 33, 75009, 1.0),
        ("zeroeval", 2840, 29, 82345, 1.0),
        ("alpaca_eval", 805, 47, 37829, 1.0),
        ("llm_cascades", 5533, 9, 49797, 1.0),
        ("routeprofile", 1665, 8, 4800, 1.0),
        ("routerbench", 3164, 11, 34804, 1.0),
        ("llmrouter", 6108, 9, 54972, 1.0),
        ("routerdc", 20600, 7, 144200, 1.0),
        ("routellm", 15441, 2, 30882, 1.0),
    ],
)
def test_real_logs_load_with_the_counts_of_their_readme(real_data, name, queries, llms, records, density):
    log = load_log(real_data / name)
    assert (log.queries.height, log.llms.height, log.records.height) == (queries, llms, records)
    scored = log.cells("draws").sum(axis=1) > 0
    assert (log.cells("draws")[scored] > 0).mean() == pytest.approx(density, abs=6e-4)
    assert not log.simulated
    assert not log.cost_estimated
