import math
from dataclasses import replace

import numpy as np
import pytest
import torch

from graphrouter.graph import NEW, attach, build
from graphrouter.nn import OutcomeMessages
from graphrouter.nn.messages import HISTORY_STRENGTH, NEIGHBOUR_STRENGTH, MessageOptions
from graphrouter.routers import Smoothing
from graphrouter.testing import data_of

NAN = math.nan
RELATIONS = Smoothing().relations
SCALES = (20.0, 4.0)
TASKS = ["art", "biology"]
PERFORMANCE, OUTPUT_COST = 0, 1


def random_data(seed=0, queries=30, llms=4, tasks=("art", "biology", None)):
    random = np.random.default_rng(seed)
    performance = random.random((queries, llms)).round(2)
    performance[random.random(performance.shape) < 0.2] = np.nan
    cost = np.where(random.random(performance.shape) < 0.3, np.nan, random.random(performance.shape))
    return data_of(
        performance,
        cost=np.where(np.isnan(performance), np.nan, cost),
        vectors=random.normal(size=(queries, 6)),
        tasks=random.choice(np.array(tasks, dtype=object), queries).tolist(),
    )


def run(data, new, tasks=TASKS, neighbours=8, output_cost=None, without=()):
    """Return what was precomputed, the attached graph, and the messages to new queries."""
    relations = [name for name in RELATIONS if name not in without]
    module = OutcomeMessages(relations, MessageOptions(SCALES, 2.0, 5.0))
    graph = build(data, tasks, module.edge_types(), neighbours, torch.device("cpu"))
    values = torch.as_tensor(
        np.stack([data.performance, data.cost if output_cost is None else output_cost]), dtype=torch.float32
    )
    weights = torch.as_tensor(data.draws, dtype=torch.float32) * ~values.isnan()
    precomputed = module.precompute(graph, values.nan_to_num(0), weights)
    attached = attach(graph, new.queries, module.edge_types())
    return precomputed, attached, module(precomputed, attached)


@pytest.fixture(scope="module")
def data():
    return random_data()


@pytest.fixture(scope="module")
def new():
    data = random_data(1, queries=12)
    return replace(data, queries=replace(data.queries, groups=100 + data.queries.groups))


def edges_into(attached, query):
    """Rows, kernel weights [H, K] as `KernelConv` says, of the neighbours of a new query."""
    edges = attached["query", "similar_to", NEW]
    here = edges.edge_index[1] == query
    cosine = edges.edge_attr[here, 0].double().numpy()
    tasks = attached["query"].task[edges.edge_index[0][here]].numpy()
    same = (tasks == attached[NEW].task[query].item()) & (tasks < len(TASKS))
    scale = np.array(SCALES)[:, None]
    kernel = np.exp(scale * (cosine - cosine.max())) - np.exp(scale * (cosine.min() - cosine.max()))
    return edges.edge_index[0][here].numpy(), kernel * (1 + same)


def test_shapes(data, new):
    precomputed, _, messages = run(data, new)
    assert precomputed.means.shape == (2, 3, 4)
    assert precomputed.history.shape == (4, 6)
    assert messages.prior.shape == (2, 12, 4)
    assert messages.residual.shape == (2, 12, 2, 4)


def test_the_prior_is_what_the_task_expects(data, new):
    precomputed, attached, messages = run(data, new)
    known = attached["new_query"].task < 2
    assert known.any()
    assert torch.equal(messages.prior[:, known], precomputed.means[:, attached["new_query"].task[known]])


@pytest.mark.parametrize("attribute", [PERFORMANCE, OUTPUT_COST])
def test_the_residual_is_how_the_neighbours_differ_from_their_tasks(data, new, attribute):
    precomputed, attached, messages = run(data, new)
    values = (data.performance, data.cost)[attribute]
    expected = precomputed.means[attribute].numpy()[attached["query"].task]
    differs, seen = np.nan_to_num(values - expected), ~np.isnan(values)
    for query in range(len(new.queries)):
        rows, kernel = edges_into(attached, query)
        wanted = (kernel @ differs[rows]) / (kernel @ seen[rows] + NEIGHBOUR_STRENGTH)
        np.testing.assert_allclose(messages.residual[attribute, query], wanted, atol=1e-5)


