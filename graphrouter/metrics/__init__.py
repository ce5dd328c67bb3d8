"""Metrics as plain functions of NumPy arrays; a metric's name is its function's name.

A function with the decorator `metric` is in `METRICS`, and from there in every table and report.
"""

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
from graphrouter.metrics.metric import METRICS, Metric, lower_is_better, metric, metrics_of
from graphrouter.metrics.ranking import hit_at_1, mrr, ndcg
from graphrouter.metrics.routing import (
    best_single,
    choose,
    cost,
    gain_over_best_single,
    gain_over_random,
    gap_closed,
    gap_to_oracle,
    performance,
    reward,
    taken,
)
from graphrouter.metrics.support import logged_choice

__all__ = [
    "METRICS",
    "Metric",
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
    "lower_is_better",
    "metric",
    "metrics_of",
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
