"""A supervised query must never see its own outcomes; these tests are about leaks before all else."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from graphrouter.graph import NEW
from graphrouter.nn import EdgeInputs
from graphrouter.nn.messages import RELATIONS
from graphrouter.routers.parts.output_cost import OutputCost
from graphrouter.routers.smoothing import Smoothing
from graphrouter.routers.smoothing.outcome_graph import OutcomeGraph, fold_inputs
from graphrouter.run import RunOptions
from graphrouter.testing import data_of, make_log, make_parts

FOLDS = 5
MESSAGES = ("prior", "residual", "cost_prior", "cost_residual")
UNKNOWN = 2
"""The position of the task of a query without one."""


@pytest.fixture(scope="module")
def parts():
    parts = make_parts(make_log(draws=2, missing=0.1, without_task=0.1))
    return parts._replace(train=parts.train.sorted())


def outcome_graph(data, output_cost=None, **settings):
    defaults = {"neighbours": 20, "scales": (20.0, 4.0), "same_task_weight": 2.0, "task_strength": 5.0}
    defaults |= {"relations": RELATIONS, "edge_attributes": True}
    return OutcomeGraph(**{**defaults, **settings}).fit(
        data, data.output_tokens / 100 if output_cost is None else output_cost
    )


@pytest.fixture(scope="module")
def supervised(parts):
    return fold_inputs(outcome_graph(parts.train), FOLDS)


def flipped(data, rows):
    """The data with all the cells of some queries changed, in everything that is an outcome."""
    performance, draws, tokens = data.performance.copy(), data.draws.copy(), data.output_tokens.copy()
    performance[rows] = 1 - performance[rows]
    performance[rows] = np.where(np.isnan(performance[rows]), 1, performance[rows])
    draws[rows] = 9 - draws[rows]
    tokens[rows] = np.nan_to_num(3 * tokens[rows], nan=7)
    return replace(data, performance=performance, draws=draws, output_tokens=tokens)


@pytest.mark.parametrize("query", [0, 17, 55])
def test_own_outcomes_never_reach_a_training_query(parts, supervised, query):
    before, history = supervised
    after, changed_history = fold_inputs(outcome_graph(flipped(parts.train, [query])), FOLDS)
    count = len(parts.train.queries)
    own = before.fold == before.fold[query]
    assert own[query]
    assert own[count + query]
    for name, first, second in zip(EdgeInputs._fields, before, after, strict=True):
        assert torch.equal(first[own], second[own]), f"{name} tells the query its own outcomes"
    assert torch.equal(history[before.fold[query]], changed_history[before.fold[query]])
    for name in MESSAGES:
        assert (getattr(before, name)[~own] != getattr(after, name)[~own]).any(), f"{name} must tell the others"
    others = [fold for fold in range(FOLDS) if fold != before.fold[query]]
    assert (history[others] != changed_history[others]).flatten(1).any(dim=1).all()


def test_own_tokens_never_reach_a_training_query_through_the_mean_of_its_llm(parts):
    query, changed = 17, parts.train.output_tokens.copy()
    changed[query] *= 50
    loud = replace(parts.train, output_tokens=changed)
    one, other = OutputCost().fit(parts.train), OutputCost().fit(loud)
    assert (other.means_ > 1.1 * one.means_).any(), "it must be able to leak"
    before, _ = fold_inputs(outcome_graph(parts.train, one.relative(parts.train)), FOLDS)
    after, _ = fold_inputs(outcome_graph(loud, other.relative(loud)), FOLDS)
    for name, first, second in zip(EdgeInputs._fields, before, after, strict=True):
        torch.testing.assert_close(first[query], second[query], rtol=1e-5, atol=1e-6, msg=name)
    assert (before.cost_prior != after.cost_prior).any()


def test_outcomes_of_the_same_wording_never_reach_a_training_query(parts, supervised):
    groups, counts = np.unique(parts.train.queries.groups, return_counts=True)
    twins = groups[counts == 2]
    assert len(twins) > 2
    for group in twins[:3]:
        query, twin = np.flatnonzero(parts.train.queries.groups == group)
        after, _ = fold_inputs(outcome_graph(flipped(parts.train, [twin])), FOLDS)
        for first, second in zip(supervised[0], after, strict=True):
            assert torch.equal(first[query], second[query])


@pytest.mark.parametrize("relation", RELATIONS)
def test_no_relation_is_needed_for_that(parts, relation):
    relations = tuple(name for name in RELATIONS if name != relation)
    before, history = fold_inputs(outcome_graph(parts.train, relations=relations), FOLDS)
    after, changed = fold_inputs(outcome_graph(flipped(parts.train, [3]), relations=relations), FOLDS)
    for first, second in zip(before.take([3]), after.take([3]), strict=True):
        assert torch.equal(first, second)
    assert torch.equal(history[before.fold[3]], changed[before.fold[3]])


def test_inputs_are_in_the_order_of_the_queries_first_with_their_task_and_then_without(parts, supervised):
    inputs, history = supervised
    queries, count = parts.train.queries, len(parts.train.queries)
    assert len(inputs.x) == 2 * count
    assert history.shape == (FOLDS, 3, queries.vectors.shape[1])
    direction = inputs.x[:, : queries.vectors.shape[1]]
    cosine = torch.nn.functional.cosine_similarity(direction, torch.as_tensor(np.tile(queries.vectors, (2, 1))))
    torch.testing.assert_close(cosine, torch.ones(2 * count))
    tasks = ["algebra", "history", None]
    assert [tasks[task] for task in inputs.task[:count]] == queries.tasks.tolist()
    assert (inputs.task[count:] == UNKNOWN).all()
    assert torch.equal(inputs.fold[:count], inputs.fold[count:])


def test_folds_keep_wordings_together_are_even_and_do_not_follow_row_order(parts, supervised):
    queries = parts.train.queries
    fold = supervised[0].fold[: len(queries)].numpy()
    for group in np.unique(queries.groups):
        assert len(set(fold[queries.groups == group])) == 1
    wordings = [len(set(queries.groups[fold == number])) for number in range(FOLDS)]
    assert max(wordings) - min(wordings) <= 1
    back = np.arange(len(queries))[::-1]
    again, _ = fold_inputs(outcome_graph(parts.train.take(back)), FOLDS)
    assert torch.equal(again.fold[: len(queries)].flip(0), supervised[0].fold[: len(queries)])


def test_a_fold_gets_what_a_graph_of_the_other_folds_tells(parts, supervised):
    inputs, history = supervised
    rows = np.flatnonzero(inputs.fold[: len(parts.train.queries)] == 1)
    others = np.setdiff1d(np.arange(len(parts.train.queries)), rows)
    tokens = parts.train.output_tokens[others]
    alone = outcome_graph(parts.train.take(others), tokens / np.nanmean(tokens, axis=0))
    told = alone.inputs(parts.train.queries.take(rows))
    for name in (*MESSAGES, "task"):
        torch.testing.assert_close(getattr(inputs, name)[rows], getattr(told, name), rtol=1e-5, atol=1e-6)
    assert torch.equal(history[1], alone.history[0])


def test_a_query_of_known_wording_has_no_edge_from_its_twin(parts):
    graph = outcome_graph(parts.train, neighbours=10_000)
    known = parts.train.queries.take(np.array([4]))
    asked = replace(known, ids=np.array(["asked again"], dtype=object))
    attached = graph.attach(asked)
    columns = graph.precomputed.columns.clone().requires_grad_()
    residual = graph.messages(graph.precomputed._replace(columns=columns), attached).residual
    residual.abs().sum().backward()
    same = parts.train.queries.groups == known.groups[0]
    assert same[4]
    assert not set(attached["query", "similar_to", NEW].edge_index[0].tolist()) & set(np.flatnonzero(same).tolist())
    assert (columns.grad[torch.as_tensor(same)] == 0).all()
    assert (columns.grad != 0).any(dim=1).sum() > 50


def test_validation_and_test_outcomes_are_no_messages():
    parts = make_parts(make_log())
    everywhere = {part: flipped(getattr(parts, part), slice(None)) for part in ("validation", "test")}

    def fitted(parts):
        router = Smoothing(folds=3, members=1, steps=20, batch_size=64, neighbours=20)
        router.run = RunOptions(device="cpu")
        return router.fit(parts.train, parts.validation)

    first, second = fitted(parts), fitted(parts._replace(**everywhere))
    for one, two in zip(first.graph_.precomputed, second.graph_.precomputed, strict=True):
        assert torch.equal(one, two)
    for one, two in zip(*(router.graph_.inputs(parts.test.queries) for router in (first, second)), strict=True):
        assert torch.equal(one, two)
    np.testing.assert_equal(
        first.output_cost_.get_state()["input_rate_"], second.output_cost_.get_state()["input_rate_"]
    )


def test_draws_weigh_relative_to_each_other(parts):
    queries, draws = parts.test.queries, parts.train.draws
    uneven = np.where(parts.train.performance > 0.5, 3 * draws, draws)
    one, same, other = (
        outcome_graph(replace(parts.train, draws=given)).inputs(queries) for given in (draws, 7 * draws, uneven)
    )
    for name in MESSAGES:
        torch.testing.assert_close(getattr(same, name), getattr(one, name))
    assert (other.prior > one.prior).all(), "what weighs more was better"


def test_without_belongs_to_nothing_tells_the_task(parts):
    graph = outcome_graph(parts.train, relations=("similar_to", "answered_by", "rev_answered_by"))
    queries = parts.test.queries
    other = replace(queries, tasks=np.where(queries.tasks == "algebra", "history", "algebra").astype(object))
    for first, second in zip(graph.inputs(queries), graph.inputs(other), strict=True):
        assert torch.equal(first, second)


def test_without_edge_attributes_an_edge_does_not_tell_its_performance(parts):
    performance = parts.train.performance.copy()
    performance[parts.train.observed] = np.random.default_rng(0).permutation(performance[parts.train.observed])
    shuffled = replace(parts.train, performance=performance)
    for switch in (True, False):
        one, two = (outcome_graph(data, edge_attributes=switch) for data in (parts.train, shuffled))
        inputs, others = one.inputs(parts.test.queries), two.inputs(parts.test.queries)
        told = not torch.allclose(inputs.prior, others.prior) or not torch.allclose(inputs.residual, others.residual)
        assert told == switch
        assert torch.allclose(one.history, two.history) != switch


def test_length_features_are_standardised_by_train_and_bounded(parts):
    graph, queries = outcome_graph(parts.train), parts.train.queries
    log_length = np.log1p(queries.chars)
    wanted = (log_length - log_length.mean()) / log_length.std()
    length = graph.inputs(queries).x[:, -2:]
    np.testing.assert_allclose(length[:, 0], wanted.clip(-3, 3), atol=1e-4)
    np.testing.assert_allclose(length[:, 1], length[:, 0] ** 2, rtol=1e-6)
    endless = replace(queries, chars=np.full(len(queries), 1e7, dtype="f"))
    assert graph.inputs(endless).x[:, -2:].tolist() == [[3.0, 9.0]] * len(queries)


@pytest.mark.parametrize("groups", [[1], [1, 1], [1, 2], [1, 1, 1, 2, 2, 3]])
@pytest.mark.parametrize("edge_attributes", [True, False])
@pytest.mark.filterwarnings("error::RuntimeWarning")
def test_a_log_of_few_wordings_gives_numbers(groups, edge_attributes):
    data = data_of(np.eye(len(groups), 2), groups=groups)
    inputs, history = fold_inputs(outcome_graph(data, edge_attributes=edge_attributes), len(groups))
    assert all(torch.isfinite(tensor).all() for tensor in (*inputs, history))


def test_the_state_rebuilds_the_same_graph(parts):
    graph = outcome_graph(parts.train)
    again = OutcomeGraph.from_state(graph.get_state())
    for first, second in zip(graph.inputs(parts.test.queries), again.inputs(parts.test.queries), strict=True):
        assert torch.equal(first, second)
    assert torch.equal(graph.history, again.history)