def test_a_query_without_a_known_task_expects_what_its_neighbours_do(data, new):
    precomputed, attached, messages = run(data, new)
    expected, overall = precomputed.means[:, attached["query"].task].numpy(), precomputed.means[:, -1].numpy()
    unknown = np.flatnonzero(attached["new_query"].task == 2)
    assert len(unknown) > 1
    for query in unknown:
        rows, kernel = edges_into(attached, query)
        share = kernel.mean(axis=0)
        wanted = (np.einsum("k,akm->am", share, expected[:, rows]) + overall) / (share.sum() + 1)
        np.testing.assert_allclose(messages.prior[:, query], wanted, atol=1e-5)
        assert np.abs(wanted - overall).max() > 0.01


def test_the_history_of_an_llm_is_what_it_was_better_at_than_expected(data, new):
    precomputed, attached, _ = run(data, new)
    expected = precomputed.means[PERFORMANCE].numpy()[attached["query"].task]
    differs, seen = np.nan_to_num(data.performance - expected), data.observed
    direction = (differs.T @ attached["query"].unit.numpy()) / (seen.sum(axis=0)[:, None] + HISTORY_STRENGTH)
    ratio = precomputed.history.numpy() / direction  # but for one scale for all
    np.testing.assert_allclose(ratio, ratio[0, 0], rtol=1e-3)


def test_without_belongs_to_every_query_expects_the_overall_mean(data, new):
    precomputed, attached, messages = run(data, new, tasks=[], without=["belongs_to"])
    assert precomputed.means.shape == (2, 1, 4)
    assert torch.equal(messages.prior, precomputed.means.expand(-1, 12, -1))
    differs = np.nan_to_num(data.performance - precomputed.means[PERFORMANCE].numpy())
    np.testing.assert_allclose(precomputed.columns[:, :4].numpy(), differs, atol=1e-6)
    assert attached["task"].num_nodes == 0
    assert not torch.equal(run(data, new)[2].prior, messages.prior)


def test_without_similar_to_there_are_no_edges_and_no_channels(data, new):
    precomputed, attached, messages = run(data, new, without=["similar_to"])
    assert messages.residual.shape == (2, 12, 0, 4)
    assert not any(NEW in relation for relation in attached.edge_types)
    unknown = attached["new_query"].task == 2
    assert torch.equal(messages.prior[:, unknown], precomputed.means[:, -1:].expand(-1, int(unknown.sum()), -1))
    assert torch.equal(precomputed.history, run(data, new)[0].history)


def test_without_answered_by_llms_have_no_history(data, new):
    precomputed, _, messages = run(data, new, without=["answered_by"])
    whole, _, unchanged = run(data, new)
    assert precomputed.history.shape == (4, 0)
    assert whole.history.shape == (4, 6)
    assert torch.equal(messages.prior, unchanged.prior)
    assert torch.equal(messages.residual, unchanged.residual)


def test_only_relations_whose_operator_reads_edges_are_built(data, new):
    _, attached, _ = run(data, new)
    assert set(attached.edge_types) == {("query", "belongs_to", "task"), ("query", "similar_to", NEW)}


def test_without_its_task_a_query_is_as_one_that_never_had_one(data, new):
    module = OutcomeMessages(RELATIONS, MessageOptions(SCALES, 2.0, 5.0))
    graph = build(data, TASKS, module.edge_types(), 8, torch.device("cpu"))
    values = torch.as_tensor(data.performance[None].repeat(2, axis=0)).nan_to_num(0)
    precomputed = module.precompute(graph, values, torch.as_tensor(data.observed[None]).expand_as(values).float())
    attached = attach(graph, new.queries, module.edge_types())
    attached[NEW].task = torch.full_like(attached[NEW].task, len(TASKS))
    nameless = replace(new.queries, tasks=np.full(len(new.queries), None, dtype=object))
    never = attach(graph, nameless, module.edge_types())
    for one, other in zip(module(precomputed, attached), module(precomputed, never), strict=True):
        assert torch.equal(one, other)


