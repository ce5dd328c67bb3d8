from pathlib import Path

import numpy as np
import polars as pl
import pytest
from polars.testing import assert_frame_equal

from graphrouter.costs import estimate_cost, load_prices
from graphrouter.errors import UserError
from graphrouter.log import LLMLog, load_log
from graphrouter.simulate import simulate

PRICES = """
characters_per_token: 2
output_tokens: 100
by_size:
  - {up_to: 10, input: 1, output: 3}
  - {up_to: .inf, input: 2, output: 4}
llms:
  named: {input: 50, output: 60}
"""


def make_log(**columns: list) -> LLMLog:
    """One query of 8 characters, answered by four LLMs; columns of the records can be added."""
    llms = {
        "llm": ["large", "named", "priced", "small"],
        "size_b": [70.0, None, 7.0, 7.0],
        "input_price": [None, None, 10.0, None],
        "output_price": [None, None, 20.0, None],
    }
    records = {"query_id": ["a"] * 4, "llm": llms["llm"], "performance": [1.0, 0.0, 1.0, 0.0], **columns}
    queries = {"query_id": ["a"], "task": ["t"], "query": ["12345678"]}
    return LLMLog("tiny", pl.DataFrame(queries), pl.DataFrame(llms), pl.DataFrame(records))


@pytest.fixture
def prices(tmp_path):
    file = tmp_path / "prices.yaml"
    file.write_text(PRICES)
    return file


def test_tokens_come_from_characters_and_prices_from_log_name_or_size(prices):
    log = estimate_cost(make_log(response_chars=[20.0, 20.0, 20.0, None]), prices)
    dollars = [4 * 2 + 10 * 4, 4 * 50 + 10 * 60, 4 * 10 + 10 * 20, 4 * 1 + 100 * 3]
    np.testing.assert_allclose(log.cells("cost"), [np.array(dollars) / 1e6])
    np.testing.assert_array_equal(log.cells("output_tokens"), [[10, 10, 10, 100]])
    assert log.llms["input_price"].to_list() == [2, 50, 10, 1]
    assert log.cost_estimated
    assert log.name == "tiny (cost estimated)"


def test_known_costs_and_tokens_stay(prices):
    known = make_log(cost=[0.5, None, None, None], input_tokens=[None, 1, 3, None], output_tokens=[None, None, 5, None])
    log = estimate_cost(known, prices)
    dollars = [0.5e6, 1 * 50 + 100 * 60, 3 * 10 + 5 * 20, 4 * 1 + 100 * 3]
    np.testing.assert_allclose(log.cells("cost"), [np.array(dollars) / 1e6])
    assert log.cells("input_tokens")[0, 1] == 1
    assert log.llms["input_price"].to_list() == [None, 50, 10, 1]


def test_a_log_with_costs_is_left_alone(prices):
    log = simulate(20)
    assert estimate_cost(log, prices) is log


def test_nothing_else_of_the_log_changes(prices):
    log = make_log(judge_score=[1.0, None, 2.0, 3.0])
    estimated = estimate_cost(log, prices)
    assert_frame_equal(estimated.queries, log.queries)
    kept = ["query_id", "llm", "draw", "performance", "judge_score", "response_chars"]
    assert_frame_equal(estimated.records.select(kept), log.records.select(kept))
    assert estimated.records.columns == log.records.columns
    assert estimated.llms.columns == log.llms.columns


def test_an_estimate_is_kept_on_disk_as_one(prices, tmp_path):
    loaded = LLMLog.load(estimate_cost(make_log(), prices).save(tmp_path / "log"))
    assert loaded.cost_estimated
    assert loaded.has_cost
    assert "estimated" in loaded.name


def test_further_columns_of_any_name_have_no_say(prices):
    plain = estimate_cost(make_log(), prices)
    log, odd = make_log(), ("in", "out", "input_price", "output_price", "query_chars", "row", "index")
    records = log.records.with_columns(pl.lit(7e9).alias(name) for name in odd)
    llms = log.llms.with_columns(pl.lit(7e9).alias(name) for name in ("in", "out"))
    queries = log.queries.with_columns(pl.lit(7e9).alias(name) for name in odd)
    found = estimate_cost(LLMLog("tiny", queries, llms, records), prices)
    np.testing.assert_array_equal(found.cells("cost"), plain.cells("cost"))
    assert found.llms["input_price"].to_list() == plain.llms["input_price"].to_list()
    assert found.records["in"].to_list() == [7e9] * 4


def test_an_llm_without_price_and_size_is_named():
    with pytest.raises(UserError, match="'named' has neither.* --prices FILE"):
        estimate_cost(make_log())


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("output_tokns: 5", "output_tokns"),
        ("llms: {x: {input: 1}}", "output"),
        ("llms: {x: {input: cheap, output: 1}}", "cheap"),
        ("llms: {x: {input: -1, output: 1}}", "x, input"),
        ("llms: {x: {input: 1e308, output: 1}}", "at most 1e+16"),
        ("output_tokens: .nan", "output_tokens"),
        ("characters_per_token: 0", "characters_per_token"),
        ("by_size: [{up_to: 9, input: 1, output: 1}, {up_to: 3, input: 1, output: 1}]", "small to large"),
        ("llms: [", "prices.yaml"),
    ],
)
def test_a_bad_price_file_is_refused_in_one_line(tmp_path, content, words):
    file = tmp_path / "prices.yaml"
    file.write_text(content)
    with pytest.raises(UserError, match="prices.yaml") as caught:
        load_prices(file)
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)


def test_an_absent_price_file_is_named(tmp_path):
    with pytest.raises(UserError, match="nowhere.yaml"):
        load_prices(tmp_path / "nowhere.yaml")


def test_a_file_is_laid_over_the_prices_of_the_package(tmp_path):
    file = tmp_path / "prices.yaml"
    file.write_text("llms: {mine: {input: 7, output: 8}}")
    prices = load_prices(file)
    assert prices.find("mine", None).output == 8
    assert prices.find("gpt-4-0613", None).output == 60
    assert prices.find("unheard-of", 8.03).input == load_prices().find("unheard-of", 7).input
    steps = [prices.find("unheard-of", size).input for size in (1, 7, 13, 30, 70, 100, 400)]
    assert steps == sorted(set(steps))


@pytest.mark.real_data
@pytest.mark.parametrize(
    ("name", "estimated"),
    [
        ("mmlu_pro", True),
        ("fasteval", True),
        ("zeroeval", True),
        ("alpaca_eval", True),
        ("llm_cascades", False),
        ("routeprofile", False),
        ("routerbench", False),
        ("llmrouter", True),
        ("routerdc", True),
        ("routellm", True),
    ],
)
def test_every_real_log_gets_a_cost(real_data, name, estimated):
    log = load_log(real_data / name)
    filled = estimate_cost(log)
    assert filled.has_cost
    assert filled.cost_estimated == estimated == (not log.has_cost)
    assert (filled.cells("cost")[filled.cells("draws") > 0] > 0).all()


def test_prices_that_unfold_without_end_are_refused_at_once(tmp_path: Path) -> None:
    lines = ["a: &a [x, x, x, x, x, x, x, x, x]"]
    lines += [f"{key}: &{key} [{', '.join(['*' + below] * 9)}]" for below, key in zip("abcdef", "bcdefg", strict=True)]
    file = tmp_path / "prices.yaml"
    file.write_text("\n".join(lines))
    with pytest.raises(UserError, match="must hold prices .* more than 100,000 values"):
        load_prices(file)
