import pytest
from gnn_fits import FAST

from graphrouter.routers import GNN
from graphrouter.testing import RouterContract, make_log, make_parts


class TestGNN(RouterContract):
    router = GNN(**FAST)


@pytest.fixture(scope="module")
def parts():
    return make_parts(make_log())
