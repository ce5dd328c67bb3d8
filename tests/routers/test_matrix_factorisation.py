import torch

from graphrouter.routers.matrix_factorisation import Factors, MatrixFactorisation
from graphrouter.testing import RouterContract


class TestMatrixFactorisation(RouterContract):
    router = MatrixFactorisation(dimensions=16, learning_rate=3e-2, batch_size=32, steps=600)


def test_logit_is_the_classifier_of_the_elementwise_product():
    torch.manual_seed(0)
    factors = Factors(inputs=5, dimensions=4, llms=3, noise=0.5, dropout=0.0, members=2).eval()
    vectors = torch.randn(6, 5)
    projected = factors.project(vectors.expand(2, -1, -1))
    for llm in range(3):
        product = factors.embedding[:, None, llm] * projected
        torch.testing.assert_close(factors(vectors)[:, :, llm], factors.classifier(product)[:, :, 0])


def test_noise_is_added_in_training_only():
    factors, vectors = Factors(inputs=5, dimensions=4, llms=3, noise=0.5, dropout=0.0, members=2), torch.ones(2, 5)
    assert not torch.equal(factors.train()(vectors), factors(vectors))
    assert torch.equal(factors.eval()(vectors), factors(vectors))
