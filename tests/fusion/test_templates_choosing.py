from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fusion.templates.choosing import spread


@given(st.lists(st.sampled_from(["a", "b", None]), min_size=1, max_size=30), st.integers(1, 35), st.integers(0, 3))
@settings(deadline=None, max_examples=40)
def test_tasks_get_equal_shares_as_far_as_they_go(tasks, limit, seed):
    vectors = np.random.default_rng(seed).standard_normal((len(tasks), 3)).astype(np.float32)
    rows = spread(tasks, vectors, limit, seed)
    assert len(set(rows.tolist())) == len(rows) == min(limit, len(tasks))
    assert rows.tolist() == spread(tasks, vectors, limit, seed).tolist()
    there, taken = Counter(tasks), Counter(tasks[row] for row in rows)
    most = max(taken.values())
    assert all(taken[task] == there[task] or taken[task] >= most - 1 for task in there)


def test_within_a_task_every_cluster_is_reached_and_its_centre_first():
    centres = np.eye(5)[np.repeat(np.arange(5), 20)] * 10
    vectors = (centres + np.random.default_rng(0).standard_normal((100, 5)) * 0.1).astype(np.float32)
    rows = spread(["t"] * 100, vectors, 5, 0)
    assert sorted(rows // 20) == [0, 1, 2, 3, 4]
    for row in rows:
        own = vectors[row // 20 * 20 : row // 20 * 20 + 20]
        nearest = np.linalg.norm(own - own.mean(axis=0), axis=1).argmin()
        assert row % 20 == nearest


@pytest.mark.parametrize("limit", [None, 7, 100])
def test_without_a_limit_that_binds_all_are_taken(limit):
    assert spread(["t"] * 7, np.zeros((7, 2), np.float32), limit, 0).tolist() == list(range(7))


def test_equal_vectors_are_no_obstacle():
    assert len(spread(["t"] * 7, np.zeros((7, 2), np.float32), 3, 0)) == 3
