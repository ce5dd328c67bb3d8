import numpy as np
import pytest
from smoothing_fits import fitted

from graphrouter.metrics import nll
from graphrouter.routers import Router, extending_routers, find_router, router_names
from graphrouter.routers.parts.new_llm import NewLLM, shrunk_mean
from graphrouter.routers.parts.pool_mixture import PoolMixture
from graphrouter.routers.parts.task_means import TaskMeans
from graphrouter.scenario import SCENARIOS
from graphrouter.testing import Parts, data_of, keep_outcomes, make_log, make_parts


def test_routers_that_extend_are_those_that_say_how():
    says_how = {name for name in router_names() if find_router(name)._add_llm is not Router._add_llm}
    assert set(extending_routers()) == says_how
    assert {"knn", "smoothing", "gnn"} <= says_how
    assert "svm" not in says_how


class TestPoolMixture:
    @pytest.fixture
    def pool(self):
        random = np.random.default_rng(0)
        return random.normal(0, 1.5, (400, 5)) + random.normal(0, 1, 5), random.integers(0, 3, 400)

    def outcomes(self, logits):
        return (np.random.default_rng(1).random(len(logits)) < 1 / (1 + np.exp(-logits))).astype(float)

    def test_without_outcomes_it_is_the_pool_and_unsure(self, pool):
        logits, task = pool
        mean, deviation = PoolMixture(tasks=3).fit(logits[:0], task[:0], np.empty(0), np.empty(0)).predict(logits, task)
        np.testing.assert_allclose(mean, logits.mean(axis=1))
        centred = logits - logits.mean(axis=1, keepdims=True)
        expected = 0.5 / 4 * (centred**2).sum(axis=1) + 0.5**2 + 0.5**2
        np.testing.assert_allclose(deviation, np.sqrt(expected))

    def test_full_variance_is_that_of_the_pool(self, pool):
        logits, task = pool
        mixture = PoolMixture(variance=1, intercept=0, task=0).fit(logits[:0], task[:0], np.empty(0), np.empty(0))
        np.testing.assert_allclose(mixture.predict(logits, task)[1], logits.std(axis=1, ddof=1))

    def test_it_finds_the_mode_of_the_posterior(self, pool):
        logits, task = pool
        y, weight = self.outcomes(logits[:, 2]), np.linspace(0.5, 1.5, 400)
        mixture = PoolMixture(tasks=3).fit(logits, task, y, weight)

        def density(mode):
            moved = PoolMixture(tasks=3)
            moved.mode_, moved.covariance_ = mode, mixture.covariance_
            z = moved.predict(logits, task)[0]
            return (weight * (y * z - np.logaddexp(0, z))).sum() - (mode**2).sum() / 2

        best = density(mixture.mode_)
        for direction in np.eye(len(mixture.mode_)):
            assert density(mixture.mode_ + 0.02 * direction) < best
            assert density(mixture.mode_ - 0.02 * direction) < best

    def test_outcomes_tell_which_llm_it_is_like_and_make_it_surer(self, pool):
        logits, task = pool
        y = self.outcomes(logits[:, 2])
        few, many = (
            PoolMixture(tasks=3).fit(logits[:n], task[:n], y[:n], np.ones(n)).predict(logits, task) for n in (10, 400)
        )
        assert many[1].mean() < 0.5 * few[1].mean()
        error = [np.abs(mean - logits[:, 2]).mean() for mean, _ in (few, many)]
        assert error[1] < 0.5 * error[0]

    def test_shares_and_constant_say_the_same_where_there_is_no_task(self, pool):
        logits, task = pool
        mixture = PoolMixture(task=0).fit(logits, task, self.outcomes(1 + logits[:, 0]), np.ones(400))
        shares = mixture.weights(5)
        assert shares.sum() == pytest.approx(1)
        assert shares.argmax() == 0
        np.testing.assert_allclose(logits @ shares + mixture.constant, mixture.predict(logits, task)[0])

    def test_its_effect_of_a_task_is_for_that_task_only(self, pool):
        logits, task = pool
        y = self.outcomes(logits.mean(axis=1) + 2 * (task == 1))
        mixture = PoolMixture(tasks=3).fit(logits, task, y, np.ones(400))
        there, elsewhere, nowhere = (mixture.predict(logits, np.full(400, t))[0].mean() for t in (1, 0, 3))
        assert there > elsewhere + 0.8
        assert elsewhere < nowhere < there


