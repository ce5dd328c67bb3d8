"""Hyperparameters are checked when a router is made, whatever made it."""

from math import inf, nan

import numpy as np
import pytest

from graphrouter.config import make_router
from graphrouter.errors import UserError
from graphrouter.ranges import Range
from graphrouter.routers import find_router, router_names
from graphrouter.routers.base import RANGES
from graphrouter.settings import to_plain

REFUSED = [
    ("gnn", {"dropout": 3}, "gnn.dropout must be 0 or more and below 1, but is 3"),
    ("gnn", {"dropout": 1.0}, "gnn.dropout must be 0 or more and below 1, but is 1.0"),
    ("gnn", {"dropout": nan}, "gnn.dropout must be .* but is nan"),
    ("gnn", {"dropout": 1e30}, "gnn.dropout must be .* but is 1e"),
    ("gnn", {"learning_rate": -1}, "gnn.learning_rate must be above 0 and at most 1, but is -1"),
    ("gnn", {"learning_rate": 0}, "gnn.learning_rate must be above 0 and at most 1, but is 0"),
    ("gnn", {"weight_decay": -1}, "gnn.weight_decay must be 0 or more, but is -1"),
    ("gnn", {"batch_size": 0}, "gnn.batch_size must be 1 or more, but is 0"),
    ("gnn", {"steps": 0}, "gnn.steps must be 1 or more, but is 0"),
    ("gnn", {"hidden": 0}, "gnn.hidden must be 1 or more, but is 0"),
    ("gnn", {"rank": -5}, "gnn.rank must be 1 or more, but is -5"),
    ("gnn", {"patience": -1}, "gnn.patience must be 1 or more, but is -1"),
    ("gnn", {"task_strength": -1}, "gnn.task_strength must be above 0, but is -1"),
    ("gnn", {"task_dropout": 1.5}, "gnn.task_dropout must be within 0 to 1, but is 1.5"),
    ("gnn", {"scales": []}, "gnn.scales must not be empty"),
    ("gnn", {"scales": [9.0, 0.0]}, "gnn.scales must be above 0, but is 0.0"),
    ("gnn", {"terms": []}, "gnn.terms must not be empty"),
    ("gnn", {"folds": 1}, "gnn.folds must be 2 or more, but is 1"),
    ("gnn", {"members": 0}, "gnn.members must be 1 or more, but is 0"),
    ("gnn", {"neighbours": 0}, "gnn.neighbours must be 1 or more, but is 0"),
    ("gnn", {"caution": inf}, "gnn.caution must be 0 or more, but is inf"),
    ("gnn", {"loss": "sotf"}, "gnn.loss must be one of .* but is 'sotf'; did you mean 'soft'"),
    ("gnn", {"loss": "zzz"}, "must be one of soft, one_hot, listwise, regression, but is 'zzz'$"),
    ("gnn", {"relations": ["belongs_to", "similar"]}, "gnn.relations .* has 'similar'; did you mean 'similar_to'"),
    ("gnn", {"terms": ["prior", "bilinar"]}, "gnn.terms .* has 'bilinar'; did you mean 'bilinear'"),
    ("gnn", {"llm_features": ["size"]}, "gnn.llm_features must be among learned, description, but has 'size'"),
    ("gnn", {"seed": -1}, "gnn.seed must be 0 or more, but is -1"),
    ("gnn", {"hidden": "9" * 500}, "gnn.hidden must be a number, 1 or more, but is '9{79}[.]{3}$"),
    ("conv_gnn", {"conv": "sagee"}, "unknown convolution 'sagee'; did you mean 'sage'"),
    (
        "conv_gnn",
        {"conv": "gatv2", "aggregation": "mean"},
        "of gatv2 must be auto or one of attention, .*: sage, general",
    ),
    (
        "conv_gnn",
        {"conv": "sage", "aggregation": "attention"},
        "of sage must be auto or one of mean, sum, max, but is 'att",
    ),
    ("conv_gnn", {"layers": 0}, "conv_gnn.layers must be within 1 to 4, but is 0"),
    ("conv_gnn", {"layers": 5}, "conv_gnn.layers must be within 1 to 4, but is 5"),
    ("conv_gnn", {"neighbours": 0}, "conv_gnn.neighbours must be .* but is 0"),
    ("conv_gnn", {"folds": 1}, "conv_gnn.folds must be .* but is 1"),
    ("conv_gnn", {"heads": 0}, "conv_gnn.heads must be 1 or more, but is 0"),
    ("conv_gnn", {"hidden": 9}, "conv_gnn.hidden must be a multiple of heads .4., but is 9"),
    ("conv_gnn", {"mask_rate": 1.0}, "conv_gnn.mask_rate must be above 0 and below 1, but is 1.0"),
    ("conv_gnn", {"dropout": inf}, "conv_gnn.dropout must be .* but is inf"),
    ("conv_gnn", {"relations": ["similar"]}, "conv_gnn.relations .* has 'similar'; did you mean 'similar_to'"),
    ("mlp", {"hidden": -5}, "mlp.hidden must be 1 or more, but is -5"),
    ("mlp", {"batch_size": -1}, "mlp.batch_size must be 1 or more, but is -1"),
    ("irt", {"weight_decay": -1}, "irt.weight_decay must be 0 or more, but is -1"),
    ("irt", {"model": "3pl"}, "irt.model must be one of multidimensional, 2pl, but is '3pl'"),
    ("irt", {"model": "2pl", "dimensions": 2}, "dimensions of 1, but has 2"),
    ("svm", {"c": inf}, "svm.c must be above 0, but is inf"),
    ("svm", {"c": 0.0}, "svm.c must be above 0, but is 0.0"),
    ("svm", {"gamma": -1.0}, "svm.gamma must be above 0, but is -1.0"),
    ("svm", {"kernel": "rbv"}, "svm.kernel must be one of linear, rbf, but is 'rbv'; did you mean 'rbf'"),
    ("matrix_factorisation", {"noise": inf}, "matrix_factorisation.noise must be 0 or more, but is inf"),
    ("routerdc", {"width": -1}, "routerdc.width must be 1 or more, but is -1"),
    ("routerdc", {"layers": -1}, "routerdc.layers must be 1 or more, but is -1"),
    ("routerdc", {"clusters": -1}, "routerdc.clusters must be 1 or more, but is -1"),
    ("routerdc", {"other_queries": -1}, "routerdc.other_queries must be 0 or more, but is -1"),
    ("routerdc", {"temperature": 0}, "routerdc.temperature must be above 0, but is 0"),
    ("graphrouter", {"passes": -1}, "graphrouter.passes must be 1 or more, but is -1"),
    ("graphrouter", {"scenarios": ["balance"]}, "must hold performance_first"),
    ("graphrouter", {"scenarios": ["performance_first", "balence"]}, "has 'balence'; did you mean 'balance'"),
    ("routellm", {"gamma": 0.5}, "routellm.gamma must be 1 or more, but is 0.5"),
    ("routellm", {"prior": 0.0}, "routellm.prior must be above 0, but is 0.0"),
    ("knn", {"k": 0}, "knn.k must be 1 or more, but is 0"),
    ("knn", {"strength": 0.0}, "knn.strength must be above 0, but is 0.0"),
    ("knn", {"k": True}, "knn.k must be a number, 1 or more, but is True"),
    ("kmeans", {"clusters": 0}, "kmeans.clusters must be 1 or more, but is 0"),
    ("kmeans", {"nearest": 0}, "kmeans.nearest must be 1 or more, but is 0"),
    ("linear", {"penalty": 0.0}, "linear.penalty must be above 0, but is 0.0"),
    ("linear", {"penalty": 10**400}, "linear.penalty must be above 0, but is 1000000"),
    ("static_mix", {"cost_share": 0.0}, "static_mix.cost_share must be above 0 and at most 1, but is 0.0"),
    ("static_mix", {"cost_share": 1.1}, "static_mix.cost_share must be above 0 and at most 1, but is 1.1"),
    ("static_mix", {"cost_share": nan}, "static_mix.cost_share must be .* but is nan"),
    ("best_per_task", {"strength": -1.0}, "best_per_task.strength must be above 0, but is -1.0"),
]


