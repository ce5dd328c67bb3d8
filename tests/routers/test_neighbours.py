"""KNN and KMeans."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from graphrouter.routers import KNN, KMeans
from graphrouter.scenario import SCENARIOS
from graphrouter.testing import RouterContract, data_of

NAN = float("nan")


class TestKNN(RouterContract):
    router = KNN(k=15)
    train = data_of([[1, 1], [0, 1], [NAN, 0]], vectors=[[2, 0], [0.8, 0.6], [0, 1]], cost=[[1, 4], [3, 4], [NAN, 1]])

    def asked(self, vectors, groups=None):
        groups = groups or range(10, 10 + len(vectors))
        return data_of(np.zeros((len(vectors), 2)), vectors=vectors, groups=list(groups)).queries

    def test_means_over_the_nearest_by_hand(self):
        router = KNN(k=2, strength=1.0).fit(self.train, self.train)
        quality, cost = router.predict(self.asked([[1, 0], [0, 3]]))
        expected = [[(1 + 0 + 1 / 2) / 3, (1 + 1 + 2 / 3) / 3], [(0 + 1 / 2) / 2, (1 + 0 + 2 / 3) / 3]]
        np.testing.assert_allclose(quality, expected, atol=1e-6)
        np.testing.assert_allclose(cost, [[(1 + 3 + 2) / 3, (4 + 4 + 3) / 3], [(3 + 2) / 2, (4 + 1 + 3) / 3]])

    def test_equal_wording_is_no_neighbour(self):
        router = KNN(k=1, strength=1e-9).fit(self.train, self.train)
        quality = router.predict(self.asked([[1, 0], [1, 0]], groups=[0, 10])).quality
        np.testing.assert_allclose(quality[:, 0], [0, 1], atol=1e-5)

    def test_ties_for_the_last_place_all_count(self):
        train = data_of([[1], [0], [0], [1]], vectors=[[1, 0], [1, 0], [1, 0], [0, 1]])
        router = KNN(k=1, strength=1e-9).fit(train, train)
        queries = data_of([[0]], vectors=[[1, 0]], groups=[9]).queries
        np.testing.assert_allclose(router.predict(queries).quality, 1 / 3, atol=1e-5)

    def test_more_neighbours_than_queries_is_all_of_them(self):
        several, all_of_them = (KNN(k=k).fit(self.train, self.train) for k in (1000, 3))
        queries = self.asked([[1, 0.5]])
        np.testing.assert_array_equal(several.predict(queries).quality, all_of_them.predict(queries).quality)

    def test_no_neighbour_at_all_gives_the_mean(self):
        train = data_of([[1, 0.2]])
        quality = KNN().fit(train, train).predict(train.queries).quality
        np.testing.assert_allclose(quality, [[1, 0.2]], atol=1e-5)

    @given(st.integers(0, 2**20), st.integers(1, 12))
    def test_prediction_lies_between_the_outcomes(self, seed, k):
        random = np.random.default_rng(seed)
        performance = random.random((10, 3))
        performance[random.random((10, 3)) < 0.3] = NAN
        train = data_of(performance, vectors=random.normal(size=(10, 4)))
        asked = data_of(np.zeros((5, 3)), vectors=random.normal(size=(5, 4)), groups=range(20, 25)).queries
        quality = KNN(k=k).fit(train, train).predict(asked).quality
        assert (quality >= np.nanmin(performance) - 1e-6).all()
        assert (quality <= np.nanmax(performance) + 1e-6).all()


class TestKMeans(RouterContract):
    router = KMeans(clusters=5, nearest=2)
    train = data_of(
        [[1, 0], [1, 0], [1, 0], [0, 0], [0, 1], [0, 1]],
        vectors=[[1, 0]] * 4 + [[0, 2]] * 2,
        cost=[[1.0, 2.0]] * 4 + [[3.0, 4.0]] * 2,
    )
    asked = data_of(np.zeros((2, 2)), vectors=[[3, 1], [1, 3]]).queries

    def test_means_of_the_nearest_cluster_by_hand(self):
        router = KMeans(clusters=2, nearest=1, strength=2.0).fit(self.train, self.train)
        quality, cost = router.predict(self.asked)
        expected = [[(3 + 2 * 1 / 2) / 6, (0 + 2 / 3) / 6], [(0 + 1) / 4, (2 + 2 / 3) / 4]]
        np.testing.assert_allclose(quality, expected, atol=1e-6)
        np.testing.assert_allclose(cost[0], [(4 + 2 * 5 / 3) / 6, (8 + 2 * 8 / 3) / 6])

    def test_two_nearest_clusters_are_averaged(self):
        one, two = (KMeans(clusters=2, nearest=n).fit(self.train, self.train) for n in (1, 2))
        average = one.predict(self.asked).quality.mean(axis=0)
        np.testing.assert_allclose(two.predict(self.asked).quality, [average, average], atol=1e-6)

    def test_never_more_clusters_than_different_queries(self):
        router = KMeans(clusters=60, nearest=4).fit(self.train, self.train)
        assert len(router.centres_) == 2

    def test_rescaled_score_by_hand(self):
        router = KMeans(clusters=2, nearest=1, rescale=True).fit(self.train, self.train)
        utility = router.utility(self.asked, SCENARIOS["cost_first"], 1.0)
        np.testing.assert_allclose(utility, [[0.2 + 0.8, 0.0], [0.8, 0.2]])


class TestRescaledKMeans(RouterContract):
    router = KMeans(clusters=5, nearest=2, rescale=True)
