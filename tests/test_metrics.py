import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from graphrouter import metrics

NAN = np.nan
QUALITY = np.array([[0.8, 0.4], [0.5, 0.2]])
PERFORMANCE = np.array([[1.0, 0.0], [0.5, NAN]])

unit = st.floats(0, 1, width=32)


@st.composite
def cells(draw: st.DrawFn, graded: bool = True) -> tuple[np.ndarray, np.ndarray]:
    """Predictions and outcomes [Q, M], some cells missing, at least one there."""
    shape = (draw(st.integers(1, 6)), draw(st.integers(1, 5)))
    quality = draw(arrays(float, shape, elements=unit))
    levels = [0.0, 0.5, 1.0, NAN] if graded else [0.0, 1.0, NAN]
    performance = draw(arrays(float, shape, elements=st.sampled_from(levels)))
    if np.isnan(performance).all():
        performance[0, 0] = 1.0
    return quality, performance


EDGE = (metrics.nll, metrics.auroc, metrics.brier, metrics.calibration_error)


def test_every_metric_has_the_name_of_its_function() -> None:
    for name, metric in metrics.METRICS.items():
        assert getattr(metrics, name).__name__ == metric.name == name
        assert metric.compute is getattr(metrics, name)


def test_lower_is_better_reads_the_last_word_of_a_name() -> None:
    assert metrics.lower_is_better("test/balance/cost")
    assert metrics.lower_is_better("nll")
    assert not metrics.lower_is_better("test/balance/reward")
    assert not metrics.lower_is_better("loss of another kind")


@pytest.mark.parametrize(
    ("name", "takes", "title", "message"),
    [
        ("new", ("choice", "price"), "New", "must take inputs of .*, but takes price"),
        ("new", ("choice",), "", "a title"),
        ("reward", ("choice",), "Reward", "a name of its own"),
    ],
)
def test_a_metric_without_a_title_or_with_unknown_inputs_is_refused(name, takes, title, message) -> None:
    def function() -> None: ...

    function.__name__ = name
    with pytest.raises(ValueError, match=message):
        metrics.metric("scenario", takes, title, "A note")(function)


def test_metrics_do_not_import_torch() -> None:
    code = "import graphrouter.metrics, sys; sys.exit('torch' in sys.modules or 'sklearn' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_nll_by_hand() -> None:
    expected = -(np.log(0.8) + np.log(0.6) + np.log(0.5)) / 3
    assert metrics.nll(QUALITY, PERFORMANCE) == pytest.approx(expected)


def test_nll_of_a_certain_mistake_is_clipped() -> None:
    assert metrics.nll(np.array([[1.0]]), np.array([[0.0]])) == pytest.approx(-np.log(1e-6))


def test_brier_by_hand() -> None:
    assert metrics.brier(QUALITY, PERFORMANCE) == pytest.approx((0.04 + 0.16 + 0.0) / 3)


def test_calibration_error_by_hand() -> None:
    # Two bins of width 0.5: {0.1, 0.3} with outcomes 0 and 1, and {0.5, 0.9} with 1 and 1.
    quality, performance = np.array([[0.1, 0.3, 0.5, 0.9]]), np.array([[0.0, 1.0, 1.0, 1.0]])
    expected = (abs(0.4 - 1) + abs(1.4 - 2)) / 4
    assert metrics.calibration_error(quality, performance, bins=2) == pytest.approx(expected)
    # One bin of width 1: over- and underconfidence cancel only as far as the sums do.
    assert metrics.calibration_error(quality, performance, bins=1) == pytest.approx(abs(1.8 - 3) / 4)


def test_calibration_error_has_fifteen_bins_and_takes_a_prediction_of_one() -> None:
    quality, performance = np.array([[14.5 / 15, 1.0, 13.5 / 15]]), np.array([[0.0, 1.0, 1.0]])
    last, before = abs(14.5 / 15 + 1 - 1), abs(13.5 / 15 - 1)
    assert metrics.calibration_error(quality, performance) == pytest.approx((last + before) / 3)


