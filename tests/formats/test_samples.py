from collections.abc import Callable
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from graphrouter.cli import main
from graphrouter.errors import UserError
from graphrouter.formats.samples import split_samples
from graphrouter.log import LLMLog


def log_of_shares() -> LLMLog:
    """Query a of task ``code``, where x is right in 3 of 4 samples and y in none, and b of another task, graded 0.75."""
    queries = pl.DataFrame({"query_id": ["a", "b"], "task": ["code", "essay"], "query": ["one", "two"]})
    records = {
        "query_id": ["a", "a", "b"],
        "llm": ["x", "y", "x"],
        "performance": [0.75, 0.0, 0.75],
        "cost": [0.1, 0.2, 0.3],
    }
    return LLMLog("shares", queries, pl.DataFrame({"llm": ["x", "y"]}), pl.DataFrame(records))


def test_shares_become_draws_and_the_cells_stay():
    log = log_of_shares()
    split = split_samples(log, {"code": 4})
    np.testing.assert_array_equal(split.cells("draws"), [[4, 4], [1, 0]])
    for column in ("performance", "cost"):
        np.testing.assert_allclose(split.cells(column), log.cells(column))
    assert split.records.filter(query_id="a", llm="x")["performance"].to_list() == [1, 1, 1, 0]
    assert split.records.filter(query_id="b")["performance"].to_list() == [0.75]


@pytest.mark.parametrize("count", [3, 10, 1000])
def test_every_share_in_single_precision_is_one_of_its_samples(count):
    shares = (np.arange(count + 1) / count).astype(np.float32)
    queries = pl.DataFrame({"query_id": [f"{place:04d}" for place in range(count + 1)], "task": "t", "query": "text"})
    records = queries.select("query_id", llm=pl.lit("x"), performance=pl.Series(shares))
    log = LLMLog("shares", queries, pl.DataFrame({"llm": ["x"]}), records)
    np.testing.assert_allclose(split_samples(log, {"t": count}).cells("performance")[:, 0], shares, rtol=1e-6)


@pytest.mark.parametrize(
    ("samples", "said"),
    [
        ({"cod": 4}, "'cod' is none; did you mean 'code'?"),
        ({"code": 1}, "the samples of code must be 2 to 1000, but are 1"),
        ({"code": 10}, "must be a share of 10 samples, but is 0.75 for query 'a', LLM 'x'"),
    ],
)
def test_what_is_no_share_of_samples_is_refused(samples, said):
    with pytest.raises(UserError) as error:
        split_samples(log_of_shares(), samples)
    assert said in str(error.value)


def test_what_has_draws_is_not_split_again():
    with pytest.raises(UserError, match="has several of query 'a', LLM 'x'"):
        split_samples(split_samples(log_of_shares(), {"code": 4}), {"code": 4})


def test_import_splits_the_samples_of_a_task(tmp_path: Path, fail: Callable[..., str]):
    source, out = str(log_of_shares().save(tmp_path / "log")), str(tmp_path / "out")
    assert main(["import", source, "--samples", "code=4", "--out", out, "--quiet"]) == 0
    assert LLMLog.load(out).records.height == 9
    assert "--samples must be TASK=N, such as gsm8k=10, but is 'code=many'" in fail(
        "import", source, "--samples", "code=many", "--out", out
    )
    assert "must name one thing once, but 'code' is given twice" in fail(
        "import", source, "--samples", "code=4", "--samples", "code=5", "--out", out
    )
