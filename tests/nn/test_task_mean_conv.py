import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from graphrouter.nn import TaskMeanConv
from graphrouter.nn.task_mean_conv import RIDGE

STRENGTH = 10.0


def run(values, tasks, *, logistic=True, weights=None, strength=STRENGTH):
    """Return [T + 1, M] for outcomes [Q, M], NaN where missing, and the tasks [Q], None where not known."""
    values = np.array(values, dtype=np.float32)
    weights = ~np.isnan(values) * (1.0 if weights is None else np.array(weights, dtype=np.float32))
    member = [(row, task) for row, task in enumerate(tasks) if task is not None]
    index = torch.tensor(member, dtype=torch.int64).reshape(-1, 2).T
    given = (torch.as_tensor(array, dtype=torch.float32) for array in (np.nan_to_num(values), weights))
    return TaskMeanConv(strength, logistic=logistic)(*given, index, 1 + max((t for _, t in member), default=-1)).numpy()


def random_log(seed, queries=400, tasks=4, llms=5, missing=0.3):
    random = np.random.default_rng(seed)
    task = np.arange(queries) % tasks
    chance = 1 / (1 + np.exp(-random.normal(size=(tasks, 1)) - random.normal(size=llms)))
    values = (random.random((queries, llms)) < chance[task]).astype(np.float32)
    values[random.random(values.shape) < missing] = np.nan
    return values, task


def sums_and_counts(values, task):
    tasks = range(task.max() + 1)
    return (
        np.stack([np.nansum(values[task == t], axis=0) for t in tasks]),
        np.stack([(~np.isnan(values[task == t])).sum(axis=0) for t in tasks]),
    )


def expectation(means, sums, counts):
    """Solve mu = (sums + k pi) / (counts + k) for pi."""
    return (means[:-1] * (counts + STRENGTH) - sums) / STRENGTH


def interaction(table):
    """What row and column do not say separately."""
    return table - table.mean(axis=0) - table.mean(axis=1, keepdims=True) + table.mean()


@pytest.mark.parametrize("seed", [0, 1, 2])
@pytest.mark.parametrize("logistic", [True, False])
def test_the_mean_is_shrunk_to_the_additive_model_of_greatest_likelihood(seed, logistic):
    values, task = random_log(seed)
    sums, counts = sums_and_counts(values, task)
    means = run(values, task, logistic=logistic)
    expected = expectation(means, sums, counts)
    additive = np.log(expected / (1 - expected)) if logistic else expected
    np.testing.assert_allclose(interaction(additive), 0, atol=1e-3)
    residual = sums - counts * expected
    np.testing.assert_allclose(residual.sum(axis=1), 0, atol=0.1)  # the score equation of each task
    llm = additive.mean(axis=0) - additive.mean(axis=0).mean()
    pull = residual.sum(axis=0) / RIDGE if logistic else np.zeros_like(llm)
    np.testing.assert_allclose(pull - pull.mean(), llm * logistic, atol=0.05)  # and of each LLM, with its ridge
    if not logistic:
        np.testing.assert_allclose(residual.sum(axis=0), 0, atol=0.02)


def test_with_many_observations_it_is_the_mean():
    values = np.zeros((4000, 2))
    values[:1000, 0] = values[2500:, 1] = 1  # a pair of task and LLM that no additive model fits
    means = run(values, np.repeat([0, 1], 2000))
    np.testing.assert_allclose(means[:2], [[0.5, 0], [0, 0.75]], atol=0.01)


def test_with_few_observations_it_is_the_additive_expectation():
    random = np.random.default_rng(0)
    values = np.full((400, 3), np.nan)
    values[:200, :2] = random.random((200, 2)) < [0.9, 0.7]  # an easy task
    values[200:, :2] = random.random((200, 2)) < [0.3, 0.1]  # and a hard one
    values[:30, 2] = random.random(30) < 0.8  # a new LLM that was asked only easy queries
    means = run(values, np.repeat([0, 1], 200))
    naive = np.nanmean(values[:30, 2])
    assert means[1, 1] < means[1, 2] < means[1, 0] + 0.05, "on the hard task it must be between the two like it"
    assert means[1, 2] < naive - 0.3, "and not what it was on the easy one"


def test_missing_cells_are_not_zeros():
    values = np.ones((40, 2))
    values[::2, 1] = np.nan
    np.testing.assert_allclose(run(values, [0] * 40), 1, atol=0.02)
    np.testing.assert_allclose(run(3 * values, [0] * 40, logistic=False), 3, atol=0.05)


def test_the_last_row_is_the_overall_mean_of_each_llm():
    means = run([[1, 0], [0, np.nan], [1, 0.5]], [0, None, 1], logistic=False)
    grand = 2.5 / 5
    np.testing.assert_allclose(means[-1], [(2 + grand) / 4, (0.5 + grand) / 3])
    assert means.shape == (3, 2)


def test_a_query_without_a_task_counts_for_the_overall_mean_only():
    without = run([[1, 0], [0, 1]], [0, 0], logistic=False)
    more = run([[1, 0], [0, 1], [1, 1]], [0, 0, None], logistic=False)
    assert (more[-1] > without[-1]).all()
    np.testing.assert_allclose(more[0], without[0], atol=0.01)


@given(st.integers(0, 10**6))
def test_a_weight_counts_as_so_many_equal_outcomes(seed):
    random = np.random.default_rng(seed)
    values, weights, task = random.random((6, 3)), random.integers(1, 4, 6), np.arange(6) % 2
    by_weight = run(values, task, weights=weights[:, None])
    repeated = run(np.repeat(values, weights, axis=0), np.repeat(task, weights))
    np.testing.assert_allclose(by_weight, repeated, atol=1e-5)


@pytest.mark.parametrize("logistic", [True, False])
def test_values_beyond_one_keep_their_scale_and_probabilities_their_range(logistic):
    values = np.array([[5.0, 7.0], [6.0, 8.0]] * 50) if not logistic else np.array([[1.0, 0.0]] * 100)
    means = run(values, [0] * 100, logistic=logistic)
    wanted = values.mean(axis=0)
    np.testing.assert_allclose(means[0], wanted, atol=0.01)
    assert ((means > 0) & (means < 1)).all() == logistic


@pytest.mark.parametrize("tasks", [[None, None], [0, 0]])
def test_nothing_observed_gives_numbers(tasks):
    means = run([[math.nan, math.nan]] * 2, tasks)
    assert np.isfinite(means).all()
