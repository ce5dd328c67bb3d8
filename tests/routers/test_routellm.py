import time

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays
from scipy.optimize import minimize

from graphrouter.routers.routellm import RouteLLM, bradley_terry, pairwise_wins
from graphrouter.run import RunOptions
from graphrouter.testing import RouterContract, make_log, make_parts

NAN = float("nan")
OUTCOMES = arrays(
    np.float32, array_shapes(min_dims=2, max_dims=2, max_side=5), elements=st.sampled_from([0.0, 0.25, 0.5, 1.0, NAN])
)


class TestRouteLLM(RouterContract):
    router = RouteLLM(gamma=1000.0)


def test_wins_ties_and_missing_cells():
    wins = pairwise_wins(np.array([[1.0, 0.0, 1.0, NAN]]))
    expected = [[0, 1, 0.5, 0], [0, 0, 0, 0], [0.5, 1, 0, 0], [0, 0, 0, 0]]
    np.testing.assert_array_equal(wins, [expected])


@given(OUTCOMES)
def test_each_compared_pair_shares_one_win(performance):
    wins = pairwise_wins(performance)
    seen = ~np.isnan(performance)
    compared = seen[:, :, None] & seen[:, None, :] & ~np.eye(performance.shape[1], dtype=bool)
    np.testing.assert_array_equal(wins + wins.transpose(0, 2, 1), compared)


def test_bradley_terry_of_two_is_the_log_odds():
    scores = bradley_terry(np.array([[[0.0, 3.0], [1.0, 0.0]]]), prior=0.0)
    np.testing.assert_allclose(scores, [[np.log(3) / 2, -np.log(3) / 2]])


@given(arrays(np.float64, st.tuples(st.just(2), st.just(4), st.just(4)), elements=st.floats(0, 100)))
def test_bradley_terry_expects_as_many_wins_as_there_were(wins):
    wins = wins * (1 - np.eye(4))
    scores = bradley_terry(wins, prior=1.0)
    with_prior = wins + 0.5 * (1 - np.eye(4))
    chance = 1 / (1 + np.exp(scores[:, None, :] - scores[:, :, None]))
    expected = ((with_prior + with_prior.transpose(0, 2, 1)) * chance).sum(axis=2)
    np.testing.assert_allclose(expected, with_prior.sum(axis=2), rtol=1e-6)
    np.testing.assert_allclose(scores.mean(axis=1), 0, atol=1e-9)


def test_an_llm_that_always_wins_has_a_finite_score():
    scores = bradley_terry(np.array([[[0.0, 1e4], [0.0, 0.0]]]), prior=1.0)
    np.testing.assert_allclose(scores[0, 0] - scores[0, 1], np.log((1e4 + 0.5) / 0.5))


def test_scores_equal_a_weighted_likelihood_over_the_list_of_comparisons():
    parts = make_parts(make_log(40, missing=0.2))
    router = RouteLLM(gamma=50.0, prior=2.0)
    router.run = RunOptions(device="cpu")
    router.fit(parts.train, parts.validation)
    train, queries = parts.train, parts.test.queries
    expected = [reference_scores(train, queries, row, router) for row in range(len(queries))]
    np.testing.assert_allclose(router.scores(queries), expected, atol=1e-3)


def reference_scores(train, queries, row, router):
    """Maximise the weighted likelihood of one query directly, comparison by comparison."""
    cosine = train.queries.vectors @ queries.vectors[row]
    other = train.queries.groups != queries.groups[row]
    weight = other * router.gamma ** (1 + cosine / cosine[other].max())
    weight /= weight.mean()
    count = train.performance.shape[1]
    battles = [(a, b, router.prior / 2) for a in range(count) for b in range(count) if a != b]
    for query, outcome in enumerate(train.performance):
        for a in range(count):
            for b in range(count):
                if a != b and outcome[a] >= outcome[b]:
                    battles.append((a, b, weight[query] * (0.5 if outcome[a] == outcome[b] else 1.0)))
    first, second, weights = (np.array(column) for column in zip(*battles, strict=True))

    def loss(score):
        return (weights * np.logaddexp(0, score[second] - score[first])).sum() + score.sum() ** 2

    return minimize(loss, np.zeros(count), method="BFGS", options={"gtol": 1e-6}).x


def test_a_training_query_of_the_same_wording_does_not_count():
    parts = make_parts(make_log(40))
    router = RouteLLM().fit(parts.train, parts.validation)
    before = router.scores(parts.train.queries)[0]
    twin = parts.train.queries.groups == parts.train.queries.groups[0]
    router.performance_[twin] = 1 - router.performance_[twin]
    np.testing.assert_array_equal(router.scores(parts.train.queries)[0], before)


def test_queries_that_point_away_from_all_training_queries_get_the_plain_ranking():
    parts = make_parts(make_log(40))
    router = RouteLLM().fit(parts.train, parts.validation)
    router.vectors_ = np.abs(router.vectors_)
    queries = parts.test.queries
    opposite = type(queries)(
        **{**vars(queries), "vectors": -np.ones_like(queries.vectors), "groups": queries.groups * 0}
    )
    plain = bradley_terry(pairwise_wins(router.performance_).sum(axis=0, keepdims=True), router.prior)
    np.testing.assert_allclose(router.scores(opposite), np.repeat(plain, len(queries), axis=0), atol=1e-6)


def test_predicts_a_large_log_in_seconds():
    random = np.random.default_rng(0)
    router = RouteLLM()
    router.vectors_ = random.normal(size=(5756, 64))
    router.groups_ = np.arange(5756)
    router.performance_ = random.integers(0, 2, (5756, 29)).astype(np.float32)
    queries = make_parts(make_log(40)).test.queries
    many = type(queries)(*(np.resize(column, (2000, *column.shape[1:])) for column in vars(queries).values()))
    large = type(queries)(**{**vars(many), "vectors": random.normal(size=(2000, 64)).astype(np.float32)})
    began = time.perf_counter()
    scores = router.scores(large)
    assert scores.shape == (2000, 29)
    assert time.perf_counter() - began < 30
