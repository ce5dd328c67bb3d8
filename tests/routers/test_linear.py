"""Linear and its ridge regressions."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from graphrouter.routers import Linear
from graphrouter.routers.linear import ridge
from graphrouter.testing import RouterContract, data_of


class TestLinear(RouterContract):
    router = Linear(penalty=1.0)
    angles = np.linspace(0, 3, 20)
    vectors = np.stack([np.cos(angles), np.sin(angles)], axis=1)

    def test_finds_a_line(self):
        performance = 0.5 + self.vectors @ [[0.2, -0.1], [0.1, 0.3]]
        train = data_of(performance[::2], vectors=self.vectors[::2], cost=3 * performance[::2])
        quality, cost = (
            Linear(penalty=1e-6).fit(train, train).predict(data_of(performance, vectors=self.vectors).queries)
        )
        np.testing.assert_allclose(quality, performance, atol=1e-4)
        inside = (performance >= performance[::2].min(axis=0)) & (performance <= performance[::2].max(axis=0))
        np.testing.assert_allclose(cost[inside], 3 * performance[inside], atol=1e-4)

    def test_great_penalty_leaves_the_mean(self):
        performance = np.random.default_rng(0).random((20, 2))
        train = data_of(performance, vectors=self.vectors)
        quality = Linear(penalty=1e9).fit(train, train).predict(train.queries).quality
        np.testing.assert_allclose(quality, np.tile(performance.mean(axis=0), (20, 1)), atol=1e-5)

    def test_predictions_stay_within_bounds(self):
        line = self.vectors[:, :1]
        train = data_of(np.clip(0.5 + line, 0, 1), vectors=self.vectors, cost=1 + line)
        opposite = data_of(np.zeros((2, 1)), vectors=[[1, 0], [-1, 0]]).queries
        quality, cost = Linear(penalty=1e-6).fit(train, train).predict(opposite)
        assert quality.tolist() == [[np.float32(0.99)], [np.float32(0.01)]]
        assert cost.min() >= train.cost.min()
        assert cost.max() <= train.cost.max()


@given(st.integers(0, 2**20), st.floats(0.01, 100.0))
def test_each_column_is_fitted_to_its_observed_rows_alone(seed, penalty):
    random = np.random.default_rng(seed)
    vectors, values = random.normal(size=(12, 3)), random.random((12, 5))
    values[random.random((12, 5)) < 0.5] = np.nan
    values[0, 0] = 0.5
    weights = ridge(vectors, values, penalty, np.full(5, 0.25))
    for column, target in enumerate(values.T):
        seen = ~np.isnan(target)
        alone = (
            ridge(vectors[seen], target[seen, None], penalty, np.array([0.25]))[:, 0] if seen.any() else [0, 0, 0, 0.25]
        )
        np.testing.assert_allclose(weights[:, column], alone, atol=1e-8)


@given(st.integers(0, 2**20))
def test_gradient_of_the_penalised_squares_is_zero(seed):
    random = np.random.default_rng(seed)
    vectors, values = random.normal(size=(12, 3)), random.random((12, 1))
    weights = ridge(vectors, values, 2.0, np.zeros(1))
    residual = vectors @ weights[:-1] + weights[-1] - values
    np.testing.assert_allclose(vectors.T @ residual + 2.0 * weights[:-1], 0, atol=1e-9)
    assert residual.sum() == pytest.approx(0, abs=1e-9)
