"""RouteLLM's metrics against values computed by hand."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from graphrouter.metrics import apgr, call_curve, cpt, gap_recovered

WEAK, STRONG = np.array([0.0, 1.0, 0.0, 1.0]), np.array([1.0, 1.0, 1.0, 0.0])
"""Two queries that only the strong LLM solves, one that both solve, one that only the weak one does: 0.5 and 0.75."""


def test_the_best_order_of_four_queries() -> None:
    curve = call_curve(np.array([4.0, 2.0, 3.0, 1.0]), WEAK, STRONG, points=5)
    assert curve.tolist() == [0.5, 0.75, 1.0, 1.0, 0.75]
    assert gap_recovered(curve).tolist() == [0, 1, 2, 2, 1]
    assert apgr(curve) == pytest.approx((0.5 + 1.5 + 2 + 1.5) / 4)
    assert (float(cpt(curve, 0.5)), float(cpt(curve, 0.8))) == pytest.approx((0.125, 0.2))


def test_the_worst_order_falls_before_it_rises() -> None:
    curve = call_curve(np.array([1.0, 2.0, 3.0, 4.0]), WEAK, STRONG, points=5)
    assert curve.tolist() == [0.5, 0.25, 0.5, 0.5, 0.75]
    assert apgr(curve) == pytest.approx((-0.5 - 0.5 + 0 + 0.5) / 4)
    assert (float(cpt(curve, 0.5)), float(cpt(curve, 1.0))) == pytest.approx((0.875, 1.0))


def test_no_preference_is_random_routing() -> None:
    curve = call_curve(np.zeros(4), WEAK, STRONG)
    assert curve == pytest.approx(np.linspace(0.5, 0.75, 101))
    assert (float(apgr(curve)), float(cpt(curve, 0.5)), float(cpt(curve, 0.8))) == pytest.approx((0.5, 0.5, 0.8))


def test_a_tie_of_some_queries_is_a_straight_piece() -> None:
    curve = call_curve(np.array([1.0, 0.0, 1.0, 0.0]), WEAK, STRONG, points=5)
    assert curve.tolist() == [0.5, 0.75, 1.0, 0.875, 0.75]


def test_a_weight_counts_as_copies_of_the_query() -> None:
    score, weights = np.array([4.0, 2.0, 3.0, 1.0]), np.array([2, 0, 1, 3])
    twice = [np.repeat(values, weights) for values in (score, WEAK, STRONG)]
    both = call_curve(score, WEAK, STRONG, np.stack([weights, np.ones(4)]), points=7)
    assert both[0] == pytest.approx(call_curve(*twice, points=7))
    assert both[1] == pytest.approx(call_curve(score, WEAK, STRONG, points=7))
    assert cpt(both, 0.5).shape == apgr(both).shape == (2,)


def test_a_gap_that_is_none_has_no_share() -> None:
    curve = call_curve(np.arange(4.0), STRONG, WEAK)
    assert np.isnan([apgr(curve), cpt(curve, 0.5)]).all()
    assert np.isnan(call_curve(np.arange(4.0), WEAK, STRONG, np.zeros(4))).all()


@given(st.lists(st.tuples(st.floats(-1, 1), st.floats(0, 1), st.floats(0, 1)), min_size=1, max_size=20))
def test_ends_are_the_llms_alone_and_cpt_grows_with_the_level(rows: list[tuple[float, float, float]]) -> None:
    score, weak, strong = np.array(rows).T
    curve = call_curve(score, weak, strong)
    assert (curve[0], curve[-1]) == pytest.approx((weak.mean(), strong.mean()))
    if strong.mean() > weak.mean() + 1e-6:
        found = [float(cpt(curve, level)) for level in (0.2, 0.5, 0.8, 1.0)]
        assert found == sorted(found)
        assert 0 <= found[0] <= found[-1] <= 1