def test_reliability_by_hand() -> None:
    table = metrics.reliability(np.array([[0.1, 0.3, 0.9]]), np.array([[0.0, 1.0, 1.0]]), bins=2)
    np.testing.assert_allclose(table, [[2, 0.2, 0.5], [1, 0.9, 1.0]])
    empty = metrics.reliability(np.array([[0.9]]), np.array([[1.0]]), bins=2)[0]
    assert empty[0] == 0
    assert np.isnan(empty[1:]).all()


def test_auroc_by_hand() -> None:
    # Successes at 0.9 and 0.4, failures at 0.6 and 0.4: three pairs won, one of them half.
    quality, performance = np.array([[0.9, 0.6], [0.4, 0.4]]), np.array([[1.0, 0.0], [1.0, 0.0]])
    assert metrics.auroc(quality, performance) == pytest.approx((2 + 0 + 0.5) / 4)


def test_a_mean_of_draws_scores_as_its_draws_do() -> None:
    """Likelihood and AUROC of a mean are those of its draws as edges of their own; the Brier score lacks their variance."""
    rng = np.random.default_rng(0)
    quality, draws = rng.random((40, 3)), rng.integers(0, 2, (40, 3, 5)).astype(float)
    mean, every = draws.mean(axis=2), draws.reshape(40, 15)
    repeated = np.repeat(quality, 5, axis=1)
    assert metrics.nll(quality, mean) == pytest.approx(float(metrics.nll(repeated, every)))
    assert metrics.auroc(quality, mean) == pytest.approx(float(metrics.auroc(repeated, every)))
    spread = draws.var(axis=2).mean()
    assert metrics.brier(quality, mean) + spread == pytest.approx(float(metrics.brier(repeated, every)))


def test_auroc_of_graded_outcomes_by_hand() -> None:
    # 0.7 with p=0.75 and 0.2 with p=0.25: 0.75*0.75 won, the two ties with itself count half, 0.25*0.25 lost.
    quality, performance = np.array([[0.7, 0.2]]), np.array([[0.75, 0.25]])
    won = 0.75 * 0.75 + 0.5 * (0.75 * 0.25 + 0.25 * 0.75)
    assert metrics.auroc(quality, performance) == pytest.approx(won / (1.0 * 1.0))


def test_auroc_without_a_failure_is_not_a_number() -> None:
    assert np.isnan(metrics.auroc(np.array([[0.5, 0.4]]), np.array([[1.0, 1.0]])))


@given(cells())
def test_auroc_equals_the_count_of_pairs(given_cells: tuple[np.ndarray, np.ndarray]) -> None:
    quality, performance = given_cells
    seen = ~np.isnan(performance)
    q, p = quality[seen], performance[seen]
    order = (q[:, None] > q) + 0.5 * (q[:, None] == q)
    pairs = p.sum() * (1 - p).sum()
    expected = (p[:, None] * (1 - p) * order).sum() / pairs if pairs else NAN
    np.testing.assert_allclose(metrics.auroc(quality, performance), expected)


@given(cells(), st.data())
def test_weights_are_the_same_as_repeated_queries(
    given_cells: tuple[np.ndarray, np.ndarray], data: st.DataObject
) -> None:
    quality, performance = given_cells
    weights = data.draw(arrays(int, (3, len(quality)), elements=st.integers(0, 3)))
    for metric in EDGE:
        weighted = metric(quality, performance, weights.astype(float))
        for value, row in zip(weighted, weights, strict=True):
            again = np.repeat(np.arange(len(row)), row)
            expected = NAN if np.isnan(performance[again]).all() else metric(quality[again], performance[again])
            np.testing.assert_allclose(value, expected, atol=1e-9)


@given(cells(), unit)
def test_what_is_predicted_for_a_missing_cell_does_not_matter(
    given_cells: tuple[np.ndarray, np.ndarray], other: float
) -> None:
    quality, performance = given_cells
    changed = np.where(np.isnan(performance), other, quality)
    for metric in (*EDGE, metrics.hit_at_1, metrics.mrr, metrics.ndcg):
        np.testing.assert_array_equal(metric(quality, performance), metric(changed, performance))


