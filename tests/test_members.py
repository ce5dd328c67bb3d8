import torch
from torch import nn

from graphrouter.members import MemberLinear


def test_each_member_has_a_linear_layer_of_its_own():
    torch.manual_seed(0)
    layers, x = MemberLinear(3, 4, 2), torch.randn(3, 5, 4)
    for member, out in enumerate(layers(x)):
        single = nn.Linear(4, 2)
        single.load_state_dict({"weight": layers.weight[member].T, "bias": layers.bias[member, 0]})
        torch.testing.assert_close(out, single(x[member]))
    assert (layers.weight[0] - layers.weight[1]).abs().max() > 0.1


def test_zero_starts_at_zero():
    assert not MemberLinear(2, 4, 3, zero=True)(torch.ones(2, 1, 4)).any()
