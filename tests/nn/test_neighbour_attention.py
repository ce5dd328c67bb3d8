"""Attention over similar queries, and the messages that it weighs, against slow loops of their formulas."""

import math

import pytest
import torch

from graphrouter.nn.neighbour_attention import NeighbourAttention, Neighbours
from graphrouter.nn.query_network import message

MEMBERS, HEADS, WIDTH, INPUTS, TASKS = 2, 3, 4, 5, 2


@pytest.fixture(scope="module")
def graph():
    """Seven logged queries and three asked ones with four edges each, of which one query lacks one and another all."""
    random = torch.Generator().manual_seed(0)
    known, asked = torch.randn(7, INPUTS, generator=random), torch.randn(3, INPUTS, generator=random)
    cosine = torch.rand(3, 4, generator=random)
    cosine[1, 3] = -torch.inf
    cosine[2] = -torch.inf
    rows = torch.stack([torch.randperm(7, generator=random)[:4] for _ in range(3)])
    return asked, torch.tensor([0, TASKS, 1]), known, torch.tensor([0, 1, 0, 2, 1, 0, 2]), Neighbours(rows, cosine)


def attention_of(metric):
    torch.manual_seed(1)
    attention = NeighbourAttention(MEMBERS, INPUTS, TASKS, HEADS, metric)
    with torch.no_grad():
        for weight in attention.parameters():
            weight.add_(0.5 * torch.randn_like(weight))
    return attention.double()


def slow_weights(attention, x, task, known_x, known_task, near, member, head, query):
    """Return the weights of the edges into one query and of nobody, as the formula has them."""
    columns = slice(head * WIDTH, (head + 1) * WIDTH)
    present = [edge for edge in range(4) if near.cosine[query, edge] > -math.inf]
    nearest = max((float(near.cosine[query, edge]) for edge in present), default=0.0)
    scores = [-math.inf] * 4
    for edge in present:
        row = near.rows[query, edge]
        score = attention.scale[member, head] * (near.cosine[query, edge] - nearest)
        if task[query] == known_task[row] and task[query] < TASKS:
            score = score + attention.same_task[member, head]
        if attention.metric:
            project, place = attention.project[member, :, columns], attention.task[member, :, columns]
            apart = x[query] @ project + place[task[query]] - known_x[row] @ project - place[known_task[row]]
            score = score - 0.5 * (apart**2).sum()
        scores[edge] = float(score)
    powers = [math.exp(score) for score in [*scores, float(attention.sink[member, head])]]
    return torch.tensor(powers) / sum(powers)


@pytest.mark.parametrize("metric", [0, WIDTH])
def test_weights_are_those_of_the_formula(graph, metric):
    attention = attention_of(metric)
    asked, task, known, known_task, near = graph
    inputs = (asked.double(), task, known.double(), known_task, near._replace(cosine=near.cosine.double()))
    with torch.no_grad():
        weights = attention(*inputs)
        assert weights.shape == (MEMBERS, 3, HEADS, 5)
        for member in range(MEMBERS):
            for head in range(HEADS):
                for query in range(3):
                    wanted = slow_weights(attention, *inputs, member, head, query)
                    torch.testing.assert_close(weights[member, query, head].float(), wanted, atol=1e-6, rtol=1e-5)
    assert torch.equal(weights[:, 2, :, -1], torch.ones(MEMBERS, HEADS).double()), (
        "without neighbours there is nobody else"
    )


def test_missing_cells_have_no_part_in_a_message(graph):
    near = graph[4]
    torch.manual_seed(2)
    weights = torch.softmax(torch.randn(MEMBERS, 3, HEADS, 5), dim=3)
    values, known = torch.randn(7, 2), torch.tensor([[1.0, 2.0]] * 7)
    known[near.rows[0, 1], 0] = 0
    known[near.rows[0], 1] = 0
    sent = message(weights, near, values, known)
    for member in range(MEMBERS):
        for head in range(HEADS):
            share = weights[member, 0, head]
            cells = [(share[edge], near.rows[0, edge]) for edge in range(4) if edge != 1]
            wanted = sum(w * values[row, 0] for w, row in cells) / (sum(w for w, _ in cells) + share[-1])
            torch.testing.assert_close(sent[member, 0, head, 0], wanted)
    assert not sent[:, 0, :, 1].any()
    filled = values.masked_fill(known == 0, 9.0)
    assert torch.equal(message(weights, near, filled, known)[:, 0], sent[:, 0])


def test_equal_weights_are_as_no_weights(graph):
    near = graph[4]
    torch.manual_seed(3)
    weights, values = torch.softmax(torch.randn(MEMBERS, 3, HEADS, 5), dim=3), torch.randn(7, 2)
    torch.testing.assert_close(
        message(weights, near, values, None), message(weights, near, values, torch.ones_like(values))
    )