def test_messages_are_equivariant_to_the_order_of_queries_llms_and_tasks(data, new):
    random = np.random.default_rng(3)
    rows, columns, later = random.permutation(30), random.permutation(4), random.permutation(12)
    llms = replace(data.llms, names=tuple(data.llms.names[c] for c in columns), vectors=data.llms.vectors[columns])
    shuffled = data.take(rows)
    cells = {name: getattr(shuffled, name)[:, columns] for name in ("performance", "draws", "cost")}
    shuffled = replace(shuffled, llms=llms, **cells)
    precomputed, _, messages = run(data, new)
    again, _, after = run(shuffled, new.take(later), tasks=TASKS[::-1])
    torch.testing.assert_close(again.history, precomputed.history[columns], rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(again.means, precomputed.means[:, [1, 0, 2]][:, :, columns], rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(after.prior, messages.prior[:, later][:, :, columns], rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(after.residual, messages.residual[:, later][..., columns], rtol=1e-4, atol=1e-5)


def test_messages_to_a_query_do_not_depend_on_the_others(data, new):
    whole = run(data, new)[2]
    for query in range(12):
        alone = run(data, new.take(np.array([query])))[2]
        torch.testing.assert_close(alone.prior[:, 0], whole.prior[:, query])
        torch.testing.assert_close(alone.residual[:, 0], whole.residual[:, query])


def test_a_missing_cell_is_neither_a_failure_nor_free(new):
    perfect = data_of(
        np.ones((20, 2)), cost=np.full((20, 2), 3.0), vectors=np.random.default_rng(0).normal(size=(20, 6))
    )
    sparse = perfect.performance.copy()
    sparse[::2, 1] = NAN
    half = replace(
        perfect, performance=sparse, draws=(~np.isnan(sparse)).astype("f"), cost=np.where(sparse > 0, 3.0, NAN)
    )
    precomputed, _, messages = run(half, new, tasks=["task"])
    assert not torch.isnan(
        torch.cat([precomputed.means.flatten(), messages.prior.flatten(), messages.residual.flatten()])
    ).any()
    np.testing.assert_allclose(precomputed.means[PERFORMANCE], 1, atol=0.02)
    np.testing.assert_allclose(precomputed.means[OUTPUT_COST], 3, atol=0.1)
    np.testing.assert_allclose(messages.residual, 0, atol=0.02)


def test_output_costs_and_performance_do_not_mix(data, new):
    unpriced = run(data, new, output_cost=np.full_like(data.cost, NAN))
    priced = run(data, new)
    torch.testing.assert_close(unpriced[2].prior[PERFORMANCE], priced[2].prior[PERFORMANCE])
    torch.testing.assert_close(unpriced[2].residual[PERFORMANCE], priced[2].residual[PERFORMANCE])
    assert torch.equal(unpriced[0].history, priced[0].history)
    assert (unpriced[2].residual[OUTPUT_COST] == 0).all()
    assert torch.isfinite(unpriced[2].prior).all()


def test_a_cell_of_more_draws_weighs_more(new):
    data = data_of([[0.0], [1.0]] * 20, vectors=np.random.default_rng(0).normal(size=(40, 6)), tasks=["art"] * 40)
    sure = replace(data, draws=np.where(data.performance == 1, 9, 1).astype("f"))
    plain, weighed = run(data, new), run(sure, new)
    assert plain[0].means[PERFORMANCE, 0, 0] == pytest.approx(0.5, abs=0.02)
    assert weighed[0].means[PERFORMANCE, 0, 0] == pytest.approx(0.9, abs=0.02)
    rows, kernel = edges_into(weighed[1], 0)
    draws, differs = sure.draws[rows], data.performance[rows] - weighed[0].means[PERFORMANCE, 0].numpy()
    wanted = (kernel @ (draws * differs)) / (kernel @ draws + NEIGHBOUR_STRENGTH)
    np.testing.assert_allclose(weighed[2].residual[PERFORMANCE, 0], wanted, atol=1e-5)
