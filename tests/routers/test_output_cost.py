import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from graphrouter.routers.parts.output_cost import OutputCost
from graphrouter.testing import data_of

NAN = math.nan
PRICE = [2.0, 10.0]
"""US dollars per million input tokens of the two LLMs; output costs five times that."""
OUT = 5 * np.array(PRICE)


def tokens_data(output_tokens, *, rate=(0.25, 0.5), price=PRICE, cost=None, tasks=None, lengths=None):
    """Two LLMs whose input tokens are ``rate`` times the length of the text."""
    output_tokens = np.array(output_tokens, dtype=np.float32)
    data = data_of(np.where(np.isnan(output_tokens), NAN, 1.0), price=price, cost=cost, tasks=tasks)
    chars = np.array(lengths or [100.0] * len(output_tokens), dtype=np.float32)
    input_tokens = np.where(np.isnan(output_tokens), NAN, chars[:, None] * np.array(rate, dtype=np.float32))
    queries = replace(data.queries, chars=chars)
    llms = replace(data.llms, output_price=5 * data.llms.input_price)
    return replace(data, queries=queries, llms=llms, input_tokens=input_tokens.astype("f"), output_tokens=output_tokens)


UNPRICED = tokens_data([[50, 7]] * 2, price=None)


def test_where_prices_are_known_the_output_cost_is_output_tokens_relative_to_their_mean():
    data = tokens_data([[50, 7], [NAN, 20], [100, 3]], cost=[[1, 1]] * 3)
    relative = OutputCost().fit(data).relative(data)
    np.testing.assert_allclose(relative, [[50 / 75, 0.7], [NAN, 2], [100 / 75, 0.3]], rtol=1e-6)
    assert relative.dtype == np.float32


def test_cost_is_price_times_tokens_in_and_out():
    data = tokens_data([[50, 7]] * 3)
    asked = replace(data.queries, chars=np.array([100, 400, 0], dtype="f"))
    cost = OutputCost().fit(data).cost(asked, np.log([[1.0, 1.0], [1.0, 1.0], [2.0, 3.0]]))
    tokens_in, tokens_out = np.array([[25, 50], [100, 200], [0, 0]]), np.array([[50, 7], [50, 7], [100, 21]])
    np.testing.assert_allclose(cost, (tokens_in * PRICE + tokens_out * OUT) / 1e6, rtol=1e-6)


def test_input_tokens_follow_the_task():
    tasks, lengths = ["prose", "code"] * 200, [100.0, 300.0] * 200
    rate = np.array([[0.2], [0.4]] * 200)
    data = tokens_data(np.full((400, 2), 10.0), rate=(1.0, 1.0), tasks=tasks, lengths=lengths)
    data = replace(data, input_tokens=(data.input_tokens * rate).astype("f"))
    asked = replace(data.queries.take(np.arange(3)), tasks=np.array(["prose", "code", None], dtype=object))
    asked = replace(asked, chars=np.full(3, 1000, dtype="f"))
    cost = OutputCost().fit(data).cost(asked, np.full((3, 2), -np.inf))
    np.testing.assert_allclose(cost, np.outer([200, 400, 300], PRICE) / 1e6, rtol=0.02)


@pytest.mark.parametrize("price", [None, [2.0, NAN]])
def test_where_only_costs_are_known_the_output_cost_is_the_cost(price):
    data = tokens_data([[50, 7], [60, NAN]], price=price, cost=[[0.1, 0.02], [0.3, NAN]])
    output_costs = OutputCost().fit(data)
    np.testing.assert_allclose(output_costs.relative(data), [[0.5, 1], [1.5, NAN]], rtol=1e-6)
    np.testing.assert_allclose(output_costs.cost(data.queries, np.log([[0.5, 3.0]] * 2)), [[0.1, 0.06]] * 2)


@pytest.mark.parametrize(
    "data",
    [data_of([[1, 0]] * 2), data_of([[1, 0]] * 2, price=PRICE), UNPRICED],
    ids=["no tokens", "prices only", "tokens only"],
)
def test_where_cost_is_not_known_it_is_nan(data):
    output_costs = OutputCost().fit(data)
    assert np.isnan(output_costs.relative(data)).all()
    output_costs.calibrate(np.zeros((2, 2)), data)
    assert np.isnan(output_costs.cost(data.queries, np.zeros((2, 2)))).all()


def test_a_free_llm_stays_free():
    data = data_of([[1, 1]] * 3, cost=[[0, 2.0]] * 3)
    output_costs = OutputCost().fit(data)
    assert np.isfinite(output_costs.relative(data)).all()
    cost = output_costs.calibrate(np.zeros((3, 2)), data).cost(data.queries, np.zeros((3, 2)))
    np.testing.assert_allclose(cost, [[0, 2]] * 3)


@pytest.mark.parametrize("by_tokens", [True, False])
@given(seed=st.integers(0, 10**6))
def test_calibrated_the_predicted_mean_of_each_llm_is_the_observed_one(by_tokens, seed):
    random = np.random.default_rng(seed)
    actual = np.exp(random.normal(3, 1, (40, 2)))
    actual[random.random(actual.shape) < 0.3] = NAN
    data = tokens_data(actual) if by_tokens else data_of(np.where(np.isnan(actual), NAN, 1), cost=actual)
    output_costs, predicted = OutputCost().fit(data), random.normal(size=actual.shape)
    output_costs.calibrate(predicted, data)
    nothing = output_costs.cost(data.queries, np.full_like(predicted, -np.inf))
    dollars = (output_costs.cost(data.queries, predicted) - nothing) / (1e-6 * OUT if by_tokens else 1)
    seen = ~np.isnan(actual)
    np.testing.assert_allclose(np.where(seen, dollars, 0).sum(axis=0), np.nansum(actual, axis=0), rtol=1e-4)


def test_an_llm_without_any_output_cost_gets_the_mean_of_all():
    data = tokens_data([[50, NAN], [100, NAN]], price=[1.0, 1.0])
    output_costs = OutputCost().fit(data)
    for _ in range(2):
        cost = output_costs.cost(data.queries, np.zeros((2, 2)))
        np.testing.assert_allclose(cost, [[400e-6, 400e-6]] * 2)  # 75 tokens out and 25 in
        output_costs.calibrate(np.zeros((2, 2)), data)


@pytest.mark.parametrize("kind", ["tokens", "cost", "nothing"])
def test_the_state_rebuilds_it(kind):
    data = {
        "tokens": tokens_data([[50, 7], [NAN, 20]]),
        "cost": data_of([[1, 1]] * 2, cost=[[1.0, 2], [3, 4]]),
        "nothing": data_of([[1, 1]] * 2),
    }[kind]
    output_costs = OutputCost().fit(data).calibrate(np.array([[0.0, 1], [2, 3]]), data)
    again = OutputCost.from_state(output_costs.get_state())
    cost = output_costs.cost(data.queries, np.ones((2, 2)))
    assert np.isnan(cost).all() == (kind == "nothing")
    np.testing.assert_array_equal(again.cost(data.queries, np.ones((2, 2))), cost)
    np.testing.assert_array_equal(again.relative(data), output_costs.relative(data))