@given(cells(), st.integers(0, 9))
def test_the_order_of_queries_does_not_matter(given_cells: tuple[np.ndarray, np.ndarray], seed: int) -> None:
    quality, performance = given_cells
    order = np.random.default_rng(seed).permutation(len(quality))
    for metric in (*EDGE, metrics.hit_at_1, metrics.mrr, metrics.ndcg):
        np.testing.assert_allclose(metric(quality, performance), metric(quality[order], performance[order]))


@given(cells())
def test_several_routers_at_once_score_as_each_alone(given_cells: tuple[np.ndarray, np.ndarray]) -> None:
    quality, performance = given_cells
    both = np.stack([quality, 1 - quality])
    weights = np.stack([np.ones(len(quality)), np.arange(len(quality)) + 1.0])
    for metric in (*EDGE, metrics.hit_at_1, metrics.mrr, metrics.ndcg):
        together = metric(both, performance, weights)
        assert together.shape == (2, 2)
        np.testing.assert_allclose(together, [metric(one, performance, weights) for one in both])
        np.testing.assert_allclose(together[:, 0], metric(both, performance))


@given(cells(graded=False))
def test_no_prediction_has_a_better_likelihood_than_the_outcome(given_cells: tuple[np.ndarray, np.ndarray]) -> None:
    quality, performance = given_cells
    best = np.nan_to_num(performance)
    assert metrics.nll(best, performance) <= metrics.nll(quality, performance) + 1e-9
    assert metrics.brier(best, performance) == 0
    assert metrics.calibration_error(best, performance) == 0


UTILITY = np.array([[0.9, 0.5, 0.1], [0.2, 0.8, 0.5]])
OUTCOMES = np.array([[0.5, 1.0, 0.0], [1.0, NAN, 0.0]])


def test_choose_skips_missing_cells_for_all_routers_and_the_oracle() -> None:
    np.testing.assert_array_equal(metrics.choose(UTILITY, OUTCOMES), [0, 2])
    np.testing.assert_array_equal(metrics.choose(OUTCOMES, OUTCOMES), [1, 0])
    np.testing.assert_array_equal(metrics.choose(np.stack([UTILITY, -UTILITY]), OUTCOMES), [[0, 2], [2, 0]])


def test_choose_breaks_a_tie_in_the_order_of_the_log() -> None:
    np.testing.assert_array_equal(metrics.choose(np.ones((1, 3)), np.array([[NAN, 0.0, 1.0]])), [1])


def test_choices_by_hand() -> None:
    choice = metrics.choose(UTILITY, OUTCOMES)
    assert metrics.performance(choice, OUTCOMES) == 0.25
    assert metrics.reward(choice, OUTCOMES) == 0.25
    dollars = np.array([[0.1, 1.0, 1.0], [1.0, 1.0, 0.3]])
    assert metrics.cost(choice, dollars) == pytest.approx(0.2)
    assert metrics.gap_to_oracle(choice, OUTCOMES) == pytest.approx(((1 - 0.5) + (1 - 0)) / 2)
    # A random LLM gets (0.5 + 1 + 0) / 3 on the first query and (1 + 0) / 2 on the second.
    assert metrics.gain_over_random(choice, OUTCOMES) == pytest.approx(((0.5 - 0.5) + (0 - 0.5)) / 2)
    # The second LLM has the highest mean, on the one query that it has an outcome for, and there it leads by 0.5.
    assert metrics.best_single(OUTCOMES) == 1
    assert metrics.gain_over_best_single(choice, OUTCOMES) == pytest.approx(0.5 - 1)
    # It is the oracle's choice on that query, so there is no gap to close.
    assert np.isnan(metrics.gap_closed(choice, OUTCOMES))
    np.testing.assert_allclose(metrics.performance(choice, OUTCOMES, np.array([[3.0, 1.0], [0.0, 2.0]])), [0.375, 0])


