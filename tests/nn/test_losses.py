import math

import numpy as np
import pytest
import torch

from graphrouter.nn.losses import LOSSES, listwise, one_hot, output_cost_loss, regression, soft

TARGET = torch.tensor([[1.0, 0.25, 0.0], [1.0, 1.0, 0.0]])
WEIGHT = torch.tensor([[[1.0, 2.0, 0.0], [1.0, 1.0, 1.0]]])
LOGITS = torch.tensor([[[0.5, -1.0, 9.0], [2.0, 0.0, -0.3]]])


def entropy(logit, target):
    chance = 1 / (1 + math.exp(-logit))
    return -target * math.log(chance) - (1 - target) * math.log(1 - chance)


def softmax_entropy(logits, best):
    total = math.log(sum(math.exp(logit) for logit in logits))
    return sum(total - logits[place] for place in best) / len(best)


def approx(value):
    return pytest.approx(value, rel=1e-5)


def test_soft_is_the_weighted_mean_of_cross_entropies():
    first = entropy(0.5, 1) + 2 * entropy(-1, 0.25)
    second = entropy(2, 1) + entropy(0, 1) + entropy(-0.3, 0)
    assert soft(LOGITS, TARGET, WEIGHT).item() == approx((first + second) / 6)


def test_one_hot_takes_the_first_best_of_the_observed():
    first = entropy(0.5, 1) + 2 * entropy(-1, 0)
    second = entropy(2, 1) + entropy(0, 0) + entropy(-0.3, 0)
    assert one_hot(LOGITS, TARGET, WEIGHT).item() == approx((first + second) / 6)
    hidden = torch.tensor([[[0.0, 1.0, 1.0], [0.0, 0.0, 1.0]]])  # the best are missing
    first = entropy(-1, 1) + entropy(9, 0)
    assert one_hot(LOGITS, TARGET, hidden).item() == approx((first + entropy(-0.3, 1)) / 3)


def test_listwise_lets_ties_share():
    ranking = (softmax_entropy([0.5, -1], [0]) + softmax_entropy([2, 0, -0.3], [0, 1])) / 2
    expected = soft(LOGITS, TARGET, WEIGHT).item() + ranking
    assert listwise(LOGITS, TARGET, WEIGHT).item() == approx(expected)


def test_a_query_of_which_all_outcomes_tie_says_nothing_of_ranks():
    tied = torch.tensor([[1.0, 0.25, 0.0], [1.0, 1.0, 1.0]])
    ranking = softmax_entropy([0.5, -1], [0])
    assert listwise(LOGITS, tied, WEIGHT).item() == approx(soft(LOGITS, tied, WEIGHT).item() + ranking)
    nothing = torch.zeros(2, 3)
    assert listwise(LOGITS, nothing, WEIGHT).item() == approx(soft(LOGITS, nothing, WEIGHT).item())


def test_regression_is_the_weighted_mean_of_squared_errors():
    chance = 1 / (1 + np.exp(-LOGITS.numpy()))
    expected = (WEIGHT.numpy() * (chance - TARGET.numpy()) ** 2).sum() / 6
    assert regression(LOGITS, TARGET, WEIGHT).item() == approx(expected)


@pytest.mark.parametrize("name", LOSSES)
def test_missing_cells_have_no_say(name):
    logits = LOGITS.clone().requires_grad_()
    loss = LOSSES[name](logits, TARGET, WEIGHT)
    loss.backward()
    assert logits.grad[0, 0, 2] == 0
    assert (logits.grad[WEIGHT > 0] != 0).all()
    other_target, other_logits = TARGET.clone(), LOGITS.clone()
    other_target[0, 2], other_logits[0, 0, 2] = 1.0, -5.0
    torch.testing.assert_close(LOSSES[name](other_logits, other_target, WEIGHT), loss.detach())


@pytest.mark.parametrize("name", LOSSES)
def test_a_batch_without_any_outcome_teaches_nothing(name):
    logits = LOGITS.clone().requires_grad_()
    LOSSES[name](logits, TARGET, torch.zeros_like(WEIGHT)).backward()
    assert (logits.grad == 0).all(), "a NaN would spoil all weights"


@pytest.mark.parametrize("name", LOSSES)
def test_members_are_averaged_and_weighed_on_their_own(name):
    logits = torch.cat([LOGITS, LOGITS.flip(2)])
    apart = [LOSSES[name](logits[[one]], TARGET, WEIGHT).item() for one in range(2)]
    both = LOSSES[name](logits, TARGET, WEIGHT.expand(2, -1, -1)).item()
    assert both == approx(sum(apart) / 2)
    unequal = torch.cat([WEIGHT, 1e-9 * WEIGHT])
    if name != "listwise":  # its ranks have no weights
        assert LOSSES[name](logits, TARGET, unequal).item() == approx(apart[0])


@pytest.mark.parametrize("name", LOSSES)
def test_the_right_order_costs_less_than_the_wrong_one(name):
    right = torch.tensor([[[3.0, -1.0, -3.0], [3.0, 3.0, -3.0]]])
    assert LOSSES[name](right, TARGET, WEIGHT) < LOSSES[name](-right, TARGET, WEIGHT)


def test_output_cost_loss_is_the_mean_deviance_over_known_output_costs():
    log_output_cost = torch.tensor([[0.5, -1.0], [7.0, 0.0]], requires_grad=True)
    loss = output_cost_loss(log_output_cost, torch.tensor([[2.0, 0.3], [math.nan, 0.0]]))
    expected = (2 * math.exp(-0.5) + 0.5 + 0.3 * math.e - 1 + 0) / 3
    assert loss.item() == approx(expected)
    loss.backward()
    slope = [[(1 - 2 * math.exp(-0.5)) / 3, (1 - 0.3 * math.e) / 3], [0, 1 / 3]]
    torch.testing.assert_close(log_output_cost.grad, torch.tensor(slope))


def test_output_cost_loss_is_least_at_the_mean():
    output_costs = torch.tensor([[0.1, 0.2, 0.3, 4.0]])
    losses = {
        value: output_cost_loss(torch.full((1, 4), math.log(value)), output_costs) for value in (0.25, 1.0, 1.15, 1.3)
    }
    assert min(losses, key=losses.get) == 1.15 == approx(output_costs.mean().item())


def test_where_no_output_cost_is_known_the_loss_teaches_nothing():
    log_output_cost = torch.zeros(2, 2, requires_grad=True)
    output_cost_loss(log_output_cost, torch.full((2, 2), math.nan)).backward()
    assert (log_output_cost.grad == 0).all()
