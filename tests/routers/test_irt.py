from itertools import product

import numpy as np
import torch

from graphrouter.routers.irt import IRT, ItemResponse
from graphrouter.run import RunOptions
from graphrouter.testing import RouterContract, make_log, make_parts


class TestMultidimensional(RouterContract):
    router = IRT(dimensions=4, learning_rate=5e-2, batch_size=32, steps=800)


class TestTwoParameter(RouterContract):
    router = IRT(model="2pl", dimensions=1, learning_rate=5e-2, batch_size=32, steps=800)
    share_best = 0.3  # one ability for each LLM cannot tell the topics apart


def test_multidimensional_response():
    torch.manual_seed(0)
    model, vectors = ItemResponse(5, 3, 4, two_parameter=False, dropout=0.0, members=2), torch.randn(6, 5)
    rows = vectors.expand(2, -1, -1)
    a, b = torch.nn.functional.softplus(model.discrimination(rows)), model.difficulty(rows)
    for member, query, llm in product(range(2), range(6), range(4)):
        expected = (a[member, query] * model.ability[member, llm]).sum() - b[member, query, 0]
        torch.testing.assert_close(model(vectors)[member, query, llm], expected)


def test_two_parameter_response_is_one_half_where_ability_equals_difficulty():
    torch.manual_seed(0)
    model, vectors = ItemResponse(5, 1, 1, two_parameter=True, dropout=0.0, members=1), torch.randn(6, 5)
    with torch.no_grad():
        for query in range(6):
            model.ability[:] = model.difficulty(vectors[None])[0, query]
            assert abs(model(vectors)[0, query, 0].item()) < 1e-6
            model.ability[:] += 1
            assert model(vectors)[0, query, 0].item() > 0


def test_one_dimension_ranks_the_llms_alike_on_every_query():
    parts = make_parts(make_log())
    router = IRT(model="2pl", dimensions=1, learning_rate=5e-2, batch_size=32, steps=200)
    router.run = RunOptions(device="cpu")
    order = router.fit(parts.train, parts.validation).predict(parts.test.queries).quality.argsort(axis=1)
    np.testing.assert_array_equal(order, np.broadcast_to(order[0], order.shape))