def test_the_share_of_the_gap_by_hand() -> None:
    outcomes = np.array([[1.0, 0.0], [1.0, 0.5], [0.0, 1.0], [0.8, 1.0], [NAN, 0.4]])
    # The first LLM is the best single one. On its four queries the oracle gains 1 + 0.2.
    choice = np.array([0, 0, 1, 0, 1])
    assert metrics.gap_closed(choice, outcomes) == pytest.approx(1 / 1.2)
    assert metrics.gap_closed(np.zeros(5, int), outcomes) == 0
    assert metrics.gap_closed(np.array([0, 1, 0, 1, 1]), outcomes) == pytest.approx((0.2 - 0.5) / 1.2)
    assert metrics.gap_closed(metrics.choose(outcomes, outcomes), outcomes) == 1
    weights = np.array([[1.0, 1, 0, 1, 1], [1, 1, 1, 0, 1]])
    np.testing.assert_allclose(metrics.gap_closed(choice, outcomes, weights), [0, 1])


def test_best_single_needs_more_than_a_lucky_query() -> None:
    outcomes = np.array([[0.6, 1.0], [0.6, NAN], [0.6, NAN]])
    assert metrics.best_single(outcomes) == 0
    with pytest.raises(ValueError, match="outcome"):
        metrics.best_single(np.full((2, 2), NAN))


def test_a_query_without_outcomes_counts_nowhere() -> None:
    outcomes = np.array([[1.0, 0.0], [NAN, NAN]])
    utility = np.array([[0.1, 0.9], [0.5, 0.5]])
    choice = metrics.choose(utility, outcomes)
    assert metrics.performance(choice, outcomes) == 0
    assert metrics.gap_to_oracle(choice, outcomes) == 1
    assert metrics.hit_at_1(utility, outcomes) == 0
    assert metrics.mrr(utility, outcomes) == 0.5


@given(cells())
def test_no_router_beats_the_oracle(given_cells: tuple[np.ndarray, np.ndarray]) -> None:
    utility, outcomes = given_cells
    choice = metrics.choose(utility, outcomes)
    assert metrics.gap_to_oracle(choice, outcomes) >= 0
    oracle = metrics.choose(outcomes, outcomes)
    assert metrics.gap_to_oracle(oracle, outcomes) == 0
    assert metrics.gain_over_random(oracle, outcomes) >= 0
    assert metrics.gain_over_best_single(oracle, outcomes) >= 0
    assert not metrics.gap_closed(choice, outcomes) > 1
    assert metrics.hit_at_1(outcomes, outcomes) == metrics.mrr(outcomes, outcomes) == 1


def test_ranking_by_hand() -> None:
    utility = np.array([[3.0, 2.0, 1.0], [1.0, 3.0, 2.0]])
    values = np.array([[0.0, 1.0, 0.5], [0.5, 0.5, 0.0]])
    assert metrics.hit_at_1(utility, values) == 0.5
    # The best is second on the first query; on the second, one of two equally good ones is first.
    assert metrics.mrr(utility, values) == pytest.approx((1 / 2 + 1) / 2)
    second, third = 1 / np.log2(3), 1 / np.log2(4)
    first_query = (0 + 1 * second + 0.5 * third) / (1 + 0.5 * second)
    second_query = (0.5 + 0 * second + 0.5 * third) / (0.5 + 0.5 * second)
    assert metrics.ndcg(utility, values) == pytest.approx((first_query + second_query) / 2)


def test_ranking_skips_missing_cells() -> None:
    utility, values = np.array([[9.0, 2.0, 1.0]]), np.array([[NAN, 1.0, 0.0]])
    assert metrics.hit_at_1(utility, values) == metrics.mrr(utility, values) == metrics.ndcg(utility, values) == 1


def test_a_query_that_no_llm_solves_has_no_ndcg_and_every_choice_is_a_hit() -> None:
    utility, values = np.array([[2.0, 1.0], [2.0, 1.0]]), np.array([[0.0, 0.0], [0.0, 1.0]])
    assert metrics.ndcg(utility, values) == pytest.approx(1 / np.log2(3))
    assert metrics.hit_at_1(utility, values) == 0.5


def test_ndcg_refuses_negative_gains() -> None:
    with pytest.raises(ValueError, match="negative"):
        metrics.ndcg(np.zeros((1, 2)), np.array([[-0.1, 1.0]]))


