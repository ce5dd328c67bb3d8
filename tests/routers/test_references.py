"""Routers that look at nothing but the task, the sizes or the outcomes themselves."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from graphrouter.errors import UserError
from graphrouter.routers import BestPerTask, BestSingle, Largest, Oracle, Random, Smallest, StaticMix
from graphrouter.scenario import SCENARIOS
from graphrouter.testing import Parts, RouterContract, data_of

NAN = float("nan")


def chosen(router, queries, scenario="performance_first", scale=1.0):
    return router.utility(queries, SCENARIOS[scenario], scale).argmax(axis=1)


def fitted(router, *arguments, **options):
    data = data_of(*arguments, **options)
    return router.fit(data, data)


class OneForAll(RouterContract):
    """The contract of a router that picks the same LLM for every query of the planted log."""

    picks: int

    def check_choice(self, router, parts):
        assert (chosen(router, parts.test.queries) == self.picks).all()


class TestRandom(RouterContract):
    router = Random()

    def check_choice(self, router, parts):
        assert len(set(chosen(router, parts.test.queries))) == 3

    def test_every_llm_gets_its_share_and_the_seed_decides_which(self):
        routers = [fitted(Random(seed=seed), [[0.1, 0.2, 0.3, 0.4]]) for seed in (0, 1)]
        queries = data_of(np.zeros((4000, 4)), vectors=np.ones((4000, 1))).queries
        choices = [chosen(router, queries) for router in routers]
        for choice in choices:
            np.testing.assert_allclose(np.bincount(choice) / 4000, 0.25, atol=0.03)
        assert np.mean(choices[0] == choices[1]) == pytest.approx(0.25, abs=0.03)

    def test_scenario_does_not_matter(self):
        router = fitted(Random(), [[0.1, 0.9]], cost=[[1.0, 9.0]])
        queries = data_of(np.zeros((50, 2))).queries
        assert (chosen(router, queries, "cost_first") == chosen(router, queries)).all()


class TestSmallest(OneForAll):
    router = Smallest()
    picks = 2

    def test_size_counts_where_all_are_known(self):
        router = fitted(Smallest(), [[0.1, 0.2, 0.3]], size_b=[8, 3, 70], price=[1, 2, 0.5])
        assert chosen(router, data_of([[0, 0, 0]]).queries) == [1]

    def test_price_counts_where_a_size_is_unknown(self):
        router = fitted(Smallest(), [[0.1, 0.2, 0.3]], size_b=[8, NAN, 70], price=[1, 2, 0.5])
        assert chosen(router, data_of([[0, 0, 0]]).queries) == [2]

    def test_unknown_size_takes_no_part_where_a_price_is_unknown_too(self):
        router = fitted(Smallest(), [[0.1, 0.2, 0.3]], size_b=[8, NAN, 70], price=[1, NAN, 0.5])
        assert chosen(router, data_of([[0, 0, 0]]).queries) == [0]

    def test_equal_sizes_are_decided_by_performance(self):
        router = fitted(Smallest(), [[0.1, 0.2, 0.3]], size_b=[7, 7, 70])
        assert chosen(router, data_of([[0, 0, 0]]).queries) == [1]

    def test_nothing_known_is_refused(self):
        with pytest.raises(UserError, match="size_b"):
            fitted(Smallest(), [[0.1, 0.2]], price=[1, NAN])


class TestLargest(OneForAll):
    router = Largest()
    picks = 0

    def test_price_counts_where_a_size_is_unknown(self):
        router = fitted(Largest(), [[0.1, 0.2, 0.3]], size_b=[8, NAN, 70], price=[1, 2, 0.5])
        assert chosen(router, data_of([[0, 0, 0]]).queries) == [1]

    def test_unknown_size_takes_no_part_where_a_price_is_unknown_too(self):
        router = fitted(Largest(), [[0.1, 0.2, 0.3]], size_b=[8, NAN, 7])
        assert chosen(router, data_of([[0, 0, 0]]).queries) == [0]

    def test_equal_sizes_are_decided_by_performance(self):
        router = fitted(Largest(), [[0.1, 0.3, 0.2]], size_b=[7, 70, 70])
        assert chosen(router, data_of([[0, 0, 0]]).queries) == [1]


class TestBestSingle(RouterContract):
    router = BestSingle()

    def check_choice(self, router, parts):
        best = np.nanmean(parts.train.performance, axis=0).argmax()
        assert (chosen(router, parts.test.queries) == best).all()

    def test_means_are_over_observed_cells_and_decide_in_every_scenario(self):
        router = fitted(BestSingle(), [[1.0, 0.8], [0.8, NAN]], cost=[[10.0, 1.0], [10.0, NAN]])
        queries = data_of([[0, 0]]).queries
        np.testing.assert_allclose(router.predict(queries).quality, [[0.9, 0.8]], atol=1e-6)
        assert chosen(router, queries, "performance_first", 10.0) == [0]
        assert chosen(router, queries, "balance", 10.0) == [1]


class TestBestPerTask(RouterContract):
    router = BestPerTask()

    def test_task_mean_is_shrunk_to_the_overall_mean(self):
        router = fitted(BestPerTask(strength=2.0), [[1, 0], [0, 0], [1, NAN]], tasks=["a", "a", "b"])
        queries = data_of(np.zeros((3, 2)), tasks=["a", "b", None]).queries
        overall = 2 / 3
        expected = [(1 + 2 * overall) / 4, (1 + 2 * overall) / 3, overall]
        np.testing.assert_allclose(router.predict(queries).quality[:, 0], expected, atol=1e-6)

    def test_additive_shrinkage_knows_that_an_easy_task_is_easy_for_all(self):
        random = np.random.default_rng(0)
        right = random.random((400, 3)) < np.repeat([[0.9], [0.2]], 200, axis=0)  # tasks differ, LLMs do not
        outcomes = np.where(np.arange(3) == 2, np.where(np.arange(400)[:, None] % 200 < 3, right, NAN), right)
        tasks = ["easy"] * 200 + ["hard"] * 200
        queries = data_of(np.zeros((3, 3)), tasks=["easy", "hard", None]).queries
        by_llm, added = (
            fitted(BestPerTask(strength=20.0, shrink_to=to), outcomes, tasks=tasks) for to in ("llm", "additive")
        )
        for column in range(2):  # of these all is known
            np.testing.assert_allclose(added.predict(queries).quality[:2, column], [0.9, 0.2], atol=0.1)
        few = added.predict(queries).quality[:, 2]  # three outcomes on each task
        assert few[0] > by_llm.predict(queries).quality[0, 2] + 0.1
        assert few[1] < few[2] < few[0], "a query without a task has the overall mean"


class TestAdditiveBestPerTask(RouterContract):
    router = BestPerTask(shrink_to="additive")


class TestOracle(RouterContract):
    router = Oracle()

    @classmethod
    def fit(cls, parts):
        return super().fit(parts).reveal(parts.test)

    def check_choice(self, router, parts):
        choice = chosen(router, parts.test.queries)
        taken = parts.test.performance[np.arange(len(choice)), choice]
        np.testing.assert_array_equal(taken, np.nanmax(parts.test.performance, axis=1))

    def test_outcomes_of_test_queries_do_not_matter(self, parts):
        turned = replace(parts.test, performance=1 - parts.test.performance)
        again = self.fit(Parts(parts.train, parts.validation, turned))
        expected = np.clip(turned.performance, 1e-6, 1 - 1e-6)
        np.testing.assert_allclose(again.predict(parts.test.queries).quality, expected, atol=1e-7)

    def test_tie_goes_to_the_cheapest(self):
        data = data_of([[1, 1, 0.5]], cost=[[3.0, 2.0, 1.0]])
        assert chosen(Oracle().fit(data, data), data.queries) == [1]

    @given(st.integers(0, 2**20), st.sampled_from(["performance_first", "balance", "cost_first"]))
    def test_picks_the_best_observed_reward_and_never_a_missing_cell(self, seed, name):
        random = np.random.default_rng(seed)
        performance, cost = random.random((8, 4)).round(1), random.random((8, 4))
        performance[random.random((8, 4)) < 0.4] = NAN
        performance[:, 0] = np.where(np.isnan(performance).all(axis=1), 0.0, performance[:, 0])
        cost[np.isnan(performance)] = NAN
        data = data_of(performance, cost=cost)
        choice = chosen(Oracle().fit(data, data), data.queries, name, 1.0)
        reward = SCENARIOS[name].reward(data.performance, cost, 1.0)
        np.testing.assert_allclose(reward[np.arange(8), choice], np.nanmax(reward, axis=1), atol=1e-7)

    def test_later_outcomes_replace_earlier_ones(self):
        first, second = data_of([[1.0, 0.0]]), data_of([[0.0, 1.0]])
        assert chosen(Oracle().fit(first, first).reveal(second), first.queries) == [1]

    def test_unknown_outcomes_are_refused(self):
        with pytest.raises(UserError, match="q0001"):
            fitted(Oracle(), [[0, 1]]).predict(data_of([[0, 1], [1, 0]]).queries)


class TestStaticMix(RouterContract):
    router = StaticMix()
    performance, cost = np.tile([0.4, 0.7, 0.9, 0.5], (2, 1)), np.tile([1.0, 2.0, 10.0, 5.0], (2, 1))
    queries = data_of(np.zeros((4000, 4)), vectors=np.ones((4000, 1))).queries

    def check_choice(self, router, parts):
        assert set(chosen(router, parts.test.queries)) <= set(np.flatnonzero(router.shares_))

    @pytest.mark.parametrize(
        ("share", "expected"),
        [(0.6, [0, 0.5, 0.5, 0]), (0.15, [0.5, 0.5, 0, 0]), (0.05, [1, 0, 0, 0]), (1.0, [0, 0, 1, 0])],
    )
    def test_mixes_neighbours_on_the_hull_at_the_budget(self, share, expected):
        router = fitted(StaticMix(cost_share=share), self.performance, cost=self.cost)
        choice = chosen(router, self.queries)
        np.testing.assert_allclose(np.bincount(choice, minlength=4) / 4000, expected, atol=0.03)
        assert (chosen(router, self.queries, "cost_first") == choice).all()

    @given(st.integers(0, 2**20), st.floats(0.01, 1.0))
    def test_expected_cost_is_the_budget_or_the_cheapest_of_the_hull(self, seed, share):
        random = np.random.default_rng(seed)
        performance, cost = random.random((3, 5)).round(1), random.random((3, 5)).round(2)
        router = fitted(StaticMix(cost_share=share), performance, cost=cost)
        mean = cost.mean(axis=0)
        best = performance.mean(axis=0).round(6) == performance.mean(axis=0).round(6).max()
        budget = share * mean[best].min()
        assert router.shares_.sum() == pytest.approx(1)
        assert router.shares_ @ mean == pytest.approx(max(budget, mean.min()), abs=1e-6)

    def test_the_seed_decides_which_queries(self):
        routers = [fitted(StaticMix(cost_share=0.6, seed=seed), self.performance, cost=self.cost) for seed in (0, 1)]
        assert np.mean(chosen(routers[0], self.queries) == chosen(routers[1], self.queries)) == pytest.approx(
            0.5, abs=0.05
        )

    def test_without_cost_it_is_the_best_single(self):
        router = fitted(StaticMix(), self.performance)
        assert set(chosen(router, self.queries)) == {2}

    def test_llm_without_cost_takes_no_part(self):
        cost = self.cost.copy()
        cost[:, 2] = NAN
        router = fitted(StaticMix(cost_share=1.0), self.performance, cost=cost)
        assert set(chosen(router, self.queries)) == {1}
