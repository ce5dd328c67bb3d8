import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from graphrouter.errors import UserError
from graphrouter.scenario import SCENARIOS, Scenario, find_scenario, fit_cost_scale


def test_the_named_scenarios_are_those_of_the_design():
    weights = {name: (scenario.alpha, scenario.beta, scenario.target) for name, scenario in SCENARIOS.items()}
    assert weights == {
        "performance_first": (1.0, 0.0, "performance"),
        "balance": (0.5, 0.5, "performance"),
        "cost_first": (0.2, 0.8, "performance"),
        "judge": (1.0, 0.0, "judge_score"),
    }


def test_reward_by_hand():
    performance, cost = np.array([[1.0, 0.5]]), np.array([[0.02, 0.01]])
    np.testing.assert_allclose(find_scenario("balance").reward(performance, cost, 0.04), [[0.25, 0.125]])
    np.testing.assert_allclose(find_scenario("cost_first").reward(performance, cost, 0.04), [[-0.2, -0.1]])


def test_a_scenario_without_a_weight_on_cost_does_not_look_at_it():
    missing = np.array([np.nan, np.nan])
    np.testing.assert_array_equal(
        find_scenario("performance_first").reward(np.array([0.2, 0.9]), missing, float("nan")), [0.2, 0.9]
    )


def test_a_missing_cost_gives_a_missing_reward():
    assert np.isnan(find_scenario("balance").reward(np.array([1.0]), np.array([np.nan]), 1.0)).all()


def test_an_unknown_scenario_gets_a_suggestion():
    with pytest.raises(UserError, match="did you mean 'balance'"):
        find_scenario("balanced")


def test_the_cost_scale_is_the_mean_of_the_costliest_llm_without_missing_cells():
    cost = np.array([[1.0, 4.0, np.nan], [3.0, np.nan, np.nan], [2.0, 6.0, np.nan]])
    assert fit_cost_scale(cost) == 5.0
    assert np.isnan(fit_cost_scale(np.full((2, 2), np.nan)))


def test_a_log_in_which_everything_is_free_has_a_usable_scale():
    reward = SCENARIOS["balance"].reward(np.ones((2, 2)), np.zeros((2, 2)), fit_cost_scale(np.zeros((2, 2))))
    np.testing.assert_array_equal(reward, 0.5)


@given(
    arrays(np.float64, (5,), elements=st.floats(0, 1)),
    arrays(np.float64, (5,), elements=st.floats(0, 10)),
    st.floats(0, 1),
    st.floats(1e-3, 10),
)
def test_the_mean_reward_follows_from_the_mean_performance_and_the_mean_cost(performance, cost, alpha, scale):
    scenario = Scenario("any", alpha, 1 - alpha)
    of_means = scenario.reward(performance.mean(), cost.mean(), scale)
    assert scenario.reward(performance, cost, scale).mean() == pytest.approx(of_means, rel=1e-9, abs=1e-9)