@given(cells())
def test_ranking_metrics_are_shares(given_cells: tuple[np.ndarray, np.ndarray]) -> None:
    utility, values = given_cells
    hit, rank, gain = (metric(utility, values) for metric in (metrics.hit_at_1, metrics.mrr, metrics.ndcg))
    assert 0 <= hit <= rank <= 1
    assert np.isnan(gain) or 0 <= gain <= 1 + 1e-12


COST = np.array([1.0, 2.0, 3.0, 4.0, 5.0])
HEIGHT = np.array([0.2, 0.3, 0.6, 0.7, 0.65])


def test_upper_hull_by_hand() -> None:
    # (2, 0.3) lies below the line from (1, 0.2) to (3, 0.6), and (5, 0.65) below (4, 0.7).
    np.testing.assert_array_equal(metrics.upper_hull(COST, HEIGHT), [0, 2, 3])


def test_upper_hull_takes_the_best_of_equal_costs_and_leaves_out_what_is_not_known() -> None:
    cost = np.array([1.0, 1.0, 3.0, 3.0, 0.5, 9.0])
    height = np.array([0.3, 0.5, 0.9, 0.2, NAN, 0.9])
    np.testing.assert_array_equal(metrics.upper_hull(cost, height), [1, 2])
    assert len(metrics.upper_hull(np.array([NAN]), np.array([0.5]))) == 0


points = st.lists(st.tuples(st.integers(1, 30), st.integers(0, 20)), min_size=1, max_size=12)


@given(points)
def test_the_hull_is_concave_rising_and_above_all_points(drawn: list[tuple[int, int]]) -> None:
    cost, height = np.array(drawn, dtype=float).T
    hull = metrics.upper_hull(cost, height)
    x, y = cost[hull], height[hull]
    assert (np.diff(x) > 0).all()
    slopes = np.diff(y) / np.diff(x)
    assert (slopes > 0).all()
    assert (np.diff(slopes) < 0).all()
    assert x[0] == cost.min()
    assert y[-1] == height.max()
    assert (metrics.mix_performance(cost, cost, height) >= height - 1e-12).all()


def test_mix_performance_by_hand() -> None:
    budget = np.array([0.5, 1.0, 2.0, 3.5, 9.0])
    np.testing.assert_allclose(metrics.mix_performance(budget, COST, HEIGHT), [0.2, 0.2, 0.4, 0.65, 0.7])
    assert np.isnan(metrics.mix_performance(budget, np.array([NAN]), np.array([0.5]))).all()


def test_single_points_by_hand() -> None:
    performance, dollars = np.array([[1.0, 0.0], [NAN, 0.5]]), np.array([[1.0, 2.0], [NAN, 4.0]])
    cost, height = metrics.single_points(performance, dollars)
    np.testing.assert_allclose(cost, [1.0, 3.0])
    np.testing.assert_allclose(height, [1.0, 0.25])
    cost, height = metrics.single_points(performance, dollars, np.array([[1.0, 3.0], [0.0, 1.0]]))
    np.testing.assert_allclose(cost, [[1.0, 3.5], [NAN, 4.0]])
    np.testing.assert_allclose(height, [[1.0, 0.375], [NAN, 0.5]])


def test_gain_over_mix_by_hand() -> None:
    # The cheap LLM solves the first query for $1, the dear one both for $3.
    performance, dollars = np.array([[1.0, 1.0], [0.0, 1.0]]), np.array([[1.0, 3.0], [1.0, 3.0]])
    clever = np.array([0, 1])
    # It solves both for $2 on average, where the mixture of half and half solves 0.75.
    assert metrics.gain_over_mix(clever, performance, dollars) == pytest.approx(0.25)
    assert metrics.gain_over_mix(np.array([1, 1]), performance, dollars) == pytest.approx(0.0)
    both = np.array([[0, 1], [1, 0]])
    weights = np.array([[1.0, 1.0], [1.0, 3.0]])
    # With weights 1 and 3 the cheap LLM solves 0.25, the dear one all; clever costs $2.5 and the other one $1.5.
    expected = [[0.25, 1 - (0.25 + 0.75 * 0.75)], [-0.25, 0.25 - (0.25 + 0.75 * 0.25)]]
    np.testing.assert_allclose(metrics.gain_over_mix(both, performance, dollars, weights), expected)


