import torch
from hypothesis import given
from hypothesis import strategies as st

from graphrouter.nn import DenseMeanConv


@given(seed=st.integers(0, 10**6), strength=st.sampled_from([0.5, 20.0]))
def test_matrices_and_edges_give_the_same(seed, strength):
    random = torch.Generator().manual_seed(seed)
    x = torch.randn((9, 5), generator=random)
    seen = torch.rand((9, 4), generator=random) < 0.6
    values = torch.randn((9, 4), generator=random) * seen
    weights = torch.rand((9, 4), generator=random) * seen
    conv = DenseMeanConv(strength)
    index = seen.nonzero().T
    by_edges = conv.forward_edges(x, index, values[seen], weights[seen], llms=4)
    torch.testing.assert_close(conv(x, values, weights), by_edges, rtol=1e-5, atol=1e-5)


def test_values_by_hand():
    x = torch.tensor([[1.0, 0.0], [0.0, 2.0]])
    values = torch.tensor([[0.5, 0.0, 0.0], [-1.0, 3.0, 0.0]])
    weights = torch.tensor([[1.0, 0.0, 0.0], [2.0, 1.0, 0.0]])
    expected = torch.tensor([[0.5 / 4, -2 / 4], [0, 6 / 2], [0, 0]])
    torch.testing.assert_close(DenseMeanConv(1.0)(x, values, weights), expected)


def test_few_observations_are_shrunk_to_zero_and_many_are_not():
    x, ones = torch.ones(1000, 1), torch.ones(1000, 1)
    conv = DenseMeanConv(20.0)
    assert conv(x[:1], ones[:1], ones[:1]).item() < 0.05
    assert conv(x, ones, ones).item() > 0.95
