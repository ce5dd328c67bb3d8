"""Hyperparameters are checked when a router is made, whatever made it."""

from math import inf, nan
from typing import ClassVar

import numpy as np
import pytest

from graphrouter.config import make_router
from graphrouter.errors import UserError
from graphrouter.ranges import Range
from graphrouter.routers import KNN, find_router, router_names
from graphrouter.routers.base import RANGES
from graphrouter.settings import to_plain

REFUSED = [
    ("smoothing", {"dropout": 3}, "smoothing.dropout must be 0 or more and below 1, but is 3"),
    ("smoothing", {"dropout": 1.0}, "smoothing.dropout must be 0 or more and below 1, but is 1.0"),
    ("smoothing", {"dropout": nan}, "smoothing.dropout must be .* but is nan"),
    ("smoothing", {"dropout": 1e30}, "smoothing.dropout must be .* but is 1e"),
    ("smoothing", {"learning_rate": -1}, "smoothing.learning_rate must be above 0 and at most 1, but is -1"),
    ("smoothing", {"learning_rate": 0}, "smoothing.learning_rate must be above 0 and at most 1, but is 0"),
    ("smoothing", {"weight_decay": -1}, "smoothing.weight_decay must be 0 or more, but is -1"),
    ("smoothing", {"batch_size": 0}, "smoothing.batch_size must be 1 or more, but is 0"),
    ("smoothing", {"steps": 0}, "smoothing.steps must be 1 or more, but is 0"),
    ("smoothing", {"hidden": 0}, "smoothing.hidden must be 1 or more, but is 0"),
    ("smoothing", {"rank": -5}, "smoothing.rank must be 1 or more, but is -5"),
    ("smoothing", {"patience": -1}, "smoothing.patience must be 1 or more, but is -1"),
    ("smoothing", {"task_strength": -1}, "smoothing.task_strength must be above 0, but is -1"),
    ("smoothing", {"task_dropout": 1.5}, "smoothing.task_dropout must be within 0 to 1, but is 1.5"),
    ("smoothing", {"scales": []}, "smoothing.scales must not be empty"),
    ("smoothing", {"scales": [9.0, 0.0]}, "smoothing.scales must be above 0, but is 0.0"),
    ("smoothing", {"terms": []}, "smoothing.terms must not be empty"),
    ("smoothing", {"folds": 1}, "smoothing.folds must be 2 or more, but is 1"),
    ("smoothing", {"members": 0}, "smoothing.members must be 1 or more, but is 0"),
    ("smoothing", {"neighbours": 0}, "smoothing.neighbours must be 1 or more, but is 0"),
    ("smoothing", {"caution": inf}, "smoothing.caution must be 0 or more, but is inf"),
    ("smoothing", {"loss": "sotf"}, "smoothing.loss must be one of .* but is 'sotf'; did you mean 'soft'"),
    ("smoothing", {"loss": "zzz"}, "must be one of soft, one_hot, listwise, regression, but is 'zzz'$"),
    (
        "smoothing",
        {"relations": ["belongs_to", "similar"]},
        "smoothing.relations .* has 'similar'; did you mean 'similar_to'",
    ),
    ("smoothing", {"terms": ["prior", "bilinar"]}, "smoothing.terms .* has 'bilinar'; did you mean 'bilinear'"),
    (
        "smoothing",
        {"llm_features": ["size"]},
        "smoothing.llm_features must be among learned, description, but has 'size'",
    ),
    ("smoothing", {"seed": -1}, "smoothing.seed must be 0 or more, but is -1"),
    ("smoothing", {"hidden": "9" * 500}, "smoothing.hidden must be a number, 1 or more, but is '9{79}[.]{3}$"),
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
    class Own(KNN):
        ranges: ClassVar = {"strength": Range(1, 4)}

    assert Own.range_of("strength") == Range(1, 4)
    assert KNN.range_of("strength") == RANGES["strength"]
    assert find_router("mlp").range_of("layers") == RANGES["layers"]
    assert find_router("mlp").range_of("nothing") is None


def test_a_list_of_names_can_say_how_it_differs_from_the_default():
    smoothing = find_router("smoothing")
    assert smoothing(relations=["-similar_to"]).relations == ["belongs_to", "answered_by", "rev_answered_by"]
    assert smoothing(terms=["-prior", "-bilinear"]).terms == ["neighbours", "difficulty"]
    assert smoothing(llm_features=["+description"]).llm_features == ["learned", "description"]
    assert smoothing(llm_features=["-learned", "+description"]).llm_features == ["description"]
    with pytest.raises(UserError, match="smoothing.relations must be among .*did you mean 'similar_to'"):
        smoothing(relations=["-similar"])
    with pytest.raises(UserError, match="a minus or a plus before every name"):
        smoothing(relations=["-similar_to", "belongs_to"])
