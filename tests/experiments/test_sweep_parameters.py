import math

import numpy as np
import optuna
import pytest
from hypothesis import given
from hypothesis import strategies as st

from experiments.sweeps.parameters import DISTRIBUTIONS, read_parameter, read_parameters
from graphrouter.errors import UserError

optuna.logging.set_verbosity(optuna.logging.WARNING)
NUMBERS = st.floats(-50, 50, allow_nan=False).map(lambda value: round(value, 3))
BOUNDS = st.tuples(NUMBERS, NUMBERS).filter(lambda pair: pair[0] + 0.01 < pair[1])
POSITIVE = st.tuples(st.floats(1e-4, 10), st.floats(1.1, 1000)).map(lambda pair: (pair[0], pair[0] * pair[1]))
STEPS = st.sampled_from([1, 2, 5, 0.5, 0.25, 0.1])


def draw(keys, count=20, seed=0):
    """What a random search draws for one parameter."""
    parameter = read_parameter("x", keys, "file")
    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=seed))
    return [parameter.draw(study.ask()) for _ in range(count)]


@given(BOUNDS)
def test_uniform_values_lie_within_their_bounds(bounds):
    low, high = map(float, bounds)
    values = draw({"min": low, "max": high, "distribution": "uniform"})
    assert all(low <= value <= high for value in values)
    assert len(set(values)) > 1


@given(st.integers(-20, 20), st.integers(1, 30))
def test_whole_bounds_mean_whole_numbers_both_ends_included(low, width):
    values = draw({"min": low, "max": low + width}, count=60)
    assert all(type(value) is int and low <= value <= low + width for value in values)
    if width <= 3:
        assert set(values) == set(range(low, low + width + 1))


@given(POSITIVE)
def test_log_uniform_values_spread_evenly_over_the_logarithm(bounds):
    low, high = bounds
    values = draw({"min": low, "max": high, "distribution": "log_uniform_values"}, count=200)
    assert all(low <= value <= high * (1 + 1e-9) for value in values)
    middle = math.sqrt(low * high)
    assert 60 < sum(value < middle for value in values) < 140
    # log(1/X) uniform between log(1/max) and log(1/min) says the same of X
    assert draw({"min": low, "max": high, "distribution": "inv_log_uniform_values"}, count=200) == values


@given(BOUNDS)
def test_log_uniform_bounds_are_exponents(bounds):
    low, high = (value / 10 for value in bounds)
    values = draw({"min": low, "max": high, "distribution": "log_uniform"})
    assert all(low - 1e-9 <= math.log(value) <= high + 1e-9 for value in values)
    inverse = draw({"min": low, "max": high, "distribution": "inv_log_uniform"})
    assert all(low - 1e-9 <= math.log(1 / value) <= high + 1e-9 for value in inverse)


@given(POSITIVE, STEPS, st.sampled_from(["q_uniform", "q_log_uniform_values"]))
def test_quantised_values_are_the_nearest_multiples(bounds, step, kind):
    low, high = bounds
    values = draw({"min": low, "max": high, "q": step, "distribution": kind})
    plain = draw({"min": low, "max": high, "distribution": kind.removeprefix("q_")})
    for value, exact in zip(values, plain, strict=True):
        assert abs(value / step - round(value / step)) < 1e-9
        assert abs(value - exact) <= step / 2 + 1e-9
        assert type(value) is (int if isinstance(step, int) else float)


def test_quantised_log_uniform_and_normal_values_are_multiples():
    for kind in ("q_log_uniform", "q_normal", "q_log_normal", "q_beta"):
        keys = {"min": 0.1, "max": 3.0} if "uniform" in kind else {}
        assert all(type(value) is int for value in draw({"distribution": kind, **keys}))
        halves = draw({"distribution": kind, "q": 0.5, **keys})
        assert all(value * 2 == round(value * 2) for value in halves)
        assert any(value != round(value) for value in halves)


def test_normal_values_have_their_mean_and_deviation():
    values = np.array(draw({"distribution": "normal", "mu": 3, "sigma": 2}, count=2000))
    assert values.mean() == pytest.approx(3, abs=0.2)
    assert values.std() == pytest.approx(2, abs=0.2)
    logs = np.log(draw({"distribution": "log_normal", "mu": -1, "sigma": 0.5}, count=2000))
    assert logs.mean() == pytest.approx(-1, abs=0.05)
    assert logs.std() == pytest.approx(0.5, abs=0.05)
    shares = np.array(draw({"distribution": "beta", "a": 2, "b": 6}, count=2000))
    assert shares.mean() == pytest.approx(0.25, abs=0.02)
    assert 0 < shares.min() < shares.max() < 1


