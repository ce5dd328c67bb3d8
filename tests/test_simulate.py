import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from polars.testing import assert_frame_equal
from scipy.stats import spearmanr
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import Ridge

from graphrouter.errors import UserError
from graphrouter.simulate import simulate, simulate_with_truth
from graphrouter.splits import by_query


@given(
    queries=st.integers(1, 60),
    tasks=st.integers(1, 8),
    llms=st.integers(1, 20),
    missing=st.floats(0, 0.5),
    draws=st.integers(1, 3),
    seed=st.integers(0, 10**6),
)
def test_any_size_gives_a_log_of_that_size_that_says_it_is_simulated(queries, tasks, llms, missing, draws, seed):
    log, truth = simulate_with_truth(queries + 10, tasks, llms, missing, draws, seed)
    assert log.simulated
    assert truth.shape == log.cells("draws").shape == (queries + 10, llms)
    assert len(log.tasks) == tasks
    assert set(np.unique(log.cells("draws"))) <= {0, draws}
    assert log.has_cost
    assert ((truth > 0) & (truth < 1)).all()


def test_the_same_seed_gives_the_same_log_and_another_seed_another():
    first, again, other = simulate(200, seed=3), simulate(200, seed=3), simulate(200, seed=4)
    for table in ("queries", "llms", "records"):
        assert_frame_equal(getattr(first, table), getattr(again, table))
        assert not getattr(first, table).equals(getattr(other, table))


def test_the_llms_do_not_depend_on_the_number_of_queries():
    assert_frame_equal(simulate(50).llms, simulate(500).llms)


def test_outcomes_follow_the_truth():
    log, truth = simulate_with_truth(4000, llms=6, seed=1)
    graded = (log.queries["task"] == "summaries").to_numpy()
    outcomes = log.cells("performance")
    assert set(np.unique(outcomes[~graded])) == {0.0, 1.0}
    assert len(np.unique(outcomes[graded])) > 5
    low, high = truth < 0.3, truth > 0.7
    for cells in (low, high):
        assert outcomes[cells].mean() == pytest.approx(truth[cells].mean(), abs=0.02)


def test_missing_cells_are_missing_at_random():
    log, truth = simulate_with_truth(3000, llms=5, missing=0.3)
    seen = log.cells("draws") > 0
    assert seen.mean() == pytest.approx(0.7, abs=0.02)
    assert truth[seen].mean() == pytest.approx(truth.mean(), abs=0.01)


def test_larger_llms_are_stronger_and_cost_more():
    log, truth = simulate_with_truth(1000, llms=20)
    size = log.llms["size_b"].to_numpy()
    assert spearmanr(size, truth.mean(axis=0)).statistic > 0.6
    assert spearmanr(size, log.cells("cost").mean(axis=0)).statistic > 0.8


def test_longer_queries_are_harder():
    log, truth = simulate_with_truth(1000)
    assert spearmanr(log.queries["query"].str.len_chars(), truth.mean(axis=1)).statistic < -0.3


@pytest.mark.parametrize("seed", range(3))
def test_routing_has_something_to_gain(seed):
    """Best single < best per task < the truth's choice < oracle, each by a margin."""
    log, truth = simulate_with_truth(seed=seed)
    split = by_query(log, seed)
    learnt, held = np.concatenate([split.train, split.validation]), split.test
    performance, tasks = log.cells("performance"), log.queries["task"].to_numpy()
    single = truth[held, performance[learnt].mean(axis=0).argmax()].mean()
    best = {name: performance[learnt][tasks[learnt] == name].mean(axis=0).argmax() for name in log.tasks}
    per_task = truth[held, [best[name] for name in tasks[held]]].mean()
    assert single + 0.04 < per_task < truth[held].max(axis=1).mean() - 0.01
    assert truth[held].max(axis=1).mean() < performance[held].max(axis=1).mean() - 0.05


def test_text_tells_more_than_the_task():
    log, truth = simulate_with_truth()
    split = by_query(log, 0)
    outcomes, tasks = log.cells("performance"), log.queries["task"].to_numpy()
    vectors = (
        TfidfVectorizer(sublinear_tf=True)
        .fit(log.queries["query"][split.train])
        .transform(log.queries["query"])
        .toarray()
    )
    from_text = Ridge().fit(vectors[split.train], outcomes[split.train]).predict(vectors[split.test])
    means = {name: outcomes[split.train][tasks[split.train] == name].mean(axis=0) for name in log.tasks}
    from_task = np.stack([means[name] for name in tasks[split.test]])
    error_text, error_task = ((guess - truth[split.test]) ** 2 for guess in (from_text, from_task))
    assert error_text.mean() < 0.7 * error_task.mean()


@pytest.mark.parametrize(("llms", "first"), [(999, "sim-001-1b"), (1000, "sim-0001-1b"), (12345, "sim-00001-1b")])
def test_any_number_of_llms_keeps_the_order_of_their_sizes(llms, first):
    log, truth = simulate_with_truth(queries=12, llms=llms)
    assert log.llm_names[0] == first
    assert (np.diff(log.llms["size_b"]) >= 0).all()
    assert truth.shape == (12, llms)
    assert log.records.height == 12 * llms


def test_a_simulation_beyond_the_memory_is_refused():
    with pytest.raises(UserError, match="must fit in memory, but .* need about"):
        simulate(queries=10**7, llms=10**6)


@pytest.mark.parametrize(
    "wrong", [{"queries": 0}, {"tasks": 9}, {"llms": 0}, {"draws": 0}, {"missing": 1.0}, {"missing": -0.1}]
)
def test_numbers_out_of_range_are_refused(wrong):
    with pytest.raises(UserError, match=next(iter(wrong))):
        simulate(**wrong)
