import torch
from hypothesis import given
from hypothesis import strategies as st
from torch_geometric.nn import SimpleConv

from graphrouter.nn import DenseMeanConv


@given(seed=st.integers(0, 10**6), strength=st.sampled_from([0.5, 20.0]))
def test_it_is_what_torch_geometric_computes_over_edges(seed, strength):
    random = torch.Generator().manual_seed(seed)
    x = torch.randn((9, 5), generator=random)
    seen = torch.rand((9, 4), generator=random) < 0.6
    values = torch.randn((9, 4), generator=random) * seen
    weights = torch.rand((9, 4), generator=random) * seen
    conv = DenseMeanConv(strength)
    edges = seen.nonzero().T
    mean = SimpleConv(aggr="sum")
    sums = mean((x, torch.zeros(4, 5)), edges, edge_weight=values[seen])
    counts = mean((torch.ones(9, 1), torch.zeros(4, 1)), edges, edge_weight=weights[seen])
    torch.testing.assert_close(conv(x, values, weights), sums / (counts + strength), rtol=1e-5, atol=1e-5)


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
