import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from graphrouter.routers.parts.calibration import PlattScaling

SCORES = arrays(np.float64, (20, 3), elements=st.floats(-5, 5))


def test_finds_the_sigmoid_that_made_the_outcomes():
    random = np.random.default_rng(0)
    scores = random.normal(size=(20000, 2))
    chance = 1 / (1 + np.exp(-(scores * [2.0, 0.5] + [-1.0, 0.3])))
    scaling = PlattScaling().fit(scores, (random.random(chance.shape) < chance).astype(float))
    np.testing.assert_allclose(scaling.slope_, [2.0, 0.5], atol=0.1)
    np.testing.assert_allclose(scaling.intercept_, [-1.0, 0.3], atol=0.1)


@given(SCORES, st.integers(0, 2**20))
def test_probabilities_never_fall_as_the_score_rises(scores, seed):
    performance = np.random.default_rng(seed).random(scores.shape)
    scaling = PlattScaling().fit(scores, performance)
    assert (np.diff(scaling.apply(np.sort(scores, axis=0)), axis=0) >= 0).all()


@given(SCORES, st.integers(0, 2**20))
def test_mean_probability_is_the_mean_of_the_smoothed_targets(scores, seed):
    performance = np.random.default_rng(seed).integers(0, 2, scores.shape).astype(float)
    mean = PlattScaling().fit(scores, performance).apply(scores).mean(axis=0)
    right, wrong = performance.sum(axis=0), (1 - performance).sum(axis=0)
    expected = (right * (right + 1) / (right + 2) + wrong / (wrong + 2)) / 20
    np.testing.assert_allclose(mean, expected, atol=1e-3)


def test_missing_cells_do_not_count():
    random = np.random.default_rng(1)
    scores, performance = random.normal(size=(50, 2)), random.integers(0, 2, (50, 2)).astype(float)
    performance[30:, 0] = np.nan
    scaling = PlattScaling().fit(scores, performance)
    alone = PlattScaling().fit(scores[:30, :1], performance[:30, :1])
    assert scaling.slope_[0] == pytest.approx(alone.slope_[0], abs=1e-6)
    assert scaling.intercept_[0] == pytest.approx(alone.intercept_[0], abs=1e-6)


def test_llm_without_outcomes_gets_the_sigmoid_of_all():
    random = np.random.default_rng(2)
    scores, performance = random.normal(size=(50, 3)), random.integers(0, 2, (50, 3)).astype(float)
    performance[:, 2] = np.nan
    one, shared = PlattScaling().fit(scores, performance), PlattScaling(shared=True).fit(scores, performance)
    assert one.slope_[2] == shared.slope_[2] == shared.slope_[0]
    assert one.slope_[0] != shared.slope_[0]


def test_without_any_outcome_it_is_a_coin():
    scaling = PlattScaling().fit(np.ones((4, 2)), np.full((4, 2), np.nan))
    assert scaling.apply(np.array([[3.0, -3.0]])).tolist() == [[0.5, 0.5]]


def test_result_is_a_probability_also_where_a_float_would_be_1():
    scaling = PlattScaling().fit(np.array([[-1.0], [1.0]]), np.array([[0.0], [1.0]]))
    values = scaling.apply(np.array([[-1e9], [1e9]]))
    assert values.dtype == np.float32
    assert 0 < values[0, 0] < values[1, 0] < 1


def test_state_brings_back_the_same():
    scores = np.random.default_rng(3).normal(size=(30, 2))
    scaling = PlattScaling(shared=True).fit(scores, (scores > 0).astype(float))
    np.testing.assert_array_equal(PlattScaling.from_state(scaling.get_state()).apply(scores), scaling.apply(scores))
