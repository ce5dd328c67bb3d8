"""The tests of routers that take in an LLM after they were fitted; part of `graphrouter.testing.RouterContract`."""

# ruff: noqa: D102 - the name of a test says what it checks

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import ClassVar

import numpy as np
import pytest

from graphrouter.dataset import RoutingData
from graphrouter.errors import UserError
from graphrouter.routers.base import Prediction, Router
from graphrouter.scenario import SCENARIOS, fit_cost_scale
from graphrouter.testing.checks import assert_same, assert_well_formed, through_files
from graphrouter.testing.logs import Parts, keep_outcomes, make_log, make_parts

NEW = "beta"
KNOWN = ["alpha", "gamma"]


class ExtensionContract:
    """Tests of `Router.extend`: "beta" joins a router that was fitted on "alpha" and "gamma".

    A router that cannot take in an LLM must say so, and passes the other tests by that.

    Attributes:
        router: As in `RouterContract`.
        weighs_new_llms: Whether what is not known of a new LLM counts against it, and what is good for it. The published
            graphrouter cannot promise that.
        new_llm_error: How far the mean quality that is predicted of a new LLM with all outcomes may be from its own.
    """

    router: ClassVar[Router]
    new_llm_error: ClassVar[float] = 0.15
    weighs_new_llms: ClassVar[bool] = True

    @classmethod
    def fit(cls, parts: Parts) -> Router:
        raise NotImplementedError

    @classmethod
    def fit_known(cls, parts: Parts) -> Router:
        """Fit a router on the LLMs that are known from the beginning."""
        return cls.fit(Parts(*(part.take_llms(KNOWN) for part in parts)))

    @pytest.fixture(scope="class")
    @classmethod
    def known(cls, parts: Parts) -> Router:
        """The router without the new LLM."""
        if not cls.router.extends:
            pytest.skip(f"{cls.router.name} takes in no LLM, which another test checks")
        return cls.fit_known(parts)

    def check_weighs_new_llms(self) -> None:
        if not self.weighs_new_llms:
            pytest.skip(f"{self.router.name} promises nothing of a new LLM")

    def test_a_router_that_cannot_extend_says_so(self, parts: Parts, fitted: Router) -> None:
        if not self.router.extends:
            with pytest.raises(
                UserError, match=rf"{self.router.name} cannot take in an LLM .* use a router that can, such as knn"
            ):
                fitted.extend(parts.train)

    @pytest.mark.parametrize("shots", [0, 1, 5, None])
    def test_extended_predictions_are_well_formed(self, parts: Parts, known: Router, shots: int | None) -> None:
        extended = known.extend(shown(parts.train, shots))
        assert_well_formed(extended.predict(parts.test.queries), len(parts.test.queries), 3)
        for scenario in SCENARIOS.values():
            utility = extended.utility(parts.test.queries, scenario, fit_cost_scale(parts.train.cost))
            assert np.isfinite(utility).all()

    @pytest.mark.parametrize("shots", [0, 20])
    def test_predictions_of_known_llms_stay(self, parts: Parts, known: Router, shots: int) -> None:
        before = known.predict(parts.test.queries)
        after = known.extend(shown(parts.train, shots)).predict(parts.test.queries)
        assert_same(Prediction(after.quality[:, [0, 2]], after.cost[:, [0, 2]]), before, 1e-5)
        assert_same(known.predict(parts.test.queries), before)

    def test_all_outcomes_tell_the_quality_and_cost_of_a_new_llm(self, parts: Parts, known: Router) -> None:
        quality, cost = known.extend(parts.train).predict(parts.test.queries)
        assert abs(quality[:, 1].mean() - parts.train.performance[:, 1].mean()) < self.new_llm_error
        np.testing.assert_allclose(cost[:, 1].mean(), parts.test.cost[:, 1].mean(), rtol=0.3)

    def test_an_unknown_llm_is_no_better_than_the_known_ones(self, parts: Parts, known: Router) -> None:
        self.check_weighs_new_llms()
        quality = known.extend(shown(parts.train, 0)).predict(parts.test.queries).quality.mean(axis=0)
        assert quality[1] <= quality[[0, 2]].max() + 1e-6

    def test_one_lucky_outcome_is_no_proof(self, parts: Parts, known: Router) -> None:
        self.check_weighs_new_llms()
        one = shown(parts.train, 1)
        lucky = replace(one, performance=np.where(np.arange(3) == 1, 1 + 0 * one.performance, one.performance))
        assert known.extend(lucky).predict(parts.test.queries).quality[:, 1].mean() < 0.8

    def test_better_outcomes_make_a_new_llm_better(self, parts: Parts, known: Router) -> None:
        self.check_weighs_new_llms()
        some = shown(parts.train, 20)
        new = np.arange(3) == 1
        low, high = (
            known.extend(replace(some, performance=np.where(new, value + 0 * some.performance, some.performance)))
            for value in (np.float32(0), np.float32(1))
        )
        gain = (high.predict(parts.test.queries).quality - low.predict(parts.test.queries).quality)[:, 1]
        assert (gain > 0).mean() > 0.9

    def test_order_of_rows_does_not_matter_in_an_extension(self, parts: Parts, known: Router) -> None:
        some = shown(parts.train, 20)
        shuffled = some.take(np.random.default_rng(1).permutation(len(some.queries)))
        first, second = (known.extend(data).predict(parts.test.queries) for data in (some, shuffled))
        assert_same(first, second, 1e-5)

    @pytest.mark.parametrize("names", [["beta", "gamma", "alpha"], ["gamma", "alpha", "beta"]], ids=str)
    def test_order_of_llms_does_not_matter_in_an_extension(self, parts: Parts, known: Router, names: list[str]) -> None:
        some, place = shown(parts.train, 20), [names.index(name) for name in parts.train.llms.names]
        first = known.extend(some).predict(parts.test.queries)
        quality, cost = known.extend(some.take_llms(names)).predict(parts.test.queries)
        assert_same(Prediction(quality[:, place], cost[:, place]), first, 1e-5)

    def test_an_extended_router_is_saved_and_loaded(self, parts: Parts, known: Router, tmp_path: Path) -> None:
        extended = known.extend(shown(parts.train, 20))
        loaded = replace(self.router).set_state(through_files(extended.get_state(), tmp_path))
        assert_same(loaded.predict(parts.test.queries), extended.predict(parts.test.queries))
        for scenario in SCENARIOS.values():
            before, after = (router.utility(parts.test.queries, scenario, 1.0) for router in (extended, loaded))
            np.testing.assert_array_equal(after, before)

    def test_batch_equals_single_in_an_extended_router(self, parts: Parts, known: Router) -> None:
        extended, queries = known.extend(shown(parts.train, 20)), parts.test.queries
        batch = extended.predict(queries)
        for row in range(0, len(queries), 5):
            single = extended.predict(queries.take(np.array([row])))
            assert_same(single, Prediction(batch.quality[[row]], batch.cost[[row]]), 1e-6)

    def test_llms_join_one_after_another(self) -> None:
        if not self.router.extends:
            pytest.skip(f"{self.router.name} takes in no LLM")
        parts = make_parts(make_log(rare=True))
        second = self.fit_known(parts).extend(parts.train.take_llms([NEW, *KNOWN]))
        assert_well_formed(second.predict(parts.test.queries), len(parts.test.queries), 3)
        third = second.extend(parts.train).predict(parts.test.queries)
        assert_well_formed(third, len(parts.test.queries), 4)
        assert_same(
            Prediction(third.quality[:, [1, 0, 2]], third.cost[:, [1, 0, 2]]), second.predict(parts.test.queries), 1e-5
        )

    def test_an_llm_joins_a_log_without_cost(self) -> None:
        if not self.router.extends:
            pytest.skip(f"{self.router.name} takes in no LLM")
        parts = make_parts(make_log(cost=False))
        extended = self.fit_known(parts).extend(shown(parts.train, 20))
        assert_well_formed(extended.predict(parts.test.queries), len(parts.test.queries), 3, cost=False)

    def test_an_extension_needs_just_one_new_llm(self, parts: Parts, known: Router) -> None:
        with pytest.raises(UserError, match=r"one LLM at a time.*none that is new"):
            known.extend(parts.train.take_llms(KNOWN))
        with pytest.raises(UserError, match=r"one LLM at a time.*'beta', and without 'gamma'"):
            known.extend(parts.train.take_llms(["alpha", "beta"]))
        with pytest.raises(UserError, match="one LLM at a time"):
            known.extend(parts.train).extend(parts.train)

    def test_extend_before_fit_is_refused(self, parts: Parts) -> None:
        with pytest.raises(UserError):
            replace(self.router).extend(parts.train)


def shown(train: RoutingData, shots: int | None) -> RoutingData:
    """Return the training data with so many outcomes of the new LLM, all for None."""
    rows = np.random.default_rng(0).permutation(len(train.queries))
    return train if shots is None else keep_outcomes(train, NEW, rows[:shots])
