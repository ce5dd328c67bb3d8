import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from graphrouter import graph as graph_module
from graphrouter.dataset import Queries
from graphrouter.graph import (
    ANSWERED_BY,
    BELONGS_TO,
    NEW_BELONGS_TO,
    SIMILAR_TO,
    attach,
    build_graph,
    forget_tasks,
    task_positions,
)
from graphrouter.testing import data_of, make_log, make_parts

CPU = torch.device("cpu")
NAN = math.nan
TASKS = ["art", "biology"]


def build(data, tasks=TASKS, **outcomes):
    return build_graph(data, tasks, outcomes or {"performance": data.performance}, CPU)


@pytest.fixture
def data():
    """Five queries and three LLMs; cells and tasks are missing, and the last two queries have one wording."""
    return data_of(
        [[1, 0, NAN], [NAN, NAN, 0.5], [0, 1, 1], [1, NAN, 0], [NAN, 1, NAN]],
        vectors=[[3, 0], [4, 1], [0, 2], [1, 1], [1, 1]],
        tasks=["biology", None, "art", "never seen", "biology"],
        groups=[10, 11, 12, 13, 13],
    )


@pytest.fixture(scope="module")
def parts():
    return make_parts(make_log())


def joined(parts, neighbours, queries=None):
    tasks = ["algebra", "history"]
    return attach(build(parts.train, tasks), parts.test.queries if queries is None else queries, tasks, neighbours)


class TestBuildGraph:
    def test_it_has_the_nodes_and_relations_of_the_design(self, data):
        graph = build(data)
        assert graph.validate()
        assert set(graph.node_types) == {"query", "llm", "task"}
        reverse = {("llm", "rev_answered_by", "query"), ("task", "rev_belongs_to", "query")}
        assert set(graph.edge_types) == {ANSWERED_BY, BELONGS_TO, *reverse}
        assert (graph["query"].num_nodes, graph["llm"].num_nodes, graph["task"].num_nodes) == (5, 3, 2)
        assert (graph[ANSWERED_BY].num_edges, graph[BELONGS_TO].num_edges) == (9, 3)

    def test_nodes_carry_vectors_and_groups(self, data):
        graph = build(data)
        np.testing.assert_array_equal(graph["query"].x, data.queries.vectors)
        np.testing.assert_array_equal(graph["llm"].x, data.llms.vectors)
        np.testing.assert_array_equal(graph["query"].group, [10, 11, 12, 13, 13])
        torch.testing.assert_close(graph["query"].unit.norm(dim=1), torch.ones(5))
        torch.testing.assert_close(graph["query"].unit[0], torch.tensor([1.0, 0.0]))

    def test_an_edge_carries_the_outcomes_of_its_cell(self, data):
        cost = np.arange(15, dtype=float).reshape(5, 3)
        cost[2, 0] = NAN
        edges = build(data, performance=data.performance, cost=cost)[ANSWERED_BY]
        assert edges.edge_attr.dtype == torch.float32
        for (query, llm), attributes in zip(edges.edge_index.T.tolist(), edges.edge_attr, strict=True):
            np.testing.assert_array_equal(attributes, [data.performance[query, llm], cost[query, llm]])
        assert edges.edge_attr.isnan().sum() == 1, "what is not known of an edge must stay NaN"

    @given(
        hnp.arrays(np.float32, st.tuples(st.integers(1, 6), st.integers(1, 4)), elements=st.just(1.0) | st.just(NAN))
    )
    def test_there_is_one_edge_for_each_observed_cell_and_none_for_a_missing_one(self, performance):
        edges = build(data_of(performance))[ANSWERED_BY].edge_index
        rows, columns = np.nonzero(~np.isnan(performance))
        assert sorted(map(tuple, edges.T.tolist())) == list(zip(rows.tolist(), columns.tolist(), strict=True))

    def test_a_task_that_is_unknown_or_none_has_no_edge(self, data):
        graph = build(data)
        assert graph[BELONGS_TO].edge_index.T.tolist() == [[0, 1], [2, 0], [4, 1]]
        assert graph["query"].task.tolist() == [1, 2, 0, 2, 1]

    def test_reverse_relations_are_the_same_edges(self, data):
        graph = build(data)
        for source, verb, target in (ANSWERED_BY, BELONGS_TO):
            forward, backward = graph[source, verb, target], graph[target, f"rev_{verb}", source]
            assert torch.equal(backward.edge_index, forward.edge_index.flip(0))
        assert torch.equal(graph["llm", "rev_answered_by", "query"].edge_attr, graph[ANSWERED_BY].edge_attr)

    def test_a_log_without_tasks_has_no_task_nodes(self, data):
        graph = build(data, tasks=[])
        assert graph["task"].num_nodes == graph[BELONGS_TO].num_edges == 0
        assert graph["query"].task.tolist() == [0] * 5

    def test_positions_of_tasks(self):
        positions = task_positions(np.array(["b", None, "a", "c"], dtype=object), ["a", "b"])
        assert positions.dtype == np.int64
        assert positions.tolist() == [1, 2, 0, 2]


