"""The contract must refuse routers that break it, and the logs it stands on must be what they say."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import pytest

from graphrouter.routers import BestPerTask, BestSingle, Prediction
from graphrouter.testing import BEST, RouterContract, make_log, make_parts
from graphrouter.testing.checks import through_files


@dataclass(eq=False)
class ZeroFiller(BestSingle):
    def fit(self, train, validation):
        super().fit(train, validation)
        self.mean_quality_ = np.nan_to_num(train.performance).mean(axis=0)
        return self


@dataclass(eq=False)
class BatchCentred(BestPerTask):
    def predict(self, queries):
        quality, cost = super().predict(queries)
        return Prediction(quality / quality.max(axis=0) * np.float32(0.5), cost)


@dataclass(eq=False)
class Remembering(BestPerTask):
    def predict(self, queries):
        quality, cost = super().predict(queries)
        self.calls_ = vars(self).get("calls_", 0) + 1
        return Prediction(quality / np.float32(self.calls_), cost)


@dataclass(eq=False)
class OrderBound(BestPerTask):
    def fit(self, train, validation):
        return super().fit(train.take(np.arange(len(train.queries) // 2)), validation)


@dataclass(eq=False)
class Unseeded(BestPerTask):
    def fit(self, train, validation):
        super().fit(train, validation)
        self.quality_.means_ = self.quality_.means_ * np.random.uniform(0.5, 0.6)  # noqa: NPY002
        return self


@dataclass(eq=False)
class Overwriting(BestPerTask):
    def fit(self, train, validation):
        np.nan_to_num(train.performance, copy=False)
        return super().fit(train, validation)


@dataclass(eq=False)
class CostInventor(BestPerTask):
    def predict(self, queries):
        quality, cost = super().predict(queries)
        return Prediction(quality, np.nan_to_num(cost))


@dataclass(eq=False)
class Forgetful(BestPerTask):
    def fit(self, train, validation):
        self.offset = 0.1
        return super().fit(train, validation)

    def predict(self, queries):
        quality, cost = super().predict(queries)
        return Prediction(quality * np.float32(vars(self).get("offset", 0.2)), cost)


@dataclass(eq=False)
class Crowded(BestPerTask):
    search_space: ClassVar = tuple({"strength": float(s)} for s in range(5, 12))


@dataclass(eq=False)
class Impossible(BestPerTask):
    def predict(self, queries):
        quality, cost = super().predict(queries)
        return Prediction(quality * 2, cost)


BROKEN = [
    (ZeroFiller, "test_missing_cells_are_not_failures"),
    (BatchCentred, "test_batch_equals_single"),
    (Remembering, "test_earlier_queries_and_their_order_do_not_matter"),
    (OrderBound, "test_order_of_training_rows_does_not_matter"),
    (Unseeded, "test_same_seed_gives_the_same_result"),
    (Overwriting, "test_fit_and_predict_leave_the_data_alone"),
    (CostInventor, "test_log_without_cost"),
    (Forgetful, "test_saved_state_gives_the_same_predictions"),
    (Crowded, "test_fields_have_defaults_and_search_space_is_valid"),
    (Impossible, "test_predictions_are_well_formed"),
    (BestSingle, "test_best_llm_of_each_topic_is_learnt"),
]


@pytest.mark.parametrize(("router_class", "test"), BROKEN, ids=lambda value: getattr(value, "__name__", value))
def test_contract_refuses_a_broken_router(router_class, test, tmp_path):
    class Contract(RouterContract):
        router = router_class()

    np.random.seed(3)  # noqa: NPY002 - so that it matters which numbers were drawn before
    parts = make_parts(make_log())
    given = {"parts": parts, "fitted": Contract.fit(parts), "tmp_path": tmp_path}
    method = getattr(Contract(), test)
    wanted = method.__code__.co_varnames[1 : method.__code__.co_argcount]
    with pytest.raises(AssertionError):
        method(**{name: given[name] for name in wanted})


def test_planted_log_is_what_it_says():
    log = make_log(rare=True, unseen=True, draws=2, missing=0.1, without_task=0.2)
    performance, tasks = log.cells("performance"), np.array(log.queries["task"].to_list(), dtype=object)
    assert log.llm_names == ("alpha", "beta", "gamma", "rare", "unseen")
    for topic, best in BEST.items():
        means = np.nanmean(performance[tasks == topic][:, :3], axis=0)
        assert log.llm_names[means.argmax()] == best
    observed = log.cells("draws") > 0
    assert np.nanmin(performance[:, 3]) == 1
    assert 0.1 < observed[:, 3].mean() < 0.3
    assert not observed[:, 4].any()
    assert 0.1 < np.mean([task is None for task in tasks]) < 0.3
    assert set(np.unique(performance[~np.isnan(performance)])) == {0.0, 0.5, 1.0}
    assert log.has_cost
    assert not make_log(cost=False).has_cost


def test_planted_log_repeats_some_wordings_and_keeps_them_on_one_side():
    parts = make_parts(make_log())
    groups = [set(part.queries.groups.tolist()) for part in parts]
    assert sum(map(len, groups)) == len(set().union(*groups)) < 150
    same = parts.train.queries.groups[:, None] == parts.train.queries.groups
    close = np.isclose(parts.train.queries.vectors @ parts.train.queries.vectors.T, 1, atol=1e-6)
    np.testing.assert_array_equal(same, close)


def test_state_goes_through_files_and_back(tmp_path):
    state = {"a": np.arange(3), "b": [{"c": np.float64(0.5)}, None, "text"], "d": {}, "array": 1}
    back = through_files(state, tmp_path)
    np.testing.assert_array_equal(back.pop("a"), state.pop("a"))
    assert back == state


@pytest.mark.parametrize("value", [{1: 2}, np.array([None]), object(), {"a": np.float32(1)}])
def test_state_that_no_file_can_hold_is_refused(value, tmp_path):
    with pytest.raises(TypeError):
        through_files({"value": value}, tmp_path)


def test_a_class_in_the_place_of_a_router_is_refused_in_one_sentence():
    with pytest.raises(
        TypeError, match=r"TestMine.router must be a router, as in BestSingle\(\), but is the class itself"
    ):
        type("TestMine", (RouterContract,), {"router": BestSingle})
