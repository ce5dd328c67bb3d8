import numpy as np
import pytest
import torch

from graphrouter.routers.routerdc import DualEncoder, RouterDC, sample_llm_loss, sample_sample_loss
from graphrouter.testing import RouterContract

NAN = float("nan")


class TestRouterDC(RouterContract):
    router = RouterDC(width=16, clusters=3, temperature=0.3, learning_rate=1e-2, batch_size=32, steps=400)


def test_scores_are_cosines_over_the_temperature():
    torch.manual_seed(0)
    encoder, vectors = DualEncoder(inputs=5, width=4, layers=2, llms=3, temperature=0.5, dropout=0.0), torch.randn(6, 5)
    embedded = encoder.head(vectors)
    expected = torch.cosine_similarity(embedded[:, None], encoder.llms.weight[None], dim=2) / 0.5
    torch.testing.assert_close(encoder(vectors), expected)


@pytest.mark.parametrize(("layers", "linear"), [(1, 1), (3, 3)])
def test_head_has_as_many_linear_layers_as_asked_and_ends_with_one(layers, linear):
    head = DualEncoder(5, 4, layers, 3, 1.0, 0.0).head
    assert sum(isinstance(part, torch.nn.Linear) for part in head) == linear
    assert isinstance(head[-1], torch.nn.Linear)


def contrast(positive, *negatives):
    return -np.log(np.exp(positive) / (np.exp(positive) + sum(np.exp(value) for value in negatives)))


@pytest.mark.parametrize(
    ("performance", "expected"),
    [
        # Two positives, each against the two worst.
        ([1.0, 0.8, 0.2, 0.1], contrast(0.1, 0.3, 0.4) + contrast(0.2, 0.3, 0.4)),
        # The second best never succeeded, so it is skipped.
        ([1.0, 0.0, NAN, 0.0], contrast(0.1, 0.2, 0.4)),
        # One of the last two is more right than wrong, so it is no negative.
        ([1.0, 0.9, 0.7, 0.0], contrast(0.1, 0.4) + contrast(0.2, 0.4)),
        # Missing cells are neither positive nor negative.
        ([0.6, NAN, NAN, 0.3], contrast(0.1, 0.4) + contrast(0.4, 0.4)),
        # Nothing to tell apart.
        ([NAN, NAN, NAN, NAN], 0.0),
        ([1.0, 1.0, 1.0, 1.0], 0.0),
    ],
)
def test_sample_llm_loss_by_hand(performance, expected):
    scores = torch.tensor([[0.1, 0.2, 0.3, 0.4]])
    loss = sample_llm_loss(scores, torch.tensor([performance]), positives=2, negatives=2)
    assert loss.item() == pytest.approx(expected, abs=1e-6)


def test_sample_llm_loss_is_the_mean_over_queries_and_copes_with_few_llms():
    scores, performance = torch.tensor([[0.5, 0.1], [0.2, 0.3]]), torch.tensor([[1.0, 0.0], [0.0, 0.0]])
    loss = sample_llm_loss(scores, performance, positives=3, negatives=3)
    assert loss.item() == pytest.approx(contrast(0.5, 0.1) / 2, abs=1e-6)


def test_ties_are_broken_at_random_and_not_by_position():
    torch.manual_seed(0)
    scores = torch.zeros((400, 4), requires_grad=True)
    performance = torch.tensor([1.0, 1.0, 1.0, 0.0]).repeat(400, 1)
    sample_llm_loss(scores, performance, positives=1, negatives=1).backward()
    pulled = (scores.grad < 0).sum(dim=0)
    assert pulled[3] == 0
    assert (pulled[:3] > 90).all()


def test_sample_sample_loss_by_hand():
    embedded = torch.tensor([[1.0, 0.0], [0.6, 0.8], [0.0, 1.0]])
    loss = sample_sample_loss(embedded, torch.tensor([0, 0, 1]), negatives=1)
    # The third query has no partner and is left out.
    assert loss.item() == pytest.approx((contrast(0.6, 0.0) + contrast(0.6, 0.8)) / 2, abs=1e-6)


@pytest.mark.parametrize("clusters", [[0, 0, 0], [0, 0, 1]])
def test_sample_sample_loss_needs_enough_queries_of_other_clusters(clusters):
    embedded = torch.eye(3, requires_grad=True)
    loss = sample_sample_loss(embedded, torch.tensor(clusters), negatives=3)
    loss.backward()
    assert loss.item() == 0
    assert torch.equal(embedded.grad, torch.zeros(3, 3))


def test_no_query_is_its_own_partner():
    torch.manual_seed(0)
    embedded = torch.eye(6)
    losses = [sample_sample_loss(embedded, torch.tensor([0, 0, 0, 1, 1, 1]), negatives=1).item() for _ in range(20)]
    # All similarities to others are 0; its own would be 1 and the loss lower.
    assert losses == pytest.approx([np.log(2)] * 20, abs=1e-6)
