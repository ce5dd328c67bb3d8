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
    model, vectors = ItemResponse(5, 3, 4, two_parameter=False), torch.randn(6, 5)
    a, b = torch.nn.functional.softplus(model.discrimination(vectors)), model.difficulty(vectors)
    for query in range(6):
        for llm in range(4):
            expected = (a[query] * model.ability.weight[llm]).sum() - b[query, 0]
            torch.testing.assert_close(model(vectors)[query, llm], expected)


def test_two_parameter_response_is_one_half_where_ability_equals_difficulty():
    torch.manual_seed(0)
    model, vectors = ItemResponse(5, 1, 1, two_parameter=True), torch.randn(6, 5)
    with torch.no_grad():
        for query in range(6):
            model.ability.weight[:] = model.difficulty(vectors)[query]
            assert abs(model(vectors)[query, 0].item()) < 1e-6
            model.ability.weight[:] += 1
            assert model(vectors)[query, 0].item() > 0


def test_one_dimension_ranks_the_llms_alike_on_every_query():
    parts = make_parts(make_log())
    router = IRT(model="2pl", dimensions=1, learning_rate=5e-2, batch_size=32, steps=200)
    router.run = RunOptions(device="cpu")
    order = router.fit(parts.train, parts.validation).predict(parts.test.queries).quality.argsort(axis=1)
    np.testing.assert_array_equal(order, np.broadcast_to(order[0], order.shape))
