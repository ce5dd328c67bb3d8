import numpy as np
import pytest
import torch

from graphrouter.nearest import first, similarities, within


@pytest.fixture
def vectors():
    made = np.random.default_rng(0).normal(size=(20, 4))
    return made / np.linalg.norm(made, axis=1, keepdims=True)


@pytest.mark.parametrize("block", [1, 7, 100])
@pytest.mark.parametrize("kind", [np.asarray, torch.as_tensor])
def test_blocks_are_all_cosines_but_those_of_the_same_text_group(vectors, block, kind):
    groups = np.arange(20) // 2
    parts = list(similarities(kind(vectors), kind(vectors), kind(groups), kind(groups), block=block))
    whole = np.concatenate([np.asarray(cosines) for _, cosines in parts])
    expected = np.where(groups[:, None] == groups, -np.inf, vectors @ vectors.T)
    np.testing.assert_allclose(whole, expected, atol=1e-12)
    assert [row for part, _ in parts for row in range(*part.indices(20))] == list(range(20))


def test_without_groups_and_with_decimals(vectors):
    ((_, cosines),) = similarities(vectors, vectors, block=20, decimals=2)
    np.testing.assert_array_equal(cosines, (vectors @ vectors.T).round(2))


@pytest.mark.parametrize("count", [0, 1, 3, 5, 6, 99])
def test_the_largest_come_first_and_of_equal_ones_the_first(count):
    values = np.array([0.5, 0.9, 0.5, -np.inf, 0.9, 0.5])
    assert first(values, count).tolist() == [1, 4, 0, 2, 5, 3][:count]


@pytest.mark.parametrize("block", [1, 7, 100])
def test_rows_within_a_cosine(vectors, block):
    close = vectors @ vectors.T >= 0.5
    assert [rows.tolist() for rows in within(vectors, vectors, 0.5, block=block)] == [
        np.flatnonzero(line).tolist() for line in close
    ]
    assert [rows.tolist() for rows in within(vectors, vectors, 0.5, block=block, earlier=True)] == [
        np.flatnonzero(line[:row]).tolist() for row, line in enumerate(close)
    ]