@pytest.mark.parametrize(
    ("name", "settings", "message"), REFUSED, ids=[f"{name}-{i}" for i, (name, *_) in enumerate(REFUSED)]
)
def test_a_setting_out_of_range_is_refused_when_the_router_is_made(name, settings, message):
    with pytest.raises(UserError, match=message) as caught:
        find_router(name)(**settings)
    assert len(str(caught.value)) < 300


@pytest.mark.parametrize("name", router_names())
def test_every_setting_of_the_search_space_and_numpy_numbers_pass(name):
    for setting in find_router(name).search_space:
        router = make_router(name, to_plain(setting))
    numbers = {key: np.float64(value) for key, value in vars(router).items() if isinstance(value, float)}
    find_router(name)(**numbers)


def test_the_error_says_where_the_value_came_from():
    with pytest.raises(UserError, match=r"^mine.yaml, router knn: knn.k must be 1 or more, but is 0$"):
        make_router("knn", {"k": 0}, "mine.yaml")


@pytest.mark.parametrize(
    ("allowed", "inside", "outside", "text"),
    [
        (Range(1), [1, 1e300], [0.999, inf, nan, -inf], "1 or more"),
        (Range(0, above=True), [1e-300], [0, inf, nan], "above 0"),
        (Range(0, 1), [0, 1], [-0.1, 1.1, nan], "within 0 to 1"),
        (Range(0, 1, below=True), [0, 0.99], [1, -1], "0 or more and below 1"),
        (Range(0, 1, above=True), [0.01, 1], [0, 1.01], "above 0 and at most 1"),
    ],
)
def test_ranges_hold_what_they_say(allowed, inside, outside, text):
    assert all(value in allowed for value in inside)
    assert not any(value in allowed for value in outside)
    assert str(allowed) == text


def test_a_routers_own_range_comes_before_the_shared_one():
    assert find_router("conv_gnn").range_of("layers") == Range(1, 4)
    assert find_router("mlp").range_of("layers") == RANGES["layers"]
    assert find_router("mlp").range_of("nothing") is None


def test_a_list_of_names_can_say_how_it_differs_from_the_default():
    gnn = find_router("gnn")
    assert gnn(relations=["-similar_to"]).relations == ["belongs_to", "answered_by", "rev_answered_by"]
    assert gnn(terms=["-prior", "-bilinear"]).terms == ["neighbours", "difficulty"]
    assert gnn(llm_features=["+description"]).llm_features == ["learned", "description"]
    assert gnn(llm_features=["-learned", "+description"]).llm_features == ["description"]
    with pytest.raises(UserError, match="gnn.relations must be among .*did you mean 'similar_to'"):
        gnn(relations=["-similar"])
    with pytest.raises(UserError, match="a minus or a plus before every name"):
        gnn(relations=["-similar_to", "belongs_to"])
