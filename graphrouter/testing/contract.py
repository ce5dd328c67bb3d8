"""The tests that every router must pass, as a base class for pytest."""

# ruff: noqa: D102 - the name of a test says what it checks

from __future__ import annotations

from dataclasses import fields, replace
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest

from graphrouter.errors import UserError
from graphrouter.routers.base import Prediction, Router
from graphrouter.run import RunOptions
from graphrouter.scenario import SCENARIOS, Scenario, fit_cost_scale
from graphrouter.testing.checks import assert_same, assert_well_formed, through_files, with_tasks
from graphrouter.testing.extension import ExtensionContract
from graphrouter.testing.logs import BEST, Parts, make_log, make_parts


class RouterContract(ExtensionContract):
    """Tests that the test class of every router inherits.

    Attributes:
        router: A router that is not fitted; small and quick, as it is fitted about a dozen times on 90 queries. Defaults
            that are for larger logs, such as 60 clusters, need others here.
        share_best: The share of test queries for which it must find the best LLM of the topic; lower where the method
            cannot tell the topics apart.
    """

    router: ClassVar[Router]
    share_best: ClassVar[float] = 0.9

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        if isinstance(given := vars(cls).get("router"), type):
            raise TypeError(
                f"{cls.__name__}.router must be a router, as in {given.__name__}(), but is the class itself"
            )

    @classmethod
    def fit(cls, parts: Parts) -> Router:
        """Fit a fresh copy of the router, on the CPU."""
        router = replace(cls.router)
        router.run = RunOptions(device="cpu")
        return router.fit(parts.train, parts.validation)

    @pytest.fixture(scope="class")
    @classmethod
    def parts(cls) -> Parts:
        """A dense log with cost."""
        return make_parts(make_log())

    @pytest.fixture(scope="class")
    @classmethod
    def fitted(cls, parts: Parts) -> Router:
        """The router, fitted on the dense log."""
        return cls.fit(parts)

    def test_fields_have_defaults_and_search_space_is_valid(self) -> None:
        default = type(self.router)()
        known = {field.name for field in fields(default) if field.init}
        space = type(self.router).search_space
        assert 1 <= len(space) <= 6
        assert all(set(setting) <= known - {"seed"} for setting in space)
        assert all(getattr(default, key) == value for key, value in space[0].items()), "the first must be the default"
        assert len({repr(replace(default, **setting)) for setting in space}) == len(space), "no setting occurs twice"

    def test_every_number_has_a_range(self) -> None:
        default = type(self.router)()
        for field in fields(default):
            value = getattr(default, field.name) if field.init else None
            first = value[0] if isinstance(value, list | tuple) and value else value
            if isinstance(first, int | float) and not isinstance(first, bool):
                assert default.range_of(field.name) is not None, f"{field.name} needs an entry in ranges"

    def test_predictions_are_well_formed(self, parts: Parts, fitted: Router) -> None:
        assert_well_formed(fitted.predict(parts.test.queries), len(parts.test.queries), 3)

    def test_batch_equals_single(self, parts: Parts, fitted: Router) -> None:
        queries, scale = parts.test.queries, fit_cost_scale(parts.train.cost)
        batch = fitted.predict(queries)
        utility = {name: fitted.utility(queries, SCENARIOS[name], scale) for name in ("performance_first", "balance")}
        for row in range(len(queries)):
            single = queries.take(np.array([row]))
            assert_same(fitted.predict(single), Prediction(batch.quality[[row]], batch.cost[[row]]), 1e-6)
            for name, values in utility.items():
                alone = fitted.utility(single, SCENARIOS[name], scale)
                np.testing.assert_allclose(alone, values[[row]], rtol=0, atol=1e-6)

    def test_utility_is_finite_in_every_scenario(self, parts: Parts, fitted: Router) -> None:
        for scenario in SCENARIOS.values():
            utility = fitted.utility(parts.test.queries, scenario, fit_cost_scale(parts.train.cost))
            assert utility.shape == parts.test.performance.shape
            assert np.isfinite(utility).all(), scenario.name

    def test_utility_is_linear_where_the_router_says_so(self, parts: Parts, fitted: Router) -> None:
        if not fitted.linear_utility:
            return
        weights = [Scenario("sweep", alpha, 1 - alpha) for alpha in (1.0, 0.3, 0.0)]
        prediction, utilities = fitted.utilities(parts.test.queries, weights, fit_cost_scale(parts.train.cost))
        assert_same(prediction, fitted.predict(parts.test.queries), 1e-6)
        np.testing.assert_allclose(utilities[1], 0.3 * utilities[0] + 0.7 * utilities[2], rtol=1e-6, atol=1e-6)

    def test_earlier_queries_and_their_order_do_not_matter(self, parts: Parts, fitted: Router) -> None:
        before = fitted.predict(parts.test.queries)
        fitted.predict(with_tasks(parts.train.queries, None))
        back = np.arange(len(parts.test.queries))[::-1]
        after = fitted.predict(parts.test.queries.take(back))
        assert_same(Prediction(after.quality[back], after.cost[back]), before, 1e-6)

    def test_order_of_training_rows_does_not_matter(self, parts: Parts, fitted: Router) -> None:
        shuffle = np.random.default_rng(1).permutation
        train, validation = (part.take(shuffle(len(part.queries))) for part in parts[:2])
        again = self.fit(Parts(train, validation, parts.test))
        assert_same(again.predict(parts.test.queries), fitted.predict(parts.test.queries), 1e-5)

    def test_same_seed_gives_the_same_result(self, parts: Parts, fitted: Router) -> None:
        np.random.seed(12)  # noqa: NPY002 - a router that draws from the global state must be caught
        again = self.fit(parts)
        assert_same(again.predict(parts.test.queries), fitted.predict(parts.test.queries))

    def test_fit_and_predict_leave_the_data_alone(self) -> None:
        used, kept = make_parts(make_log(missing=0.3)), make_parts(make_log(missing=0.3))
        self.fit(used).predict(used.test.queries)
        for part, whole in zip(used, kept, strict=True):
            for name in ("performance", "draws", "cost", "input_tokens", "output_tokens"):
                np.testing.assert_array_equal(getattr(part, name), getattr(whole, name), err_msg=name)
            for field in fields(part.queries):
                np.testing.assert_array_equal(getattr(part.queries, field.name), getattr(whole.queries, field.name))

    def test_outcomes_of_test_queries_do_not_matter(self, parts: Parts, fitted: Router) -> None:
        turned = replace(parts.test, performance=1 - parts.test.performance, cost=10 * parts.test.cost)
        again = self.fit(Parts(parts.train, parts.validation, turned))
        assert_same(again.predict(parts.test.queries), fitted.predict(parts.test.queries))

    def test_missing_cells_are_not_failures(self) -> None:
        parts = make_parts(make_log(rare=True, missing=0.2))
        prediction = self.fit(parts).predict(parts.test.queries)
        assert_well_formed(prediction, len(parts.test.queries), 4)
        mediocre, always_right = prediction.quality.mean(axis=0)[[2, 3]]
        assert always_right > mediocre, "an LLM that was right in every observed cell must not lose by its missing ones"

    def test_llm_without_outcomes(self) -> None:
        parts = make_parts(make_log(unseen=True))
        assert_well_formed(self.fit(parts).predict(parts.test.queries), len(parts.test.queries), 4)

    def test_unknown_and_absent_tasks(self) -> None:
        parts = make_parts(make_log(without_task=0.3))
        router = self.fit(parts)
        for queries in (parts.test.queries, *(with_tasks(parts.test.queries, task) for task in (None, "never seen"))):
            assert_well_formed(router.predict(queries), len(queries), 3)

    def test_log_without_any_task(self) -> None:
        parts = make_parts(make_log(without_task=1.0))
        assert_well_formed(self.fit(parts).predict(parts.test.queries), len(parts.test.queries), 3)

    def test_several_draws_per_cell(self) -> None:
        parts = make_parts(make_log(draws=4))
        router = self.fit(parts)
        assert_well_formed(router.predict(parts.test.queries), len(parts.test.queries), 3)
        self.check_choice(router, parts)

    def test_few_training_queries(self) -> None:
        parts = make_parts(make_log(30))
        assert_well_formed(self.fit(parts).predict(parts.test.queries), len(parts.test.queries), 3)

    def test_log_without_cost(self) -> None:
        parts = make_parts(make_log(cost=False))
        router = self.fit(parts)
        assert_well_formed(router.predict(parts.test.queries), len(parts.test.queries), 3, cost=False)
        utility = router.utility(parts.test.queries, SCENARIOS["performance_first"], float("nan"))
        assert np.isfinite(utility).all()

    def test_cost_is_learnt(self, parts: Parts, fitted: Router) -> None:
        predicted = fitted.predict(parts.test.queries).cost.mean(axis=0)
        np.testing.assert_allclose(predicted, parts.test.cost.mean(axis=0), rtol=0.3)

    def test_saved_state_gives_the_same_predictions(self, parts: Parts, fitted: Router, tmp_path: Path) -> None:
        loaded = replace(self.router).set_state(through_files(fitted.get_state(), tmp_path))
        assert_same(loaded.predict(parts.test.queries), fitted.predict(parts.test.queries))
        for scenario in SCENARIOS.values():
            before, after = (router.utility(parts.test.queries, scenario, 1.0) for router in (fitted, loaded))
            np.testing.assert_array_equal(after, before)

    def test_predict_before_fit_is_refused(self, parts: Parts) -> None:
        with pytest.raises(UserError, match="not fitted"):
            replace(self.router).predict(parts.test.queries)

    def test_best_llm_of_each_topic_is_learnt(self, parts: Parts, fitted: Router) -> None:
        self.check_choice(fitted, parts)

    def check_choice(self, router: Router, parts: Parts) -> None:
        """Check that the router picks the LLM known to be best; who is to pick another one overrides this."""
        utility = router.utility(parts.test.queries, SCENARIOS["performance_first"], fit_cost_scale(parts.train.cost))
        chosen = [parts.test.llms.names[column] for column in utility.argmax(axis=1)]
        right = [BEST[task] == llm for task, llm in zip(parts.test.queries.tasks, chosen, strict=True)]
        assert np.mean(right) >= self.share_best, (
            f"{router.name} must find the best LLM of the topic, by the vectors and tasks of {len(parts.train.queries)} "
            f"training queries; give it settings for so few, or {type(self).__name__} a lower share_best and the reason"
        )
