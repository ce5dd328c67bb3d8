import numpy as np
import pytest
from smoothing_fits import FAST, fitted

from graphrouter.routers import GNN, Smoothing
from graphrouter.testing import RouterContract, make_log, make_parts


class TestGNN(RouterContract):
    router = GNN(**FAST)


@pytest.fixture(scope="module")
def parts():
    return make_parts(make_log())


def test_for_now_it_is_the_smoothing_and_no_baseline(parts):
    mine = GNN(**FAST).fit(parts.train, parts.validation)
    quality = fitted(parts).predict(parts.test.queries).quality
    np.testing.assert_allclose(mine.predict(parts.test.queries).quality, quality, atol=1e-6)
    assert (GNN.name, GNN.baseline, Smoothing.name, Smoothing.baseline) == ("gnn", False, "smoothing", True)