class TestAttach:
    def test_tensors_are_shared_and_the_graph_is_left_as_it_was(self, data):
        graph = build(data)
        after = attach(graph, data.queries, TASKS, 3)
        assert after.validate()
        for kind in ("query", "llm"):
            assert after[kind].x.data_ptr() == graph[kind].x.data_ptr()
        for relation in graph.edge_types:
            assert after[relation].edge_index.data_ptr() == graph[relation].edge_index.data_ptr()
        assert set(graph.node_types) == {"query", "llm", "task"}
        assert SIMILAR_TO not in graph.edge_types

    def test_a_new_query_has_no_outcomes(self, data):
        after = attach(build(data), data.queries, TASKS, 3)
        touching = {relation for relation in after.edge_types if "new_query" in (relation[0], relation[2])}
        assert touching == {SIMILAR_TO, NEW_BELONGS_TO}
        assert SIMILAR_TO[2] == "new_query", "messages flow to the new query, never from it"
        assert set(after["new_query"].keys()) == {"x", "task"}

    def test_tasks_of_new_queries(self, data):
        after = attach(build(data), data.queries, TASKS, 3)
        assert after["new_query"].task.tolist() == [1, 2, 0, 2, 1]
        assert after[NEW_BELONGS_TO].edge_index.T.tolist() == [[0, 1], [2, 0], [4, 1]]

    @pytest.mark.parametrize("neighbours", [1, 7, 10_000])
    @pytest.mark.parametrize("part", ["train", "test"])
    def test_neighbours_are_the_nearest_of_another_wording(self, parts, part, neighbours):
        queries, train = getattr(parts, part).queries, parts.train.queries
        edges = joined(parts, neighbours, queries)[SIMILAR_TO]
        cosines = queries.vectors @ train.vectors.T  # all have length 1
        other = queries.groups[:, None] != train.groups
        assert (part == "test") == other.all(), "the test must see both cases"
        for query in range(len(queries)):
            here = edges.edge_index[1] == query
            source, cosine = edges.edge_index[0][here].numpy(), edges.edge_attr[here, 0].numpy()
            assert other[query, source].all()
            nearest = np.sort(cosines[query][other[query]])[::-1][:neighbours]
            np.testing.assert_allclose(cosine, nearest, atol=1e-6)
            np.testing.assert_allclose(cosine, cosines[query, source], atol=1e-6)
            assert len(set(source.tolist())) == len(source)

    def test_edges_are_sorted_by_target_and_nearest_first(self, parts):
        edges = joined(parts, 5)[SIMILAR_TO]
        target, cosine = edges.edge_index[1], edges.edge_attr[:, 0]
        assert (target.diff() >= 0).all()
        assert target.unique().tolist() == list(range(len(parts.test.queries)))
        assert (cosine.diff()[target.diff() == 0] <= 0).all()

    def test_cosines_do_not_depend_on_the_length_of_vectors(self, data):
        edges = attach(build(data), data.queries, TASKS, 1)[SIMILAR_TO]
        first = dict(zip(edges.edge_index[1].tolist(), edges.edge_attr[:, 0].tolist(), strict=True))[0]
        assert first == pytest.approx(4 / math.sqrt(17))

    def test_only_known_tasks_can_be_the_same(self, data):
        edges = attach(build(data), data.queries, TASKS, 4)[SIMILAR_TO]
        same = edges.edge_index[:, edges.edge_attr[:, 1] == 1].T.tolist()
        assert sorted(same) == [[0, 4], [4, 0]], "None and an unknown task are no common task"
        assert set(edges.edge_attr[:, 1].tolist()) == {0.0, 1.0}

    def test_the_size_of_chunks_does_not_matter(self, parts, monkeypatch):
        whole = joined(parts, 9, parts.train.queries)[SIMILAR_TO]
        monkeypatch.setattr(graph_module, "CHUNK", 4)
        chunked = joined(parts, 9, parts.train.queries)[SIMILAR_TO]
        assert torch.equal(chunked.edge_index, whole.edge_index)
        torch.testing.assert_close(chunked.edge_attr, whole.edge_attr)

    def test_a_zero_vector_is_like_no_query(self, data):
        blank = data_of([[1, 0, 1]], vectors=[[0, 0]], tasks=["art"], groups=[99])
        edges = attach(build(data), blank.queries, TASKS, 4)[SIMILAR_TO]
        assert edges.edge_attr[:, 0].tolist() == [0.0] * 4


def test_forgetting_the_tasks_is_the_same_as_never_having_known_them(data):
    queries = data.queries
    untold = Queries(
        queries.ids, np.full(len(queries), None, dtype=object), queries.chars, queries.vectors, queries.groups
    )
    graph = build(data)
    told = attach(graph, queries, TASKS, 3)
    forgotten, never = forget_tasks(told, len(TASKS)), attach(graph, untold, TASKS, 3)
    assert torch.equal(forgotten["new_query"].task, never["new_query"].task)
    assert torch.equal(forgotten[NEW_BELONGS_TO].edge_index, never[NEW_BELONGS_TO].edge_index)
    assert torch.equal(forgotten[SIMILAR_TO].edge_index, never[SIMILAR_TO].edge_index)
    assert torch.equal(forgotten[SIMILAR_TO].edge_attr, never[SIMILAR_TO].edge_attr)
    again = attach(graph, queries, TASKS, 3)
    assert torch.equal(told["new_query"].task, again["new_query"].task)
    assert torch.equal(told[SIMILAR_TO].edge_attr, again[SIMILAR_TO].edge_attr)
    assert told[NEW_BELONGS_TO].edge_index.shape[1] > 0
