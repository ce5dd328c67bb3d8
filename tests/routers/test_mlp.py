from dataclasses import replace

import numpy as np
import pytest
import torch

from graphrouter.metrics import nll
from graphrouter.routers.mlp import MLP
from graphrouter.routers.parts.logits import quality_of
from graphrouter.run import RunOptions
from graphrouter.testing import RouterContract, make_log, make_parts


class TestMLP(RouterContract):
    router = MLP(hidden=16, learning_rate=3e-2, batch_size=32, steps=600, members=2)


def fitted_on(parts, **settings):
    router = MLP(
        **{
            "hidden": 16,
            "learning_rate": 3e-2,
            "batch_size": 32,
            "steps": 600,
            "dropout": 0.0,
            "members": 1,
            **settings,
        }
    )
    router.run = RunOptions(device="cpu")
    return router.fit(parts.train, parts.validation)


def test_layers_are_as_asked():
    module = MLP().build(inputs=5, hidden=7, layers=2, dropout=0.5, llms=3, members=4)
    shapes = [tuple(layer.weight.shape) for layer in (*module.hidden, module.out)]
    assert shapes == [(4, 5, 7), (4, 7, 7), (4, 7, 3)]
    assert module(torch.zeros(6, 5)).shape == (4, 6, 3)


def test_members_differ_and_their_probabilities_are_averaged():
    parts = make_parts(make_log())
    router = fitted_on(parts, members=3)
    members = quality_of(router.logits(parts.test.queries))
    assert np.abs(members[0] - members[1]).max() > 1e-3
    np.testing.assert_allclose(router.predict(parts.test.queries).quality, members.mean(axis=0), rtol=1e-6)


def test_validation_judges_the_mean_of_the_members():
    parts, seen = make_parts(make_log()), []
    router = MLP(hidden=8, steps=20, patience=20, members=2, learning_rate=1e-2)
    router.run = RunOptions(device="cpu", on_evaluation=lambda _, row: seen.append(row["validation_loss"]))
    router.fit(parts.train, parts.validation)
    judged = nll(router.predict(parts.validation.queries).quality, parts.validation.performance)
    assert seen == [pytest.approx(float(judged), rel=1e-4)]


def test_values_of_missing_cells_have_no_influence():
    parts = make_parts(make_log(missing=0.3))
    noisy = replace(parts.train, performance=np.where(parts.train.observed, parts.train.performance, 0.77).astype("f"))
    expected = fitted_on(parts).predict(parts.test.queries).quality
    again = fitted_on(parts._replace(train=noisy)).predict(parts.test.queries).quality
    np.testing.assert_array_equal(again, expected)


def test_graded_outcomes_are_learnt_as_probabilities():
    parts = make_parts(make_log())
    graded = [replace(part, performance=np.full_like(part.performance, 0.3)) for part in parts]
    quality = fitted_on(type(parts)(*graded)).predict(parts.test.queries).quality
    np.testing.assert_allclose(quality, 0.3, atol=0.03)


def test_extreme_logits_stay_within_the_open_interval():
    quality = quality_of(np.array([[-200.0, 0.0, 200.0]], dtype=np.float32))
    assert quality.dtype == np.float32
    assert 0 < quality[0, 0] < 1e-5
    assert quality[0, 1] == 0.5
    assert 1 - 1e-5 < quality[0, 2] < 1