class TestNewLLM:
    def test_a_mean_of_few_values_is_shrunk(self):
        assert shrunk_mean(np.array([np.nan, np.nan]), 0.4) == 0.4
        assert shrunk_mean(np.array([1.0, np.nan]), 0.4) == pytest.approx((1 + 5 * 0.4) / 6)

    def test_its_price_scales_what_the_others_cost(self):
        data = data_of([[1, 1, np.nan]], price=[1, 4, 2], cost=[[0.1, 0.4, np.nan]])
        new_llm = NewLLM.of(["llm1", "llm0"], data)
        np.testing.assert_array_equal(new_llm.price_ratios, [0.5, 2])
        np.testing.assert_allclose(
            new_llm.insert_mean(np.array([0.4, 0.1]), new_llm.cost, new_llm.price_ratios), [0.1, 0.4, 0.2]
        )
        free = data_of([[1, 1, np.nan]], price=[0, 4, 2])
        np.testing.assert_array_equal(NewLLM.of(["llm0", "llm1"], free).price_ratios, [1, 1])

    def test_a_task_is_as_hard_for_it_as_for_the_others(self):
        values = np.array([[0.2, 0.4], [0.6, 1.0]])
        means = TaskMeans(1.0).fit(values, np.array(["a", "b"], dtype=object))
        data = data_of(np.column_stack([values, [np.nan, np.nan]]), tasks=["a", "b"])
        new_llm = NewLLM.of(["llm0", "llm1"], data)
        unknown = means.extend(new_llm, new_llm.performance, data.queries.tasks)
        np.testing.assert_allclose(unknown.means_[:, 2], means.means_.mean(axis=1))
        np.testing.assert_array_equal(unknown.means_[:, :2], means.means_)
        wrong = means.extend(new_llm, np.array([0.0, np.nan]), data.queries.tasks)
        assert wrong.means_[0, 2] < unknown.means_[0, 2]
        assert means.means_.min(axis=1)[1] <= wrong.means_[1, 2] < unknown.means_[1, 2]

    def test_what_is_expected_of_it_stays_within_what_the_others_show_and_costs_by_its_price(self):
        values = np.array([[0.1, 0.2], [0.9, 1.0]])
        data = data_of(np.column_stack([values, [np.nan, 1.0]]), tasks=["a", "b"])
        new_llm, tasks = NewLLM.of(["llm0", "llm1"], data), data.queries.tasks
        means = TaskMeans(1.0).fit(values, tasks)
        lucky = means.extend(new_llm, np.ones(200), np.full(200, "b", dtype=object))
        assert lucky.means_[0, 2] == means.means_[0].max()
        dear = means.extend(new_llm, np.array([np.nan, np.nan]), tasks, ratios=np.array([2.0, 4.0]))
        np.testing.assert_allclose(dear.means_[:, 2], means.means_ @ [1, 2])
        np.testing.assert_allclose(dear.overall_[2], means.overall_ @ [1, 2])


class TestSmoothing:
    @pytest.fixture(scope="class")
    def parts(self):
        return make_parts(make_log(400, rare=True))

    @pytest.fixture(scope="class")
    def known(self, parts):
        return fitted(Parts(*(part.take_llms(["alpha", "gamma", "rare"]) for part in parts)))

    def shown(self, parts, shots):
        rows = np.random.default_rng(0).permutation(len(parts.train.queries))[:shots]
        return keep_outcomes(parts.train, "beta", rows)

    def test_outcomes_teach_it_what_the_new_llm_is_good_at(self, parts, known):
        losses = []
        for shots in (0, 20, 1000):
            quality = known.extend(self.shown(parts, shots)).predict(parts.test.queries).quality
            losses.append(float(nll(quality[:, [1]], parts.test.performance[:, [1]])))
        again = float(nll(fitted(parts).predict(parts.test.queries).quality[:, [1]], parts.test.performance[:, [1]]))
        assert losses[0] > losses[1] > losses[2]
        assert losses[2] < again + 0.05

    def test_what_is_not_known_makes_it_unsure_and_decisions_wary(self, parts, known):
        spreads = [
            known.extend(self.shown(parts, n)).predict_members(parts.test.queries)[0][:, :, 1].std(axis=0).mean()
            for n in (0, 20, 1000)
        ]
        assert spreads[0] > spreads[1] > spreads[2]
        assert spreads[0] > 2 * known.predict_members(parts.test.queries)[0].std(axis=0).mean()
        router = known.extend(self.shown(parts, 0))
        wary = router.utility(parts.test.queries, SCENARIOS["performance_first"], 1.0)[:, 1]
        assert (wary < router.predict(parts.test.queries).quality[:, 1] - 0.05).all()

    def test_an_outcome_says_nothing_of_the_same_wording(self, parts, known):
        router = known.extend(parts.train)
        llm, queries = router.added_.llms[0], router.graph_.data_.queries
        row = next(row for row, group in enumerate(queries.groups) if (queries.groups == group).sum() == 2)
        same = queries.groups == queries.groups[row]
        attached = router.graph_.attach(queries.take(np.array([row])))
        said = [
            router.graph_.propagate(attached, residual, llm.weight).numpy()
            for residual in (
                llm.residual,
                np.where(same, 100, llm.residual),
                np.where(same, llm.residual, 100),
            )
        ]
        np.testing.assert_array_equal(said[0], said[1])
        assert (said[2] > said[0] + 1).all()

    def test_similar_queries_have_a_say(self, parts, known):
        router = known.extend(self.shown(parts, 60))
        deaf = known.extend(self.shown(parts, 60))
        deaf.terms = ["prior", "bilinear"]
        both = [r.predict(parts.test.queries).quality for r in (router, deaf)]
        assert np.abs(both[0][:, 1] - both[1][:, 1]).max() > 1e-3
        np.testing.assert_array_equal(both[0][:, 0], both[1][:, 0])

    def test_it_does_without_relations(self, parts):
        known = Parts(*(part.take_llms(["alpha", "gamma"]) for part in parts))
        extended = fitted(known, relations=[], steps=20).extend(parts.train.take_llms(["alpha", "beta", "gamma"]))
        assert extended.predict(parts.test.queries).quality.shape == (len(parts.test.queries), 3)
        assert extended.added_.llms[0].mixture.tasks == 0

    def test_outcomes_on_queries_outside_the_graph_count_too(self, parts, known):
        extra = parts.validation
        router = known.extend(extra)
        assert not router.added_.llms[0].weight.any()
        blind = known.extend(keep_outcomes(extra, "beta", []))
        change = router.predict(parts.test.queries).quality[:, 1] - blind.predict(parts.test.queries).quality[:, 1]
        assert np.abs(change).max() > 0.1
