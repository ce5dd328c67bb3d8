"""Logs of DataFrames: the same as an import of the same table, whatever the library and the row order."""

from __future__ import annotations

import pandas as pd
import polars as pl
import pytest

from graphrouter.cli import main
from graphrouter.encoders import find_encoder
from graphrouter.errors import UserError
from graphrouter.formats import read_log
from graphrouter.identity import log_digest
from graphrouter.inspection import inspect_log
from graphrouter.log import LLMLog, load_log
from graphrouter.pipeline import train
from graphrouter.prepared import prepare
from graphrouter.simulate import simulate

FRAME = pl.DataFrame(
    {
        "prompt": ["1 + 1?", "1 + 1?", "2 + 2?", "2 + 2?", "2 + 2?"],
        "model": ["a", "b", "a", "b", "b"],
        "score": [1.0, 0.0, 1.0, 0.25, 1.0],
        "task": ["sums"] * 5,
        "cost": [0.1, 0.2, 0.1, 0.2, 0.3],
        "response": ["2", "3", "4", "5", "4"],
    }
)
NAMES = {"query": "prompt", "llm": "model", "performance": "score"}


def long_micropool():
    log = load_log("micropool")
    return log.records.join(log.queries, on="query_id")


def test_it_is_the_log_of_an_import_of_the_same_table(tmp_path):
    FRAME.write_csv(tmp_path / "frame.csv")
    imported, _ = read_log(tmp_path / "frame.csv", "table", columns=NAMES)
    made = LLMLog.from_frame(FRAME, **NAMES)
    assert made.queries.equals(imported.queries.select(made.queries.columns))
    assert made.llms.equals(imported.llms.select(made.llms.columns))
    key = ["query_id", "llm", "performance"]
    columns = [*key, "cost", "response_chars"]
    assert made.records.sort(key).select(columns).equals(imported.records.sort(key).select(columns))
    assert sorted(made.responses()["response"]) == sorted(imported.responses()["response"])


def test_pandas_and_any_row_order_give_the_same_log():
    made = LLMLog.from_frame(FRAME, **NAMES)
    for other in (
        FRAME.to_pandas(),
        FRAME.reverse(),
        pd.DataFrame(FRAME.to_dict(as_series=False)),
        FRAME.vstack(FRAME),
    ):
        assert log_digest(LLMLog.from_frame(other, **NAMES)) == log_digest(made)


def test_scores_are_put_on_their_scale():
    rated = FRAME.with_columns(score=pl.Series([1, 5, 3, 2, None]))
    log = LLMLog.from_frame(rated, scale=(1, 5), **NAMES)
    assert sorted(log.records["performance"]) == [0, 0.25, 0.5, 1]
    right = FRAME.with_columns(score=pl.col("score") == 1)
    assert LLMLog.from_frame(right, **NAMES).records["performance"].sum() == 3


@pytest.mark.parametrize(
    ("frame", "given", "message"),
    [
        (FRAME, {}, r"needs the column 'query', but the frame has prompt.*from_frame\(frame, query='prompt'\)"),
        (FRAME, {**NAMES, "llm": "modell"}, "llm='modell' must be a column"),
        (FRAME, {**NAMES, "performanc": "score"}, "did you mean 'performance'"),
        (FRAME, {**NAMES, "query": "score"}, "column of query must be text"),
        (FRAME, {**NAMES, "performance": "task"}, "column of performance must hold numbers"),
        (
            FRAME.with_columns(score=pl.col("score") * 10),
            NAMES,
            r"within 0 and 1, but is 10 for '1 \+ 1\?'; give scale=",
        ),
        (FRAME, {**NAMES, "scale": (1, 1)}, "scale must be the scores that become 0 and 1"),
        ([1, 2], {}, "what came is a list"),
    ],
)
def test_what_is_amiss_names_the_column(frame, given, message):
    with pytest.raises(UserError, match=message):
        LLMLog.from_frame(frame, **given)


def test_every_door_takes_a_frame_a_folder_and_a_log(tmp_path):
    frame = long_micropool()
    log = load_log(frame)
    folder = log.save(tmp_path / "log")
    for source in (frame, frame.to_pandas(), folder, log):
        assert log_digest(load_log(source)) == log_digest(log)
        assert inspect_log(source).counts == inspect_log(log).counts
        assert prepare(source, "tfidf:8").data.performance.shape == (log.queries.height, log.llms.height)
    assert load_log(log) is log
    assert train(frame, "knn", "tfidf:8").llm_names == log.llm_names


def test_vectors_come_from_a_file(tmp_path):
    import numpy as np

    log = load_log("micropool")
    vectors = np.random.default_rng(0).normal(size=(log.queries.height, 5))
    np.save(tmp_path / "vectors.npy", vectors)
    by_file, by_array = (prepare(log, one).data.queries.vectors for one in (f"{tmp_path}/vectors.npy", vectors))
    assert np.array_equal(by_file, by_array)
    np.save(tmp_path / "short.npy", vectors[:3])
    with pytest.raises(UserError, match="a row of numbers for each of the"):
        prepare(log, f"{tmp_path}/short.npy").vectors  # noqa: B018
    np.save(tmp_path / "nan.npy", vectors * np.nan)
    with pytest.raises(UserError, match="finite numbers"):
        prepare(log, f"{tmp_path}/nan.npy").vectors  # noqa: B018
    with pytest.raises(UserError, match=r"absent\.npy must be an array of numbers"):
        find_encoder(f"{tmp_path}/absent.npy")


def test_a_router_of_vectors_from_a_file_is_evaluated_with_the_file(tmp_path):
    import numpy as np

    log = simulate(queries=60)
    np.save(tmp_path / "vectors.npy", np.random.default_rng(0).normal(size=(log.queries.height, 5)))
    given = f"{tmp_path}/vectors.npy"
    by_column, by_file = prepare(find_encoder(given).into(log), "log"), prepare(log, given)
    assert np.array_equal(by_column.test.queries.vectors, by_file.test.queries.vectors)

    folder, router, out = str(log.save(tmp_path / "log")), str(tmp_path / "router"), str(tmp_path / "out")
    assert main(["train", folder, "--router", "knn", "--encoder", given, "--out", router, "--quiet"]) == 0
    assert main(["evaluate", router, folder, "--encoder", given, "--out", out, "--quiet"]) == 0