def test_performance_gain_by_hand() -> None:
    assert metrics.performance_gain(np.array([0.5, 0.66, 0.6]), np.array(0.6)) == pytest.approx(0.1)
    assert metrics.performance_gain(np.array([0.3]), np.array(0.6)) == pytest.approx(-0.5)


def test_cost_saving_by_hand() -> None:
    cost, height = np.array([1.0, 2.0, 3.0]), np.array([0.5, 0.7, 0.8])
    assert metrics.cost_saving(cost, height, np.array(4.0), np.array(0.6)) == pytest.approx(0.5)
    assert metrics.cost_saving(cost, height, np.array(4.0), np.array(0.7)) == pytest.approx(0.5)
    # Not reached, or only for more than the best single LLM costs: nothing is saved.
    assert metrics.cost_saving(cost, height, np.array(4.0), np.array(0.9)) == 0
    assert metrics.cost_saving(cost, height, np.array(1.5), np.array(0.6)) == 0
    stacked = metrics.cost_saving(
        np.stack([cost, cost]), np.stack([height, height]), np.full(2, 4.0), np.array([0.5, 0.8])
    )
    np.testing.assert_allclose(stacked, [0.75, 0.25])


def test_aiq_by_hand() -> None:
    # From (1, 0.2) over (3, 0.6) to (4, 0.7), then flat to 5.
    area = 2 * 0.4 + 1 * 0.65 + 1 * 0.7
    assert metrics.aiq(COST, HEIGHT, 1.0, 5.0) == pytest.approx(area / 4)
    # A wider range: nothing can be had below 1, and above 5 it stays at 0.7.
    assert metrics.aiq(COST, HEIGHT, 0.0, 6.0) == pytest.approx((area + 0.7) / 6)
    # A range that begins between two corners.
    assert metrics.aiq(COST, HEIGHT, 2.0, 4.0) == pytest.approx((0.5 + 0.65) / 2)
    assert metrics.aiq(np.array([9.0]), np.array([0.5]), 1.0, 5.0) == 0
    assert metrics.aiq(np.array([0.5]), np.array([0.5]), 1.0, 5.0) == pytest.approx(0.5)
    assert np.isnan(metrics.aiq(COST, HEIGHT, 1.0, 1.0))


@given(points, st.tuples(st.integers(1, 30), st.integers(0, 20)))
def test_a_further_point_never_lowers_aiq(drawn: list[tuple[int, int]], point: tuple[int, int]) -> None:
    cost, height = np.array(drawn, dtype=float).T
    more = np.array([*drawn, point], dtype=float).T
    area = metrics.aiq(cost, height, 1.0, 30.0)
    assert 0 <= area <= height.max()
    assert metrics.aiq(*more, 1.0, 30.0) >= area - 1e-9


def test_pareto_front_by_hand() -> None:
    np.testing.assert_array_equal(metrics.pareto_front(COST, HEIGHT), [0, 1, 2, 3])
    np.testing.assert_array_equal(metrics.pareto_front(np.array([2.0, 1.0, 2.0]), np.array([0.5, 0.5, 0.9])), [1, 2])


def test_pareto_dist_by_hand() -> None:
    front = np.array([0.0, 1.0]), np.array([0.0, 1.0])
    # (0, 0) is on the front; (0.3, -0.4) is 0.5 from its first point, (1, 0.9) is 0.1 from its second.
    assert metrics.pareto_dist(np.array([0.0, 0.3, 1.0]), np.array([0.0, -0.4, 0.9]), *front) == pytest.approx(0.2)


@given(points)
def test_the_front_is_what_no_point_beats(drawn: list[tuple[int, int]]) -> None:
    cost, height = np.array(drawn, dtype=float).T
    front = set(metrics.pareto_front(cost, height).tolist())
    for point in range(len(cost)):
        beaten = ((cost <= cost[point]) & (height > height[point])) | ((cost < cost[point]) & (height >= height[point]))
        twin = any((cost[i], height[i]) == (cost[point], height[point]) for i in front)
        assert twin != beaten.any()
