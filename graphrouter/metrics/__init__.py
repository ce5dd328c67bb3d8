"""Metrics as plain functions of NumPy arrays; a metric's name is its function's name."""

from graphrouter.metrics.calls import apgr, call_curve, cpt, gap_recovered
from graphrouter.metrics.edges import auroc, brier, calibration_error, nll, reliability
from graphrouter.metrics.hull import (
    aiq,
    cost_saving,
    gain_over_mix,
    mix_performance,
    pareto_dist,
    pareto_front,
    performance_gain,
    single_points,
    upper_hull,
)
from graphrouter.metrics.ranking import hit_at_1, mrr, ndcg
from graphrouter.metrics.routing import (
    best_single,
    choose,
    cost,
    gain_over_best_single,
    gain_over_random,
    gap_closed,
    gap_to_oracle,
    logged_choice,
    performance,
    reward,
    taken,
)

EDGE_METRICS = ("nll", "auroc", "brier", "calibration_error")
"""Of the predicted quality; the same in every scenario."""

SCENARIO_METRICS = (
    "performance",
    "cost",
    "reward",
    "gain_over_best_single",
    "gain_over_random",
    "gap_to_oracle",
    "gap_closed",
    "gain_over_mix",
    "hit_at_1",
    "mrr",
    "ndcg",
    "logged_choice",
)
"""Of the choices made for a scenario. All but the last need a log in which queries have outcomes of several LLMs."""

CURVE_METRICS = ("aiq", "performance_gain", "cost_saving", "pareto_dist")
"""Of the cost-quality curve; the same in every scenario."""

LOWER_IS_BETTER = frozenset({"nll", "brier", "calibration_error", "cost", "gap_to_oracle", "pareto_dist"})
"""The metrics whose best value is the lowest. Of all others it is the highest."""

__all__ = [
    "CURVE_METRICS",
    "EDGE_METRICS",
    "LOWER_IS_BETTER",
    "SCENARIO_METRICS",
    "aiq",
    "apgr",
    "auroc",
    "best_single",
    "brier",
    "calibration_error",
    "call_curve",
    "choose",
    "cost",
    "cost_saving",
    "cpt",
    "gain_over_best_single",
    "gain_over_mix",
    "gain_over_random",
    "gap_closed",
    "gap_recovered",
    "gap_to_oracle",
    "hit_at_1",
    "logged_choice",
    "mix_performance",
    "mrr",
    "ndcg",
    "nll",
    "pareto_dist",
    "pareto_front",
    "performance",
    "performance_gain",
    "reliability",
    "reward",
    "single_points",
    "taken",
    "upper_hull",
]