def test_categories_may_be_lists_and_come_as_often_as_their_probabilities():
    values = draw({"values": [[60.0, 25.0], "soft", None, True]}, count=100)
    assert [values.count(value) > 10 for value in ([60.0, 25.0], "soft", None, True)] == [True] * 4
    weighted = draw({"values": ["a", "b", "c"], "probabilities": [0.7, 0.0, 0.3]}, count=1000)
    assert weighted.count("a") == pytest.approx(700, abs=50)
    assert weighted.count("b") == 0
    assert draw({"value": [1, 2]}, count=2) == [[1, 2], [1, 2]]


def test_a_grid_goes_over_every_value_once_in_order():
    def values(keys):
        return read_parameter("x", keys, "file").all_values()

    assert values({"values": [3, 1, 3, [2]]}) == [3, 1, [2]]
    assert values({"min": 2, "max": 5}) == [2, 3, 4, 5]
    assert values({"value": "a"}) == ["a"]
    # as W&B does, a quantised range leaves its maximum out
    assert values({"min": 0.0, "max": 0.3, "q": 0.1, "distribution": "q_uniform"}) == [0.0, 0.1, 0.2]
    with pytest.raises(UserError, match="a grid goes over"):
        values({"min": 0.0, "max": 1.0})


def test_nested_parameters_get_dotted_names():
    found = read_parameters({"gnn": {"parameters": {"rank": {"value": 4}, "dropout": {"value": 0.1}}}}, "file")
    assert [(one.name, one.keys["value"]) for one in found] == [("gnn.dropout", 0.1), ("gnn.rank", 4)]


@pytest.mark.parametrize(
    ("keys", "said"),
    [
        ({}, "must have value, values, min and max, or a distribution"),
        ({"distribution": "log_unifrom_values", "min": 1, "max": 2}, "did you mean 'log_uniform_values'"),
        ({"min": 1, "max": 2, "step": 1}, "'step'"),
        ({"distribution": "uniform", "min": 1.0}, "'max' is absent"),
        ({"min": 2, "max": 2}, "min must be less than max"),
        ({"min": 0, "max": 2, "distribution": "log_uniform_values"}, "min must be above 0"),
        ({"min": 0.5, "max": 2, "distribution": "int_uniform"}, "whole numbers"),
        ({"min": "1", "max": 2, "distribution": "uniform"}, "finite numbers"),
        ({"min": -1000, "max": 2, "distribution": "log_uniform"}, "within 700"),
        ({"min": 1.0, "max": 2.0, "q": 0, "distribution": "q_uniform"}, "q, sigma, a and b must be above 0"),
        ({"distribution": "normal", "sigma": -1}, "q, sigma, a and b must be above 0"),
        ({"values": []}, "one or more"),
        ({"values": 3}, "a list"),
        ({"values": [1, 2], "probabilities": [0.5]}, "probabilities must be as many"),
        ({"values": [1, 2], "probabilities": [0.5, 0.6]}, "probabilities must be as many"),
        ({"values": [1], "probabilities": [1.0], "distribution": "categorical"}, "'probabilities'"),
        ({"parameters": {"a": {"value": 1}}, "value": 2}, "must have parameters alone"),
        ({"parameters": {}}, "must be a mapping of names"),
        (3, "must be a mapping"),
    ],
)
def test_a_wrong_parameter_is_named_in_one_line(keys, said):
    with pytest.raises(UserError, match=said) as error:
        read_parameters({"gnn.rank": keys}, "file.yaml")
    assert "\n" not in str(error.value)
    assert "file.yaml" in str(error.value)
    assert "gnn.rank" in str(error.value)


def test_every_distribution_has_defaults_or_says_what_it_needs():
    for kind, wanted in DISTRIBUTIONS.items():
        needed = [key for key, default in wanted.items() if default is None]
        if needed:
            with pytest.raises(UserError, match="is absent"):
                read_parameter("x", {"distribution": kind}, "file")
        else:
            assert draw({"distribution": kind}, count=2)
