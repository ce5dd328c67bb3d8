import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from graphrouter.nn import KernelConv
from graphrouter.nn.kernel_conv import ALIKE

SCALES = (25.0, 3.0)


def random_edges(seed, sizes=(5, 0, 1, 9), nodes=12):
    """Edges sorted by target; ``sizes`` says how many each target has."""
    random = np.random.default_rng(seed)
    target = np.repeat(np.arange(len(sizes)), sizes)
    source = np.concatenate([random.permutation(nodes)[:size] for size in sizes])
    attributes = np.stack([random.uniform(-1, 1, len(target)), random.integers(0, 2, len(target))], axis=1)
    x = random.normal(size=(nodes, 4))
    return [torch.as_tensor(a, dtype=torch.float32) for a in (x, attributes)], torch.as_tensor(
        np.stack([source, target])
    )


def one_by_one(x, edge_index, edge_attr, targets, boost):
    """The formula of the docstring, edge by edge."""
    sums = np.zeros((targets, len(SCALES), x.shape[1]))
    x, index, cosine, same = x.numpy(), edge_index.numpy(), edge_attr[:, 0].numpy(), edge_attr[:, 1].numpy()
    for edge, (source, target) in enumerate(index.T):
        top, floor = cosine[index[1] == target].max(), cosine[index[1] == target].min()
        cut = min((top - floor) / ALIKE, 1) if top > 0 else 1
        for row, scale in enumerate(SCALES):
            kernel = math.exp(scale * (cosine[edge] - top)) - cut * math.exp(scale * (floor - top))
            sums[target, row] += kernel * (boost if same[edge] else 1) * x[source]
    return sums


@given(seed=st.integers(0, 10**6), boost=st.sampled_from([1.0, 2.0, 0.0]))
def test_it_equals_the_formula_edge_by_edge(seed, boost):
    (x, attributes), index = random_edges(seed)
    actual = KernelConv(SCALES, boost)(x, index, attributes, 4)
    np.testing.assert_allclose(actual, one_by_one(x, index, attributes, 4, boost), rtol=1e-4, atol=1e-5)


def test_it_equals_message_passing_edge_by_edge():
    (x, attributes), index = random_edges(1)
    fused, unfused = KernelConv(SCALES, 2.0), KernelConv(SCALES, 2.0)
    assert fused.fuse
    unfused.fuse = False
    expected = unfused(x, index, attributes, 4)
    assert expected.abs().sum() > 1
    torch.testing.assert_close(fused(x, index, attributes, 4), expected)


def test_a_target_without_neighbours_gets_zero():
    (x, attributes), index = random_edges(2, sizes=(0, 3, 0))
    sums = KernelConv(SCALES)(x, index, attributes, 3)
    assert sums.shape == (3, 2, 4)
    assert (sums[[0, 2]] == 0).all()
    assert (sums[1] != 0).all()


def nearest(cosine, count):
    """The sum over the ``count`` nearest of these, where each sends a message of its own."""
    order = np.argsort(-cosine)[:count]
    attributes = torch.tensor([[cosine[row], row % 2] for row in order], dtype=torch.float32)
    index = torch.tensor([order.tolist(), [0] * len(order)])
    return KernelConv(SCALES, 2.0)(torch.eye(len(cosine)), index, attributes, 1)[0]


@pytest.mark.parametrize("step", [1e-3, 1e-4])
def test_the_sum_does_not_jump_when_a_query_enters_the_list(step):
    others = np.array([0.9, 0.8, 0.7, 0.6, 0.5])
    outside = nearest(np.append(others, 0.5 - step), 5)
    inside = nearest(np.append(others, 0.5 + step), 5)
    assert (inside - outside).abs().max() < 10 * step
    assert (nearest(np.append(others, 0.65), 5)[:, 5] > 0).all(), "nearer, it must count"


@pytest.mark.parametrize(
    ("cosine", "weight"),
    [([0.4], 1), ([0.4] * 3, 1), ([1.0, 1 - 6e-8, 1.0], 1), ([0.0] * 3, 0), ([-0.2], 0), ([0.4, 0.4 - ALIKE / 2], 0.5)],
    ids=["one", "ties", "ties but for rounding", "nothing in common", "an opposite", "nearly ties"],
)
def test_neighbours_that_are_equally_similar_all_count(cosine, weight):
    weights = nearest(np.array(cosine), len(cosine)) / torch.tensor([1.0, 2.0, 1.0])[: len(cosine)]
    torch.testing.assert_close(weights, torch.full_like(weights, weight), rtol=0.02, atol=1e-6)


def test_a_wider_kernel_counts_more_neighbours():
    weights = nearest(np.linspace(0.9, 0.1, 9), 9)
    share = weights / weights.sum(dim=1, keepdim=True)
    assert share[0, 0] > 0.8 > 0.5 > share[1, 0]
